"""Networks for hls4ml: layers of one kind after another, every value small and on a power-of-two grid."""

from __future__ import annotations

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.ir import Graph
from tests.fpga.networks import U8, Net

S8 = FixedPoint(8, 4)
#: a format for each of four channels
EACH = FixedPoint(4, (1, 2, 3, 5), True, 0)


def dense(weight: int = 3) -> Graph:
    """Two linear layers, points per channel, biases; `weight` stands in one place of the second one's weights."""
    net = Net(2, "dense")
    x = net.input((12,), FixedPoint(8, 5))
    bias = net.b.constant("b1", np.arange(16) - 8, FixedPoint(6, (3, 4) * 8, True, 0))
    x = net.b.node("linear", "fc1", [x, net.constant("w1", (16, 12)), bias], FixedPoint(8, 4, False))
    codes = net.rng.integers(-8, 8, (4, 16))
    codes[2, 5] = weight
    x = net.b.node("linear", "fc2", [x, net.b.constant("w2", codes, EACH)], FixedPoint(8, 2), rounding="half_even")
    return net.b.build([x])


def residual() -> Graph:
    """Convolutions that meet, a mean and a linear layer."""
    net = Net(3, "residual")
    x = net.conv("stem", net.input((6, 6, 3), S8), 4, fmt=S8)
    long = net.conv("long1", net.conv("long0", x, 4, stride=2), 4)
    skip = net.conv("skip", x, 4, 1, 2, padding=(0,) * 4)
    x = net.b.node("add", "join", [long, skip], U8)
    x = net.b.node("mean", "gap", [x], FixedPoint(8, 5), axes=(0, 1), keep_axes=0)
    return net.b.build([net.linear("head", x, 5, FixedPoint(12, 6))])


def joins(stream: bool) -> Graph:
    """Every layer of one element each, joins, clamps that no type has, groups, dilation, pools, padding, flatten."""
    net = Net(5, "joins")
    b = net.b
    a = net.input((6, 6, 4), S8)
    other = b.input("y", (6, 6, 4), FixedPoint(6, 1))
    x = b.node("mul", "mul", [a, other], FixedPoint(9, 4), rounding="half_away")
    x = b.node("sub", "sub", [x, other], FixedPoint(8, 2), rounding="to_zero", overflow="wrap")
    x = b.node("concat", "cat", [x, a, other], FixedPoint(7, 2), axis=2, rounding="half_down")
    x = net.conv("grouped", x, 4, groups=2, dilation=2, padding=(2,) * 4)
    x = net.conv("depthwise", x, 4, groups=4, fmt=FixedPoint(6, 2, False))
    x = b.node("mul", "scale", [x, b.constant("s", [3, -2, 1, 5], FixedPoint(4, 2))], S8)
    x = b.node("sub", "shift", [b.constant("c", [7], FixedPoint(4, 1)), x], S8, overflow="zero")
    x = b.node("requantise", "clamp", [x], FixedPoint(6, 2), lo=-5, hi=11, rounding="floor")
    x = b.node("maximum", "greater", [x, b.node("requantise", "coarse", [x], FixedPoint(4, 0))], FixedPoint(6, 2))
    x = b.node("pad", "pad", [x], FixedPoint(6, 2), padding=(1, 0, 0, 1, 0, 0), mode="constant", value=0)
    return b.build([_tail(net, x, stream)])


def _tail(net: Net, x: str, stream: bool) -> str:
    """Pools, with what only arrays can where it is not streams; K-hot weights."""
    b, each = net.b, net.b.values[x].format
    b.node("minimum", "less", [x, x], each)
    apart = {"kernel": (2, 2), "stride": (2, 2), "padding": (0,) * 4}
    x = b.node("max_pool", "greatest", ["less"], each, dilation=(1, 1), **apart)
    if not stream:
        around = {"kernel": (2, 2), "stride": (1, 1), "padding": (1, 0, 0, 1)}
        x = b.node("max_pool", "signed", [x], each, dilation=(1, 1), **around)
        x = b.node("average_pool", "seen", [x], FixedPoint(8, 4), include_pad=0, **around)
        x = b.node("requantise", "bare", [x], FixedPoint(7, 4, False))
        x = b.node("max_pool", "unsigned", [x], FixedPoint(7, 4, False), dilation=(1, 1), **around)
    mean = FixedPoint(8, 4)
    x = b.node(
        "average_pool",
        "third",
        [x],
        mean,
        kernel=(3, 3),
        stride=(3, 3),
        padding=(0,) * 4,
        include_pad=1,
        rounding="half_even",
    )
    weights = net.rng.choice([-12, -8, -4, -1, 0, 1, 2, 5, 6], (5, b.values[x].size))
    return b.node("linear", "head", [net.flat(x), b.constant("k", weights, FixedPoint(5, 2))], FixedPoint(10, 3))
