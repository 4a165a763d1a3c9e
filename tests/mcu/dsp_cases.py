"""Networks of many unrelated nodes that the kernels for Cortex-M with DSP can run: every size, format and extreme.

One network holds a whole batch of cases, each node with inputs of its own, so that one build tests them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from tests.mcu import windows
from tests.mcu.kernel_cases import ROUNDINGS, codes

Rng = np.random.Generator
#: sizes that leave every rest by four, and some that leave none
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17)


def byte(rng: Rng, point: int, *, narrow: bool = False) -> FixedPoint:
    """A format of 8 bits (sometimes fewer if `narrow`), signed or not."""
    width = int(rng.integers(5, 8)) if narrow and rng.integers(3) == 0 else 8
    return FixedPoint(width, point, bool(rng.integers(2)))


def weights(rng: Rng, shape: Sequence[int], kind: int) -> np.ndarray:
    """Codes of 8 bits: any, without -128, all extremes, or all -128 (which fits no dual lane)."""
    if kind == 0:
        return codes(FixedPoint(8, 0), shape, rng)
    if kind == 1:
        return np.maximum(codes(FixedPoint(8, 0), shape, rng), -127)
    if kind == 2:
        return rng.choice(np.array([-127, 127]), size=shape).astype(np.int64)
    return np.full(shape, -128, dtype=np.int64)


def bounds(rng: Rng, out: FixedPoint) -> dict[str, int]:
    """Bounds that saturation makes, or does not."""
    lo, hi = out.code_range
    cut = int(rng.integers(1, max(hi, 2)))
    low = int(rng.integers(lo, 1))
    return ({}, {"lo": 0}, {"lo": 0, "hi": cut}, {"lo": low, "hi": cut}, {"hi": cut})[int(rng.integers(5))]


class Batch:
    """Collects nodes; a combination that is no legal node is skipped."""

    def __init__(self, name: str, seed: int) -> None:
        self.builder, self.rng = GraphBuilder(name), np.random.default_rng(seed)
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: list[str] = []
        self.samples = 3

    def input(self, shape: Sequence[int], fmt: FixedPoint) -> str:
        """An input of its own with codes of which many are extremes."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = codes(fmt, (self.samples, *shape), self.rng)
        return self.builder.input(name, tuple(shape), fmt)

    def matrix(
        self, op: str, shape: Sequence[int], weight: Sequence[int], x: FixedPoint, bits: int = 8, **attrs: Any
    ) -> None:
        """A node with weights of shape `weight`, half of the time with a binary point for each channel."""
        rng, builder = self.rng, self.builder
        number = len(self.outputs)
        channels = weight[0]
        points = tuple(int(p) for p in rng.integers(3, 8, channels))
        fmt = FixedPoint(bits, points, True, 0) if rng.integers(2) else FixedPoint(bits, int(rng.integers(3, 8)))
        least = min(fmt.point) if isinstance(fmt.point, tuple) else fmt.point
        data = weights(rng, weight, int(rng.choice([0, 1, 1, 1, 2, 3], p=[0.2, 0.2, 0.2, 0.2, 0.15, 0.05])))
        data = np.clip(data, *fmt.code_range)
        operands = [self.input(shape, x), builder.constant(f"w{number}", data, fmt)]
        if rng.integers(3):
            bias = rng.integers(-(1 << 14), 1 << 14, (channels,))
            operands.append(builder.constant(f"b{number}", bias, FixedPoint(16, int(x.point) + least)))  # type: ignore[arg-type]
        terms = int(np.prod(weight[1:]))
        up = int(rng.integers(2, 9)) + int(np.log2(terms) / 2)
        out = byte(rng, int(x.point) + least - up, narrow=True)  # type: ignore[arg-type]
        attrs |= {"rounding": str(rng.choice(["half_up", "half_up", "floor"])), **bounds(rng, out)}
        self.outputs.append(builder.node(op, f"y{number}", operands, out, **attrs))

    def graph(self) -> Graph:
        return self.builder.build(self.outputs)


