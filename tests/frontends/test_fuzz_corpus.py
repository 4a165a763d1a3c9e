"""Files that parsers once stumbled over, kept; and the fuzzer itself, which must be able to find something."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="makers of whole files need tflite-micro")

from frontends.test_tflite_more import ints, quantised
from frontends.tflite_writer import Call, Spec, write, write_model

ROOT = Path(__file__).resolve().parents[2]
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.*"))


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = spec_from_file_location("fuzz", ROOT / "benchmarks" / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_kept_files_are_read_or_refused_clearly(fuzz: ModuleType, path: Path) -> None:
    began = time.monotonic()
    outcome, message = fuzz.attempt(path)
    assert outcome in ("read", "refused"), message
    assert time.monotonic() - began < 10


def test_some_damaged_files(fuzz: ModuleType, tmp_path: Path) -> None:
    files, outcomes = fuzz.tflite_seeds(), []
    for number in range(250):
        path = tmp_path / "file.tflite"
        path.write_bytes(fuzz.damaged(np.random.default_rng([0, number]), files))
        outcome, message = fuzz.attempt(path)
        assert outcome in ("read", "refused"), (number, message)
        outcomes.append(outcome)
    assert len(files) > 40
    assert outcomes.count("refused") > 150
    assert outcomes.count("read") > 3


def test_whole_files_are_read(fuzz: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "file.tflite"
    for data in fuzz.tflite_seeds():
        path.write_bytes(data)
        assert fuzz.attempt(path)[0] == "read"


def _reversed(n: int) -> bytes:
    tensors = [quantised("x", (1, n)), ints("b", [0, -1]), ints("e", [1, -n - 1]), ints("s", [1, -1])]
    return write("STRIDED_SLICE", [*tensors, quantised("y", (1, n))], 1, "StridedSliceOptions")


def _unpacked(n: int) -> bytes:
    return write("UNPACK", [quantised("x", (1, n)), quantised("y", (1,))], 1, "UnpackOptions", Axis=1, Num=n)


def _matrices(n: int) -> bytes:
    shapes = ((n, 1, 1, 1), (1, n, 1, 1), (n, n, 1, 1))
    return write("BATCH_MATMUL", [quantised(s, v) for s, v in zip("xyz", shapes, strict=True)], 2, "BatchMatMulOptions")


def _filled(n: int) -> bytes:
    calls = [Call("FILL", [0, 1], [2]), Call("ADD", [3, 2], [4], "AddOptions")]
    tensors = [
        ints("shape", [n, n]),
        ints("one", 1),
        Spec("ones", (n, n), "i4", ()),
        quantised("x", (1, 1)),
        quantised("y", (1, 1)),
    ]
    return write_model(tensors, calls, [3], [4])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_reversed(1 << 26), "picks 67108864 places"),
        (_unpacked(1 << 26), "1 outputs for axis 1"),
        (_matrices(1 << 13), "picks 67108864 places"),
        (_filled(1 << 14), "is not one that a network can have"),
    ],
    ids=["reversed", "unpacked", "matrices", "filled"],
)
def test_huge_shapes_take_no_time(fuzz: ModuleType, data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file.tflite"
    path.write_bytes(data)
    began = time.monotonic()
    outcome, said = fuzz.attempt(path)
    assert outcome == "refused"
    assert message in said
    assert time.monotonic() - began < 5


def test_a_stumbling_parser_is_found(fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.tflite"
    path.write_bytes(b"")
    assert fuzz.attempt(path)[0] == "refused"

    def stumble(path: Path) -> None:
        raise KeyError("no such tensor")

    monkeypatch.setattr(fuzz, "load", stumble)
    outcome, message = fuzz.attempt(path)
    assert outcome == "finding"
    assert "KeyError" in message


def test_a_worker_that_dies_is_a_finding(fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a parser in C would die of a bad pointer: the file is named, and the next worker goes on behind it."""

    def die(path: Path) -> None:
        os._exit(11)

    monkeypatch.setattr(fuzz, "load", die)
    monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *limits: None)
    found = fuzz.batch(fuzz.TARGETS["tflite"], [b"x" * 64], 1, 40, tmp_path)
    assert [(number, outcome) for number, outcome, _ in found] == [(40, "finding")]
    assert "died" in found[0][2]
