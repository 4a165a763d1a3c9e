"""Networks of many unrelated nodes that the kernels for Cortex-M with DSP can run: every size, format and extreme.

One network holds a whole batch of cases, each node with inputs of its own, so that one build tests them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from tests.mcu.kernel_cases import codes

Rng = np.random.Generator
#: sizes that leave every rest by four, and some that leave none
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17)


def byte(rng: Rng, point: int, *, narrow: bool = False) -> FixedPoint:
    """A format of 8 bits (sometimes fewer if `narrow`), signed or not."""
    width = int(rng.integers(2, 8)) if narrow and rng.integers(3) == 0 else 8
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
        flat = rng.integers(4) == 0
        kernel = [int(k) for k in rng.choice([1, 2, 3, 5], size=1 if flat else 2)]
        size = [int(rng.integers(1, 8)) for _ in kernel]
        pad = [int(p) for k in kernel for p in rng.integers(0, k, size=2)]
        if any(n + pad[2 * i] + pad[2 * i + 1] < k for i, (n, k) in enumerate(zip(size, kernel, strict=True))):
            continue
        stride = tuple(int(s) for s in rng.integers(1, 3, size=len(kernel)))
        geometry = {"stride": stride, "padding": tuple(pad), "dilation": (1,) * len(kernel), "groups": 1}
        batch.matrix("conv", [*size, channels], [filters, *kernel, channels], byte(rng, 4, narrow=True), **geometry)
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


BATCHES: dict[str, Callable[[int, int], Batch]] = {"conv": conv, "linear": linear}


def single(batch: Batch) -> list[tuple[Graph, dict[str, np.ndarray]]]:
    """The same nodes, each as a network of its own."""
    whole = batch.graph()
    found = []
    for node in whole.nodes:
        builder = GraphBuilder(node.name)
        operands, data = [], {}
        for name in node.inputs:
            value = whole.values[name]
            if value.data is None:
                operands.append(builder.input(name, value.shape, value.format))
                data[name] = batch.inputs[name]
            else:
                operands.append(builder.constant(name, value.data, value.format))
        out = whole.outs(node)[0]
        try:
            graph = builder.build([builder.node(node.op, node.name, operands, out.format, **node.attrs)])
        except EdgeqError as error:  # pragma: no cover - it was legal in the batch
            raise AssertionError(node) from error
        found.append((graph, data))
    return found
