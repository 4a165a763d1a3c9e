"""Compares networks from .tflite files with TensorFlow Lite Micro's interpreter, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.frontends import load
from edgeq.ir import Graph

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the oracle tflite-micro is not installed"
)

Rng = np.random.Generator


def samples(graph: Graph, rng: Rng, count: int) -> dict[str, np.ndarray]:
    """Random input codes, the first sample of extremes."""
    found = {}
    for name in graph.inputs:
        lo, hi = graph.values[name].format.code_range
        shape = graph.values[name].shape
        layout = graph.layouts.get(name, tuple(range(len(shape))))
        codes = rng.integers(lo, hi + 1, (count, *(shape[layout.index(i)] for i in range(len(shape)))))
        codes[0] = rng.choice([lo, hi], codes.shape[1:])
        found[name] = codes
    return found


def interpreter(data: bytes, inputs: list[np.ndarray], count: int) -> list[list[np.ndarray]]:
    """The `count` outputs of each sample; inputs are batch first, in any shape that holds the same elements."""
    device = runtime.Interpreter.from_bytes(data, arena_size=1 << 18)
    details = []
    for k in range(len(inputs)):
        detail = device.get_input_details(k)
        details.append((detail["shape"], detail["dtype"]))
    outputs: list[list[np.ndarray]] = []
    for i in range(len(inputs[0])):
        for k, (codes, (shape, dtype)) in enumerate(zip(inputs, details, strict=True)):
            device.set_input(codes[i].reshape(shape).astype(dtype), k)
        device.invoke()
        outputs.append([np.array(device.get_output(k)) for k in range(count)])
    return outputs


def compare(data: bytes, path: Path, rng: Rng, place: str, count: int = 6) -> np.ndarray:
    """Import the model, run it and the interpreter on the same codes; the codes that both made."""
    path.write_bytes(data)
    graph = load(path)
    x = samples(graph, rng, count)
    found = graph.run(x)
    found = found if isinstance(found, list) else [found]
    seen = []
    for i, want in enumerate(interpreter(data, [x[name] for name in graph.inputs], len(found))):
        for k, codes in enumerate(want):
            np.testing.assert_array_equal(
                found[k][i].reshape(codes.shape), codes, err_msg=f"{place} sample {i} output {k}"
            )
            seen.append(codes.ravel())
    return np.concatenate(seen)
