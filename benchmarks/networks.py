"""Networks to measure kernels on: the shapes of MLPerf Tiny with power-of-two scales and random weights.

Instruction counts of the kernels do not depend on the weights' values, so training would change nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder

ACTIVATION = FixedPoint(8, 4)
BIAS = FixedPoint(32, 10)


class Maker:
    """Builds layers with random weights of `bits` bits."""

    def __init__(self, name: str, bits: int = 8, activation: FixedPoint = ACTIVATION) -> None:
        self.builder, self.activation = GraphBuilder(name), activation
        self.weight = FixedPoint(bits, 6)
        self.rng = np.random.default_rng(0)

    def input(self, *shape: int) -> str:
        """The input of the network."""
        return self.builder.input("x", shape, self.activation)

    def constants(self, name: str, shape: tuple[int, ...]) -> list[str]:
        """Weights without the most negative code, and biases."""
        most = (1 << (self.weight.width - 1)) - 1
        weight = self.builder.constant(f"{name}.w", self.rng.integers(-most, most, shape, endpoint=True), self.weight)
        bias = self.rng.integers(-3000, 3000, shape[:1])
        return [weight, self.builder.constant(f"{name}.b", bias, BIAS)]

    def conv(
        self,
        x: str,
        channels: int,
        filters: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        pad: tuple[int, int, int, int] | None = None,
        *,
        name: str,
        groups: int = 1,
        relu: bool = True,
    ) -> str:
        """conv, `pad` as much as keeps the size unless given; a fused ReLU."""
        rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        same = (rows // 2, rows // 2, columns // 2, columns // 2)
        padding = same if pad is None else pad
        attrs: dict[str, Any] = {"stride": (stride, stride), "padding": padding, "dilation": (1, 1), "groups": groups}
        attrs |= {"lo": 0} if relu else {}
        operands = [x, *self.constants(name, (filters, rows, columns, channels // groups))]
        return self.builder.node("conv", name, operands, self.activation, **attrs)

    def linear(self, x: str, inputs: int, outputs: int, *, name: str, relu: bool = False) -> str:
        """linear with bias."""
        attrs = {"lo": 0} if relu else {}
        return self.builder.node(
            "linear", name, [x, *self.constants(name, (outputs, inputs))], self.activation, **attrs
        )

    def node(self, op: str, name: str, operands: list[str], **attrs: Any) -> str:
        """Any other node."""
        return self.builder.node(op, name, operands, self.activation, **attrs)

    def graph(self, output: str) -> Graph:
        """The finished network."""
        return self.builder.build([output])


def resnet8(bits: int = 8, activation: FixedPoint = ACTIVATION) -> Graph:
    """Image classification: 12.5 M MACs."""
    m = Maker("resnet8", bits, activation)
    x, width = m.conv(m.input(32, 32, 3), 3, 16, 3, name="conv1"), 16
    for i, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        pad = (0, 1, 0, 1) if stride == 2 else None
        y = m.conv(x, width, filters, 3, stride, pad, name=f"b{i}.a")
        y = m.conv(y, filters, filters, 3, name=f"b{i}.b", relu=False)
        if stride == 2:
            x = m.conv(x, width, filters, 1, stride, name=f"b{i}.sc", relu=False)
        x, width = m.node("add", f"b{i}.add", [x, y], lo=0), filters
    x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
    return m.graph(m.linear(x, 64, 10, name="fc"))


def dscnn(bits: int = 8, activation: FixedPoint = ACTIVATION) -> Graph:
    """Keyword spotting: 2.66 M MACs."""
    m = Maker("dscnn", bits, activation)
    x = m.conv(m.input(49, 10, 1), 1, 64, (10, 4), 2, (4, 5, 1, 1), name="conv1")
    for i in range(1, 5):
        x = m.conv(x, 64, 64, 3, name=f"dw{i}", groups=64)
        x = m.conv(x, 64, 64, 1, name=f"pw{i}")
    x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
    return m.graph(m.linear(x, 64, 12, name="fc"))


def autoencoder(bits: int = 8, activation: FixedPoint = ACTIVATION) -> Graph:
    """Anomaly detection: 0.26 M MACs."""
    m = Maker("autoencoder", bits, activation)
    x, width = m.input(640), 640
    widths = (128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    for i, outputs in enumerate(widths, start=1):
        x, width = m.linear(x, width, outputs, name=f"fc{i}", relu=i < len(widths)), outputs
    return m.graph(x)


NETWORKS: dict[str, Callable[..., Graph]] = {"resnet8": resnet8, "dscnn": dscnn, "autoencoder": autoencoder}
