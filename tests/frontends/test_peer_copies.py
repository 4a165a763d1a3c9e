"""Copies of published models made for the peer's benchmark say the same as the files, but for the last SOFTMAX."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import edgeq

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.baseline import MODELS, PUBLISHED
from benchmarks.peers import before_softmax, rewritten


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_copy_says_the_same(name: str, tmp_path: Path) -> None:
    import tflite

    path = MODELS / f"{PUBLISHED[name]}.tflite"
    if not path.is_file():
        pytest.skip(f"the published model {path.stem} is not here")
    copy = tmp_path / path.name
    copy.write_bytes(rewritten(path.read_bytes()))
    graph = tflite.Model.GetRootAs(copy.read_bytes(), 0).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        assert all(tensor.ShapeSignature(a) == tensor.Shape(a) for a in range(tensor.ShapeSignatureLength()))
    assert all(graph.Operators(i).BuiltinOptionsType() for i in range(graph.OperatorsLength()))
    net, again = edgeq.load(path), edgeq.load(copy)
    value = net.values[net.inputs[0]]
    x = np.random.default_rng(0).integers(*value.format.code_range, (3, *value.shape))
    want = net.trace(x)[before_softmax(net)]
    assert np.array_equal(again.run(x), want)
    assert not np.array_equal(again.run(x), np.roll(want, 1, axis=0))
