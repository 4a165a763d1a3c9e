"""Small networks for tests of hardware: one of each kind of layer, residual branches, exact integer formats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats import Affine, FixedPoint
from edgeq.ir import Graph, GraphBuilder

U8 = FixedPoint(8, 4, False)


class Net:
    """A graph builder with short words for layers of small random weights."""

    def __init__(self, seed: int = 0, name: str = "net") -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder(name)

    def input(self, shape: Sequence[int], fmt: FixedPoint | Affine = U8) -> str:
        return self.b.input("x", shape, fmt)

    def constant(self, name: str, shape: tuple[int, ...], bits: int = 4, point: int = 3) -> str:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return self.b.constant(name, self.rng.integers(low, high, shape, endpoint=True), FixedPoint(bits, point))

    def conv(
        self,
        name: str,
        x: str,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        fmt: FixedPoint | Affine = U8,
        padding: tuple[int, ...] | None = None,
        dilation: int = 1,
    ) -> str:
        shape = self.b.values[x].shape
        rank = len(shape) - 1
        w = self.constant(f"{name}.w", (out, *(kernel,) * rank, shape[-1] // groups))
        b = self.constant(f"{name}.b", (out,), 8, 5)
        pads = padding if padding is not None else (dilation * (kernel // 2),) * (2 * rank)
        return self.b.node(
            "conv",
            name,
            [x, w, b],
            fmt,
            stride=(stride,) * rank,
            padding=pads,
            dilation=(dilation,) * rank,
            groups=groups,
            lo=0,
        )

    def linear(self, name: str, x: str, out: int, fmt: FixedPoint | Affine) -> str:
        size = self.b.values[x].shape[-1]
        return self.b.node("linear", name, [x, self.constant(f"{name}.w", (out, size))], fmt)

    def flat(self, x: str) -> str:
        value = self.b.values[x]
        return self.b.node("reshape", "flat", [x], value.format, shape=(value.size,))


def digits(seed: int = 0) -> Graph:
    """Convolution, pool, two branches that meet, linear, argmax: (8, 8, 1) to 10 scores and the greatest."""
    net = Net(seed, "digits")
    x = net.conv("first", net.input((8, 8, 1)), 8)
    x = net.b.node("max_pool", "pool", [x], U8, kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(1, 1))
    x = net.b.node("add", "join", [net.conv("long", x, 12), net.conv("skip", x, 12, 1)], FixedPoint(8, 3))
    scores = net.linear("head", net.flat(x), 10, FixedPoint(16, 6))
    return net.b.build([scores, net.b.node("argmax", "top", [scores], FixedPoint(8, 0), axis=0, keep_axes=0)])


def residual(convs: int, size: int = 6, channels: int = 4, stride: int = 1, seed: int = 0) -> Graph:
    """A branch of `convs` 3x3 convolutions, the first with a stride, beside one 1x1 of that stride."""
    net = Net(seed, "residual")
    x = net.conv("stem", net.input((size, size, channels)), channels)
    long = x
    for i in range(convs):
        long = net.conv(f"long{i}", long, channels, stride=stride if i == 0 else 1)
    skip = net.conv("skip", x, channels, 1, stride, padding=(0,) * 4) if stride > 1 else x
    return net.b.build([net.b.node("add", "join", [long, skip], U8)])
