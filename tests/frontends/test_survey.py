"""`edgeq inspect` says what a model file needs and what is missing, even where it cannot be imported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_writer import Call, Spec, write_model

from edgeq.cli import main
from edgeq.errors import UnsupportedError
from edgeq.frontends import load
from edgeq.frontends.survey import survey


def quantised(name: str, shape: tuple[int, ...] = (1, 6), dtype: str = "i1") -> Spec:
    return Spec(name, shape, dtype, (0.5,), 1 if dtype == "i1" else 0)


def mixed() -> bytes:
    """Operators that are read, that are not, and that are not with these options; each hides none behind it."""
    tensors = [
        quantised("x"),
        quantised("sum"),
        quantised("odd"),
        quantised("wide", dtype="i2"),
        quantised("wider", dtype="i2"),
        quantised("same"),
        quantised("where"),
        quantised("turned", (6, 1)),
        quantised("y", (6, 1)),
    ]
    calls = [
        Call("ADD", [0, 0], [1], "AddOptions", {"FusedActivationFunction": 4}),
        Call("SEGMENT_SUM", [1], [2]),
        Call("QUANTIZE", [2], [3]),
        Call("ADD", [3, 3], [4], "AddOptions", {"FusedActivationFunction": 5}),
        Call("QUANTIZE", [4], [5]),
        Call("ADD", [5, 5], [6], "AddOptions"),
        Call("TRANSPOSE", [6, 6], [7], "TransposeOptions"),
        Call("VAR_HANDLE", [7], [8]),
    ]
    return write_model(tensors, calls, [0], [8])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "mixed.tflite"
    found.write_bytes(mixed())
    return found


def test_every_call_is_tried_on_its_own(path: Path) -> None:
    with pytest.raises(UnsupportedError, match="SEGMENT_SUM"):
        load(path)
    found = survey(path)
    assert found is not None
    uses = {use.op: use for use in found.operators}
    assert {op: (use.calls, use.read) for op, use in uses.items()} == {
        "ADD": (3, 1),
        "QUANTIZE": (2, 2),
        "SEGMENT_SUM": (1, 0),
        "TRANSPOSE": (1, 0),
        "VAR_HANDLE": (1, 0),
    }
    assert found.missing == 5
    fused, wide = uses["ADD"].hindrances
    assert (fused.tensor, fused.fact) == ("sum", "fused activation 4")
    assert fused.way_out == "RELU, RELU6 and RELU_N1_TO_1 are supported"
    assert (wide.tensor, wide.fact) == ("wider", "fused activation 5")
    assert uses["TRANSPOSE"].hindrances[0].fact == "input where is computed"
    assert "keep the state outside" in uses["VAR_HANDLE"].hindrances[0].way_out
    assert "replace it" in uses["SEGMENT_SUM"].hindrances[0].way_out


def test_inspect_prints_a_table_and_fails(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path)]) == 1
    text = capsys.readouterr().out
    for part in ("SEGMENT_SUM", "fused activation 4", "keep the state outside", "is not read:"):
        assert part in text
    assert main(["inspect", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["file"]["missing"] == 5
    assert {row["op"]: row["missing"] for row in found["file"]["operators"]}["ADD"] == 2
    assert "SEGMENT_SUM" in found["error"]


def test_a_file_that_is_read_lists_its_operators_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fine.tflite"
    data = write_model([quantised("x"), quantised("y")], [Call("RELU", [0], [1])], [0], [1])
    path.write_bytes(data)
    assert main(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    row = {"op": "RELU", "calls": 1, "read": 1, "floats": 0, "hindrances": [], "missing": 0}
    assert found["file"]["operators"] == [row]
    assert found["problems"] == []
    path.write_bytes(data[: len(data) // 2])
    assert main(["inspect", str(path)]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_float_network_is_sent_to_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = [Spec("x", (1, 6), "f4", ()), Spec("one", (6,), "f4", (), data=np.ones(6)), Spec("y", (1, 6), "f4", ())]
    path = tmp_path / "float.tflite"
    path.write_bytes(write_model(tensors, [Call("ADD", [0, 1], [2], "AddOptions")], [0], [2]))
    assert main(["inspect", str(path)]) == 1
    text = capsys.readouterr().out
    assert "1 on floats: calibrate" in text
    assert "calibrate=samples" in text


def test_an_onnx_file_is_surveyed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from frontends.onnx_models import Writer

    w = Writer()
    x = w.quantised("x", 0.25, 0)
    w.node("Relu", [x], "relu")
    w.node("NonZero", ["relu"], "places")
    path = w.save(tmp_path / "net.onnx", {"x": (np.float32, (1, 4))}, {"places": np.int64})
    assert main(["inspect", str(path), "--json"]) == 1
    rows = {row["op"]: row for row in json.loads(capsys.readouterr().out)["file"]["operators"]}
    assert {op: row["missing"] for op, row in rows.items()} == {
        "DequantizeLinear": 0,
        "NonZero": 1,
        "QuantizeLinear": 0,
        "Relu": 0,
    }
    assert "replace it" in rows["NonZero"]["hindrances"][0]["way_out"]
