"""Histograms of weights and activations against the range that their formats can represent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.ir import Graph, Value

#: bars of a plot, at most
BARS = 64
#: operators that only move codes: their results look as their inputs do
MOVES = ("reshape", "transpose", "slice", "pad", "resize_nearest")


@dataclass(frozen=True)
class Histogram:
    """How often the values of one tensor fall into equal parts of its representable range.

    name, layer: the tensor and its layer; kind: "weight" or "activation"; format: as text.
    lo, hi:     least and greatest representable real value (over all channels of a format per channel).
    counts:     elements in each part of lo..hi.
    total:      elements; used: share of the representable range between the least and the greatest of them.
    saturated:  share of elements at an end of the range that is not zero; zeros: share that is zero.
    """

    name: str
    layer: str
    kind: str
    format: str
    lo: float
    hi: float
    counts: tuple[int, ...]
    total: int
    used: float
    saturated: float
    zeros: float


def histogram(value: Value, codes: npt.NDArray[Any], kind: str) -> Histogram:
    """Histogram of codes of `value` (with or without a batch in front)."""
    fmt = value.format
    grid = fmt.to_grid(codes)
    lo, hi = fmt.grid_range
    bars = min(BARS, hi - lo + 1)
    edges = np.linspace(lo - 0.5, hi + 0.5, bars + 1)
    counts, _ = np.histogram(grid, bins=edges)
    # Formats per channel share the integer axis; the labels take the coarsest channel.
    points = fmt.frac if isinstance(fmt.frac, tuple) else (fmt.frac,)
    scale = 2.0 ** -min(points)
    return Histogram(
        value.name,
        value.source or value.name,
        kind,
        str(fmt),
        lo * scale,
        hi * scale,
        tuple(int(c) for c in counts),
        int(grid.size),
        float((int(grid.max()) - int(grid.min())) / max(hi - lo, 1)),
        # The zeros of an unsigned format are no saturation: that is where a ReLU puts its share.
        float(np.mean((grid == hi) | ((grid == lo) & (lo < 0)))),
        float(np.mean(grid == 0)),
    )


def weight_histograms(net: Graph) -> list[Histogram]:
    """One for each constant that is a weight: the second operand of a matrix operator."""
    found = []
    for node in net.nodes:
        if node.op in ("conv", "conv_transpose", "linear"):
            value = net.values[node.inputs[1]]
            assert value.data is not None
            found.append(histogram(value, value.data, "weight"))
    return found


def activation_histograms(net: Graph, trace: Mapping[str, npt.NDArray[Any]]) -> list[Histogram]:
    """One for each tensor of a trace, in execution order; tensors that only move codes are left out."""
    moved = {name for node in net.nodes if node.op in MOVES for name in node.outputs}
    order = [*net.inputs, *(name for node in net.nodes for name in node.outputs)]
    return [histogram(net.values[n], trace[n], "activation") for n in order if n in trace and n not in moved]
