"""An imported network beside TensorFlow Lite's interpreters: every tensor of the file; a changed weight is found."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq.errors import InputError, ToolError
from edgeq.ir import Graph
from edgeq.verify.tflite_interpreters import PYTHON_VARIABLE, tflite_interpreter

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_writer import Call, Spec, write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two convolutions and an average pool."""
    rng = np.random.default_rng(7)
    scales = (0.01, 0.02, 0.03, 0.04)
    biases = [
        Spec("b1", (4,), "i4", tuple(0.05 * s for s in scales), data=rng.integers(-500, 500, 4)),
        Spec("b2", (6,), "i4", (0.2 * 0.02,), data=rng.integers(-500, 500, 6)),
    ]
    tensors = [
        Spec("x", (1, 8, 8, 3), scales=(0.05,), zero=-3),
        Spec("w1", (4, 3, 3, 3), scales=scales, data=rng.integers(-127, 128, (4, 3, 3, 3))),
        Spec("first", (1, 8, 8, 4), scales=(0.2,), zero=5),
        Spec("w2", (6, 3, 3, 4), scales=(0.02,), data=rng.integers(-127, 128, (6, 3, 3, 4))),
        Spec("second", (1, 4, 4, 6), scales=(0.7,), zero=-10),
        Spec("pooled", (1, 2, 2, 6), scales=(0.7,), zero=-10),
        *biases,
    ]
    strides = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}
    pool = {"StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2, "Padding": 1}
    calls = [
        Call("CONV_2D", [0, 1, 6], [2], "Conv2DOptions", strides),
        Call("CONV_2D", [2, 3, 7], [4], "Conv2DOptions", {**strides, "StrideH": 2, "StrideW": 2}),
        Call("AVERAGE_POOL_2D", [4], [5], "Pool2DOptions", pool),
    ]
    path = tmp_path / "two.tflite"
    path.write_bytes(write_model(tensors, calls, [0], [5]))
    return path


def changed(net: Graph, source: str) -> Graph:
    """The network with one weight of the layer `source` changed by 64."""
    node = next(n for n in net.nodes if n.source == source)
    weight = net.values[node.inputs[1]]
    assert weight.data is not None
    data = weight.data.copy()
    data.flat[0] += 64 if data.flat[0] < 0 else -64
    return replace(net, values={**net.values, weight.name: replace(weight, data=data)})


def test_every_tensor_equals_tflite_micro_and_a_changed_weight_is_found(model: Path) -> None:
    pytest.importorskip("tflite_micro", reason="the interpreter tflite-micro is not installed")
    net = edgeq.load(model)
    result = edgeq.verify(net, "host", random=32, against=tflite_interpreter(net, model))
    assert result.equal, result.line()
    assert (result.tensors, result.skipped) == (3, ())
    broken = changed(net, "second")
    first = edgeq.verify(broken, "emulator", random=32, against=tflite_interpreter(broken, model)).first_divergence
    assert first is not None
    assert first.layer == "second"


def test_litert_shows_every_tensor_too(model: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the interpreter ai-edge-litert is not installed")
    net = edgeq.load(model)
    result = edgeq.verify(net, "emulator", random=32, against=tflite_interpreter(net, model, "litert"))
    assert (result.tensors, result.skipped) == (3, ())
    # Its convolutions round in one step, so single codes differ by one; see docs/importing.md.
    assert result.mismatches < result.values // 50
    broken = changed(net, "first")
    found = edgeq.verify(broken, "emulator", random=32, against=tflite_interpreter(broken, model, "litert"))
    assert found.first_divergence is not None
    assert found.first_divergence.layer == "first"


def test_an_interpreter_of_another_python(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = edgeq.load(model)
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(ToolError, match=PYTHON_VARIABLE):
        tflite_interpreter(net, model, "tflite-runtime")
    if subprocess.run([sys.executable, "-c", "import ai_edge_litert"], check=False).returncode:
        pytest.skip("no interpreter here to stand in for tflite-runtime")
    # The same interpreter by another name: what is tested is the way to it through files.
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").touch()
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text("from ai_edge_litert.interpreter import *\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    result = edgeq.verify(net, "emulator", random=8, against=tflite_interpreter(net, model, "tflite-runtime"))
    assert (result.tensors, result.skipped) == (1, ("first", "second"))
    assert result.mismatches < result.values // 10


def test_what_cannot_be_run_is_one_clear_error(model: Path, tmp_path: Path) -> None:
    net = edgeq.load(model)
    with pytest.raises(InputError, match="tflite-micro, litert, tflite-runtime"):
        tflite_interpreter(net, model, "onnx")
    other = edgeq.load(model)
    other = replace(other, nodes=tuple(replace(n, source="elsewhere") for n in other.nodes))
    with pytest.raises(InputError, match="is it the same network"):
        tflite_interpreter(other, model, "tflite-micro")
