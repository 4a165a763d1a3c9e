"""Small networks that the tests of verify, the shell and the report share."""

from __future__ import annotations

import numpy as np

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Graph, GraphBuilder

S8 = FixedPoint(8, 5)
U8 = FixedPoint(8, 5, False)
W8 = FixedPoint(8, 7)
W4 = FixedPoint(4, 3)
B32 = FixedPoint(32, 12)


def residual_net(seed: int = 0, width: int = 6) -> Graph:
    """8x8x3 -> conv, depthwise conv, residual add, table, pools, linear, softmax: every kind of step but matmul."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("residual")
    x = b.input("image", (8, 8, 3), S8, layout=(1, 2, 0))

    def conv(name: str, x: str, shape: tuple[int, ...], groups: int, fmt: FixedPoint, **attrs: int) -> str:
        # Scaled so that layers neither die nor saturate: a fault must stay visible to the end.
        lo, hi = fmt.code_range
        w = b.constant(f"{name}.weight", rng.integers(lo // 2, hi // 2 + 1, shape), fmt, name)
        bias = b.constant(f"{name}.bias", rng.integers(-500, 500, shape[0]), FixedPoint(32, 5 + fmt.point), name)
        window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
        return b.node("conv", name, (x, w, bias), S8, name, groups=groups, **window, **attrs)

    first = conv("stem", x, (width, 3, 3, 3), 1, W8, lo=0)
    deep = conv("block.depthwise", first, (width, 3, 3, 1), width, W4)
    added = b.node("add", "block.add", (first, deep), S8, "block.add")
    codes = np.arange(-128, 128)
    table = b.constant("act.table", np.rint(60 * np.tanh(codes / 40)), S8, "act")
    act = b.node("table", "act", (added, table), S8, "act", function="tanh")
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
    pooled = b.node("max_pool", "pool", (act,), S8, "pool", **window)
    mean = b.node("mean", "head.mean", (pooled,), S8, "head.mean", axes=(0, 1), keep_axes=0)
    w = b.constant("head.weight", rng.integers(-100, 100, (5, width)), W8, "head")
    bias = b.constant("head.bias", rng.integers(-500, 500, 5), B32, "head")
    out = b.node("linear", "head", (mean, w, bias), FixedPoint(16, 10), "head")
    return b.build([out])


def minifloat_net(seed: int = 1) -> Graph:
    """Two linear layers in E2M1 weights and E4M3 activations."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("tiny_float")
    x = b.input("x", (6,), NAMED["e4m3"])
    w = b.constant("fc1.weight", rng.integers(0, 16, (4, 6)), NAMED["e2m1"], "fc1")
    y = b.node("linear", "fc1", (x, w), NAMED["e4m3"], "fc1")
    v = b.constant("fc2.weight", rng.integers(0, 16, (3, 4)), NAMED["e2m1"], "fc2")
    return b.build([b.node("linear", "fc2", (y, v), FixedPoint(16, 4), "fc2")])