def conv(seed: int, count: int) -> Batch:
    """Kernels of 1 to 5, strides 1 and 2, paddings up to the kernel, every rest of channels and pixels."""
    batch = Batch("convs", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters = int(rng.choice(CHANNELS)), int(rng.choice(CHANNELS))
        size, kernel, geometry = windows.convolution(rng, [1, 2, 3, 5], 7)
        shapes = [*size, channels], [filters, *kernel, channels]
        batch.matrix("conv", *shapes, byte(rng, 4, narrow=True), groups=1, **geometry)
    return batch


def first(seed: int, count: int) -> Batch:
    """One to three channels: kernels of 1 to 10, strides 1 to 3, every rest of filters, pixels and rows."""
    batch = Batch("firsts", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters = int(rng.integers(1, 4)), int(rng.choice(CHANNELS))
        size, kernel, geometry = windows.first(rng)
        shapes = [*size, channels], [filters, *kernel, channels]
        batch.matrix("conv", *shapes, byte(rng, 4, narrow=True), groups=1, **geometry)
    return batch


def depthwise(seed: int, count: int) -> Batch:
    """Kernels of 1 to 5, dilations, four channels and more."""
    batch = Batch("depthwise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels = int(rng.choice([4, 5, 6, 7, 8, 16, 17]))
        size, kernel, geometry = windows.convolution(rng, [1, 2, 3, 3, 5], 7, [1, 1, 2])
        shapes = [*size, channels], [channels, *kernel, 1]
        batch.matrix("conv", *shapes, byte(rng, 4, narrow=True), groups=channels, **geometry)
    return batch


def linear(seed: int, count: int) -> Batch:
    """One row and several, every rest of inputs and outputs."""
    batch = Batch("linears", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        inputs, outputs = int(rng.choice((*CHANNELS, 33, 70))), int(rng.choice(CHANNELS))
        shape = ((inputs,), (1, inputs), (int(rng.integers(2, 5)), inputs))[int(rng.integers(3))]
        batch.matrix("linear", shape, [outputs, inputs], byte(rng, 4, narrow=True))
    return batch


def sizes(rng: Rng) -> tuple[int, ...]:
    """A shape of one to three axes, up to a few dozen elements."""
    return tuple(int(n) for n in rng.integers(1, 6, size=int(rng.integers(1, 4))))


def sums(op: str, seed: int, count: int) -> Batch:
    """add, sub: grids up to 2^14 apart, constants on either side, a value with itself, finer outputs."""
    batch = Batch(op, seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        points = (4, 4 + int(rng.choice([0, 0, 1, -2, 7, 14, -14])))
        formats = [byte(rng, p, narrow=True) for p in points]
        shape, number = sizes(rng), len(batch.outputs)
        kind = int(rng.integers(6))
        operands = [batch.input(shape, formats[0])]
        if kind == 0:
            operands *= 2
        elif kind == 1:
            operands.insert(
                int(rng.integers(2)), batch.builder.constant(f"c{number}", codes(formats[1], shape, rng), formats[1])
            )
        else:
            operands.append(batch.input(shape, formats[1]))
        out = byte(rng, max(points[: 1 if kind == 0 else 2]) - int(rng.integers(-2, 9)), narrow=True)
        attrs = {"rounding": str(rng.choice(["half_up", "floor"])), **bounds(rng, out)}
        batch.outputs.append(batch.builder.node(op, f"y{number}", operands, out, **attrs))
    return batch


def requantise(seed: int, count: int) -> Batch:
    """Shifts to both sides, every pair of signs."""
    batch = Batch("requantisations", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        x = byte(rng, 4, narrow=True)
        out = byte(rng, 4 - int(rng.choice([0, 1, 2, 5, 9, 20, -1, -3, -14])), narrow=True)
        attrs = {"rounding": str(rng.choice(["half_up", "floor"])), **bounds(rng, out)}
        number = len(batch.outputs)
        batch.outputs.append(batch.builder.node("requantise", f"y{number}", [batch.input(sizes(rng), x)], out, **attrs))
    return batch


def pools(op: str, seed: int, count: int) -> Batch:
    """Windows of up to 16 by 16, every rest of channels; means with divisors of all kinds and all roundings."""
    batch = Batch(op, seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        size, kernel, geometry = windows.pool(rng)
        x = byte(rng, 4, narrow=True)
        operand = batch.input([*size, int(rng.choice(CHANNELS))], x)
        if op == "average_pool":
            out = byte(rng, 4 - int(rng.choice([-2, 0, 0, 1, 1, 2])), narrow=True)
            geometry |= {"include_pad": int(rng.integers(2)), "rounding": str(rng.choice(ROUNDINGS))}
            geometry |= bounds(rng, out)
        else:
            out = x
            geometry["dilation"] = (1,) * len(kernel)
        try:
            batch.outputs.append(batch.builder.node(op, f"y{len(batch.outputs)}", [operand], out, **geometry))
        except EdgeqError:
            batch.outputs.append(operand)
    return batch


def mean(seed: int, count: int) -> Batch:
    """Leading axes, up to 256 terms, every rest of outputs, divisors of all kinds."""
    batch = Batch("means", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        rows, columns = (int(n) for n in (rng.integers(1, 6, size=2) if rng.integers(6) else (16, 16)))
        x = byte(rng, 4, narrow=True)
        out = byte(rng, 4 - int(rng.choice([-2, 0, 0, 1, 1, 2])), narrow=True)
        axes = ((0, 1), (0,))[int(rng.integers(2))]
        operand = batch.input((rows, columns, int(rng.choice(CHANNELS))), x)
        attrs = {"axes": axes, "keep_axes": int(rng.integers(2)), "rounding": str(rng.choice(ROUNDINGS))}
        number = len(batch.outputs)
        batch.outputs.append(batch.builder.node("mean", f"y{number}", [operand], out, **attrs, **bounds(rng, out)))
    return batch


BATCHES: dict[str, Callable[[int, int], Batch]] = {
    "conv": conv,
    "first": first,
    "depthwise": depthwise,
    "linear": linear,
    "add": partial(sums, "add"),
    "sub": partial(sums, "sub"),
    "requantise": requantise,
    "average_pool": partial(pools, "average_pool"),
    "max_pool": partial(pools, "max_pool"),
    "mean": mean,
}


def single(batch: Batch) -> list[tuple[Graph, dict[str, np.ndarray]]]:
    """The same nodes, each as a network of its own."""
    whole = batch.graph()
    found = []
    for node in whole.nodes:
        builder = GraphBuilder(node.name)
        data = {}
        for name in dict.fromkeys(node.inputs):
            value = whole.values[name]
            if value.data is None:
                builder.input(name, value.shape, value.format)
                data[name] = batch.inputs[name]
            else:
                builder.constant(name, value.data, value.format)
        out = whole.outs(node)[0]
        try:
            graph = builder.build([builder.node(node.op, node.name, list(node.inputs), out.format, **node.attrs)])
        except EdgeqError as error:  # pragma: no cover - it was legal in the batch
            raise AssertionError(node) from error
        found.append((graph, data))
    return found
