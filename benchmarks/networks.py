"""Networks to measure kernels on: the shapes of MLPerf Tiny with random weights, in power-of-two and in any scales.

Instruction counts of the kernels do not depend on the weights' values, so training would change nothing here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeq.formats import CODE_RULE, Affine, FixedPoint, Grouped, KHot, Minifloat, grouped
from edgeq.ir import Graph, GraphBuilder

ACTIVATION = FixedPoint(8, 4)
BIAS = FixedPoint(32, 10)


def window(
    kernel: int | tuple[int, int], stride: int, pad: tuple[int, int, int, int] | None, groups: int
) -> dict[str, Any]:
    """Attributes of a conv; without `pad`, as much as keeps the size."""
    rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (rows // 2, rows // 2, columns // 2, columns // 2) if pad is None else pad
    return {"stride": (stride, stride), "padding": padding, "dilation": (1, 1), "groups": groups}


class Maker:
    """Builds layers with random weights of `bits` bits."""

    def __init__(self, name: str, bits: int = 8, activation: FixedPoint | Minifloat = ACTIVATION) -> None:
        self.builder, self.activation = GraphBuilder(name), activation
        #: format of inputs where it is not that of all other values
        self.source: FixedPoint | None = None
        self.weight: FixedPoint | Minifloat = FixedPoint(bits, 6)
        #: codes that weights are drawn from; None: all
        self.levels: np.ndarray | None = None
        #: input channels whose weights share a scale; 0: all
        self.group = 0
        self.rng = np.random.default_rng(0)

    def input(self, *shape: int) -> str:
        """The input of the network."""
        return self.builder.input("x", shape, self.source or self.activation)

    def constants(self, name: str, shape: tuple[int, ...]) -> list[str]:
        """Weights (of fixed point without the most negative code) and biases."""
        lo, hi = self.weight.code_range
        least = lo if isinstance(self.weight, Minifloat) else -hi
        drawn = self.rng.integers(least, hi, shape, endpoint=True)
        codes = drawn if self.levels is None else self.rng.choice(self.levels, shape)
        weight = self.builder.constant(f"{name}.w", codes, self.format_of(shape) if self.group else self.weight)
        bias = self.rng.integers(-3000, 3000, shape[:1])
        return [weight, self.builder.constant(f"{name}.b", bias, BIAS)]

    def format_of(self, shape: tuple[int, ...]) -> Grouped:
        """Weights with scales of groups that lie up to five powers of two apart."""
        scales = self.rng.integers(0, 6, (*shape[:-1], -(-shape[-1] // self.group)))
        scales.reshape(len(scales), -1)[:, 0] = 0
        return grouped(self.weight, self.group, scales)

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
        attrs = window(kernel, stride, pad, groups)
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


#: scale of every value and rule of every rounding of the scaled networks
SCALE, RULE = 0.05, "tflite"


class ScaledMaker(Maker):
    """The same layers as .tflite files have them: zero points, a multiplier for each channel, two roundings."""

    def format(self, relu: bool) -> Affine:
        """Of a value: all codes serve positive numbers behind a ReLU."""
        return Affine(8, True, -128 if relu else -3, SCALE)

    def input(self, *shape: int) -> str:
        return self.builder.input("x", shape, self.format(False))

    def constants(self, name: str, shape: tuple[int, ...]) -> list[str]:
        each = tuple(float(s) for s in self.rng.uniform(0.001, 0.01, shape[0]))
        codes = self.rng.integers(-127, 127, shape, endpoint=True)
        weight = self.builder.constant(f"{name}.w", codes, Affine(8, True, 0, each, 0))
        bias = self.rng.integers(-3000, 3000, shape[:1])
        return [weight, self.builder.constant(f"{name}.b", bias, Affine(32, True, 0, each, 0))]

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
        attrs = window(kernel, stride, pad, groups)
        rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shape = (filters, rows, columns, channels // groups)
        return self._products("conv", x, shape, name, relu, attrs)

    def linear(self, x: str, inputs: int, outputs: int, *, name: str, relu: bool = False) -> str:
        return self._products("linear", x, (outputs, inputs), name, relu, {})

    def _products(self, op: str, x: str, shape: tuple[int, ...], name: str, relu: bool, attrs: dict[str, Any]) -> str:
        """A layer of sums of products with its own multiplier for each output channel."""
        terms = int(np.prod(shape[1:]))
        multiplier = tuple(int(m) for m in self.rng.integers(1 << 30, 1 << 31, shape[0]))
        shift = 31 + max(int(np.ceil(np.log2(np.sqrt(terms) * 74))), 1)
        attrs |= {"multiplier": multiplier, "shift": (shift,) * shape[0], "rounding": RULE}
        attrs |= {"lo": 0} if relu else {}
        return self.builder.node(op, name, [x, *self.constants(name, shape)], self.format(relu), **attrs)

    def node(self, op: str, name: str, operands: list[str], **attrs: Any) -> str:
        if op == "mean":
            shape = self.builder.values[operands[0]].shape
            window = {"kernel": shape[:2], "stride": shape[:2], "padding": (0,) * 4, "include_pad": 0}
            fmt = self.builder.values[operands[0]].format
            pooled = self.builder.node("average_pool", name, operands, fmt, **window, rounding=CODE_RULE)
            return self.builder.node("reshape", f"{name}.flat", [pooled], fmt, shape=(shape[-1],))
        join = {"left": 20, "a_multiplier": 3 << 29, "a_shift": 31, "b_multiplier": 5 << 28, "b_shift": 31}
        scaling = {"multiplier": (1 << 30,), "shift": (50,), "rounding": RULE, **join}
        return self.builder.node(op, name, operands, self.format(attrs.get("lo") == 0), **scaling, **attrs)

    def graph(self, output: str) -> Graph:
        table = np.rint(((1 << 31) - 1) * np.exp(-np.arange(256) * SCALE))
        if len(self.builder.values[output].shape) == 1 and self.builder.values[output].size < 100:
            exponentials = self.builder.constant("exponentials", table, FixedPoint(32, 31))
            fmt = Affine(8, True, -128, 1 / 256)
            output = self.builder.node("softmax_reciprocal", "softmax", [output, exponentials], fmt, axis=0)
        return self.builder.build([output])


def maker(name: str, bits: int, activation: FixedPoint | None) -> Maker:
    """Of power-of-two networks, or, without an activation format, of scaled ones."""
    return ScaledMaker(f"{name}_scaled") if activation is None else Maker(name, bits, activation)


def resnet8(bits: int = 8, activation: FixedPoint | None = ACTIVATION) -> Graph:
    """Image classification: 12.5 M MACs."""
    m = maker("resnet8", bits, activation)
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


def dscnn(bits: int = 8, activation: FixedPoint | None = ACTIVATION) -> Graph:
    """Keyword spotting: 2.66 M MACs."""
    m = maker("dscnn", bits, activation)
    x = m.conv(m.input(49, 10, 1), 1, 64, (10, 4), 2, (4, 5, 1, 1), name="conv1")
    for i in range(1, 5):
        x = m.conv(x, 64, 64, 3, name=f"dw{i}", groups=64)
        x = m.conv(x, 64, 64, 1, name=f"pw{i}")
    x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
    return m.graph(m.linear(x, 64, 12, name="fc"))


#: expansion, channels at width 1, repeats, stride of the stages of MobileNetV2 (Sandler et al. 2018, table 2)
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    bits: int = 8, activation: FixedPoint | None = ACTIVATION, *, width: float = 0.35, size: int = 144, step: int = 8
) -> Graph:
    """MobileNetV2 for 1000 classes.

    step: what channels are a multiple of. 8 is the paper's rule; published work on fusing layers cuts them off at 1, so
    that its width 0.35 at 144 x 144 pixels has 30 channels where the paper's rule has 48.
    """
    m = maker("mobilenet_v2", bits, activation)

    def channels(full: int) -> int:
        if step == 1:
            return int(full * width)
        kept = max(8, int(full * width + 4) // 8 * 8)
        return kept + 8 if kept < 0.9 * full * width else kept

    now = channels(32)
    x = m.conv(m.input(size, size, 3), 3, now, 3, 2, name="conv1")
    for stage, (expansion, full, repeats, first) in enumerate(MOBILENET_V2, start=1):
        for block in range(repeats):
            name, out, stride = f"s{stage}.{block}", channels(full), first if block == 0 else 1
            y = x if expansion == 1 else m.conv(x, now, now * expansion, 1, name=f"{name}.expand")
            wide = now * expansion
            y = m.conv(y, wide, wide, 3, stride, name=f"{name}.dw", groups=wide)
            y = m.conv(y, wide, out, 1, name=f"{name}.project", relu=False)
            x = m.node("add", f"{name}.add", [x, y]) if stride == 1 and now == out else y
            now = out
    x = m.conv(x, now, 1280, 1, name="conv2")
    x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
    return m.graph(m.linear(x, 1280, 1000, name="fc"))


def autoencoder(bits: int = 8, activation: FixedPoint | None = ACTIVATION) -> Graph:
    """Anomaly detection: 0.26 M MACs."""
    m = maker("autoencoder", bits, activation)
    x, width = m.input(640), 640
    widths = (128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    for i, outputs in enumerate(widths, start=1):
        x, width = m.linear(x, width, outputs, name=f"fc{i}", relu=i < len(widths)), outputs
    return m.graph(x)


NETWORKS: dict[str, Callable[..., Graph]] = {"resnet8": resnet8, "dscnn": dscnn, "autoencoder": autoencoder}
#: the same shapes with the scales of imported networks
SCALED: dict[str, Callable[..., Graph]] = {
    f"{name} scaled": functools.partial(make, activation=None) for name, make in NETWORKS.items()
}


def khot(graph: Graph, fmt: KHot) -> Graph:
    """The network with the nearest K-hot weights in its convolutions and linear layers; their formats stay."""
    values = dict(graph.values)
    for name in {node.inputs[1] for node in graph.nodes if node.op in ("conv", "linear")}:
        data = values[name].data
        assert data is not None
        fits = replace(fmt, bits=max(2, min(fmt.bits, values[name].format.bits)))
        values[name] = replace(values[name], data=fits.nearest(data).astype(data.dtype))
    return replace(graph, values=values)
