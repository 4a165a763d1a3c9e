"""A small network with every kind of constant and attribute, for tests of files."""

from __future__ import annotations

import numpy as np

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Graph, GraphBuilder

S8 = FixedPoint(8, 4)


def every_kind() -> Graph:
    """Convolution per channel, table, softmax, a minifloat layer, a constant operand, layouts, two outputs."""
    rng = np.random.default_rng(7)
    b = GraphBuilder("every kind: über/α")
    x = b.input("image", (5, 5, 2), S8, layout=(1, 2, 0))
    per_channel = FixedPoint(4, (3, 5, -2), axis=0)
    w = b.constant("stem.weight", rng.integers(-8, 8, (3, 3, 3, 2)), per_channel, "stem")
    bias = b.constant("stem.bias", [100000, -3, 7], FixedPoint(32, (7, 9, 2), axis=0), "stem")
    window = {"stride": (2, 2), "padding": (1, 0, 0, 1), "dilation": (1, 1)}
    y = b.node("conv", "stem", (x, w, bias), S8, "stem", groups=1, lo=0, rounding="half_even", **window)
    lut = b.constant("act.table", np.arange(256) * 200 - 30000, FixedPoint(16, 12), "act")
    y = b.node("table", "act", (y, lut), FixedPoint(16, 12), "act", function="test")
    y = b.node("reshape", "flat", (y,), FixedPoint(16, 12), shape=(2 * 2 * 3,))
    w2 = b.constant("fc.weight", rng.integers(0, 16, (4, 12)), NAMED["e2m1"], "fc")
    y = b.node("linear", "fc", (y, w2), NAMED["e4m3"], "fc")
    one = b.constant("one", [1, 2, 3, 4], FixedPoint(8, 0, False))
    z = b.node("add", "shift", (y, one), FixedPoint(8, 2))
    exps = b.constant("exp", [65535, 40000, 20000, 3, 0], FixedPoint(16, 16, False))
    p = b.node("softmax", "p", (z, exps), FixedPoint(8, 8, False), axis=0)
    return b.build([p, z], {"p": (0,)})
