"""Small networks for the tests of generated firmware, each aimed at something that builds get wrong."""

from __future__ import annotations

import numpy as np

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Graph, GraphBuilder

U8 = FixedPoint(8, 4, False)
S8 = FixedPoint(8, 3)
S16 = FixedPoint(16, 6)


def codes(graph: Graph, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random input codes, batch first."""
    rng = np.random.default_rng(seed)
    found = {}
    for name in graph.inputs:
        value = graph.values[name]
        grid = rng.integers(*value.format.grid_range, (samples, *value.shape), endpoint=True)
        found[name] = value.format.from_grid(value.format.round_grid(grid, np.ones((), dtype=np.int64), "half_up"))
    return found


def classifier(seed: int = 0) -> Graph:
    """conv with packed weights, in-place ReLU, reshape, linear with a binary point per channel; 16-bit output."""
    rng = np.random.default_rng(seed)
    g = GraphBuilder("digits")
    x = g.input("x", (8, 8, 1), U8)
    w = g.constant("w1", rng.integers(-8, 8, (16, 3, 3, 1)), FixedPoint(4, 3))
    b = g.constant("b1", rng.integers(-100, 100, (16,)), FixedPoint(16, 7))
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    c = g.node("conv", "conv1", [x, w, b], S8, source="features.0", groups=1, **window)
    r = g.node("requantise", "relu", [c], S8, lo=0)
    f = g.node("reshape", "flat", [r], S8, shape=(1024,))
    w2 = g.constant("w2", rng.integers(-128, 128, (10, 1024)), FixedPoint(8, tuple(range(10)), True, 0))
    return g.build([g.node("linear", "fc", [f, w2], FixedPoint(16, 5), source="classifier")])


def residual() -> Graph:
    """Two inputs, a branch, an in-place add, two outputs, one of them in the middle."""
    rng = np.random.default_rng(1)
    g = GraphBuilder("residual net")
    x, y = g.input("x", (6, 6, 4), S8), g.input("y", (6, 6, 4), S16)
    w = g.constant("w", rng.integers(-128, 128, (4, 1, 1, 4)), FixedPoint(8, 7))
    window = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
    a = g.node("conv", "branch", [x, w], S8, groups=1, **window)
    s = g.node("add", "join", [a, x], S8)
    t = g.node("add", "outer", [s, y], S16)
    return g.build([s, g.node("requantise", "out", [t], FixedPoint(4, 1), lo=0)])


def awkward() -> Graph:
    """Names that are no C, or differ only in what C cannot hold; shared constants; a moved input."""
    g = GraphBuilder("int8 / нейронная / сеть")
    x = g.input("x y", (4, 4), S8)
    w = g.constant("вес", np.arange(16).reshape(4, 4) - 8, FixedPoint(5, 2))
    a = g.node("linear", "while", [x, w], S8, source="слой / 1")
    b = g.node("linear", "x.y", [a, w], S8)
    c = g.node("linear", "x/y", [b, w], S8)
    flat = g.node("reshape", "X Y", [x], S8, shape=(16,))
    return g.build([c, g.node("reshape", "x-y", [c], S8, shape=(2, 8)), flat])


def nothing() -> Graph:
    """No step at all: the output is the input under another shape."""
    g = GraphBuilder("nothing")
    return g.build([g.node("reshape", "y", [g.input("x", (3, 5), S16)], S16, shape=(15,))])


def minifloat() -> Graph:
    """E4M3 activations and E2M1 weights."""
    rng = np.random.default_rng(2)
    g = GraphBuilder("tiny_float")
    x = g.input("x", (12,), NAMED["e4m3"])
    w = g.constant("w", rng.integers(0, 16, (6, 12)), NAMED["e2m1"])
    return g.build([g.node("linear", "fc", [x, w], NAMED["e4m3"])])


ALL = {net.__name__: net for net in (classifier, residual, awkward, nothing, minifloat)}
