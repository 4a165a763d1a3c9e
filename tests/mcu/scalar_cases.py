"""Scaled networks of many unrelated nodes for cores that make one product at a time: zero points, multipliers and sums
at their ends, every padding and rest of channels.

One network holds a whole batch of cases, each node with inputs of its own, so that one build tests them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeq.formats import Affine
from edgeq.ir import Graph, GraphBuilder
from tests.mcu import dsp_cases
from tests.mcu.kernel_cases import codes

Rng = np.random.Generator
#: sizes that leave every rest by eight, and some that leave none
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 19)
#: sums before a multiplier stay below this, or the portable kernel runs
MOST_SUM = 1 << 29


class Scaled:
    """Collects nodes with multipliers."""

    def __init__(self, name: str, seed: int) -> None:
        self.builder, self.rng = GraphBuilder(name), np.random.default_rng(seed)
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: list[str] = []
        self.samples = 3

    def format(self) -> Affine:
        """A byte whose zero point is often at an end."""
        signed = bool(self.rng.integers(4))
        lo, hi = Affine(8, signed).code_range
        zero = int(self.rng.choice([lo, hi, 0 if signed else 128, int(self.rng.integers(lo, hi + 1))]))
        return Affine(8, signed, zero, 0.5)

    def matrix(self, op: str, shape: Sequence[int], weight: Sequence[int], **attrs: Any) -> None:
        """A node with weights of shape `weight`; its sums often end just within the bits that there are."""
        rng, builder, number, channels = self.rng, self.builder, len(self.outputs), weight[0]
        x, y = self.format(), self.format()
        name = f"x{number}"
        self.inputs[name] = codes(x, (self.samples, *shape), rng)
        kind = int(rng.integers(4))
        any_code = rng.integers(-128, 128, weight)
        ends = rng.choice(np.array([-128, 127]), size=weight)
        data = (any_code, ends, np.full(weight, -128), np.full(weight, 127))[kind]
        operands = [builder.input(name, tuple(shape), x), builder.constant(f"w{number}", data, Affine(8, True, 0, 0.5))]
        reach = 255 * int(np.abs(data.reshape(channels, -1)).sum(axis=1).max())
        edge = rng.integers(3) == 0
        if edge or rng.integers(3):
            most = MOST_SUM - 1 - reach if edge else 40000
            bias = rng.choice(np.array([-most, most, 0]), channels) if edge else rng.integers(-most, most, channels)
            operands.append(builder.constant(f"b{number}", bias, Affine(32, True, 0, 0.25)))
            reach += most
        count = channels if rng.integers(2) else 1
        ends_of = (1, 1 << 30, (1 << 31) - 1, 3 << 29, 0x10000, 0xFFFF)
        multiplier = [int(rng.choice(ends_of)) if rng.integers(3) == 0 else 0 for _ in range(count)]
        multiplier = [m or int(rng.integers(1 << 30, 1 << 31)) for m in multiplier]
        shift = [max(32, min(62, (m * reach).bit_length() - 8 + int(rng.integers(-3, 2)))) for m in multiplier]
        attrs |= {"multiplier": tuple(multiplier), "shift": tuple(shift), "rounding": "tflite"}
        lo, hi = y.grid_range
        if rng.integers(2):
            attrs["lo"] = max(0, lo)
        if rng.integers(3) == 0:
            attrs["hi"] = min(max(5, attrs.get("lo", lo)), hi)
        self.outputs.append(builder.node(op, f"y{number}", operands, y, **attrs))

    def pair(self, op: str) -> None:
        """add or sub of two operands of one size, of rows and one row, or of a value and a constant."""
        rng, builder, number = self.rng, self.builder, len(self.outputs)
        shape = tuple(int(n) for n in rng.integers(1, 6, size=int(rng.integers(1, 4))))
        y, names = Affine(8, bool(rng.integers(4)), int(rng.integers(-5, 5)) & 0x7F, 0.5), []
        shapes = [shape, shape if rng.integers(3) else shape[-1:]]
        for i, size in enumerate(shapes if rng.integers(2) else shapes[::-1]):
            x, data = self.format(), f"x{number}_{i}"
            if size != shape and rng.integers(2):
                names.append(builder.constant(data, codes(x, size, rng), x))
            else:
                self.inputs[data] = codes(x, (self.samples, *size), rng)
                names.append(builder.input(data, size, x))
        m = [int(v) for v in rng.integers(1 << 30, 1 << 31, 3)]
        # As TensorFlow Lite does: both to half of the finer scale times 2^-20, then to the output.
        own = {"left": 20, "a_multiplier": m[0], "a_shift": int(rng.integers(31, 35)), "b_multiplier": m[1]}
        scale = {"multiplier": (m[2],), "shift": (int(rng.integers(49, 53)),), "rounding": "tflite"}
        bounds = {"lo": 0} if rng.integers(3) == 0 else {}
        attrs: dict[str, Any] = {**own, "b_shift": 31, **scale, **bounds}
        self.outputs.append(builder.node(op, f"y{number}", names, y, **attrs))

    def graph(self) -> Graph:
        return self.builder.build(self.outputs)


def _window(rng: Rng) -> tuple[list[int], list[int], dict[str, Any]] | None:
    """Sizes of x, a kernel of 1 to 5, and its geometry; None where the kernel does not fit."""
    flat = rng.integers(4) == 0
    kernel = [int(k) for k in rng.choice([1, 1, 2, 3, 3, 5], size=1 if flat else 2)]
    size = [int(rng.integers(1, 12)) for _ in kernel]
    if not flat and rng.integers(4) == 0:
        size[1], kernel[1] = 1, 1
    pad = [int(p) for k in kernel for p in rng.integers(0, k, size=2)]
    if any(n + pad[2 * i] + pad[2 * i + 1] < k for i, (n, k) in enumerate(zip(size, kernel, strict=True))):
        return None
    stride = tuple(int(s) for s in rng.integers(1, 3, size=len(kernel)))
    return size, kernel, {"stride": stride, "padding": tuple(pad), "dilation": (1,) * len(kernel)}


def conv(seed: int, count: int) -> Scaled:
    batch = Scaled("convs", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters, found = int(rng.choice(CHANNELS)), int(rng.choice(CHANNELS)), _window(rng)
        if found is not None:
            size, kernel, geometry = found
            batch.matrix("conv", [*size, channels], [filters, *kernel, channels], groups=1, **geometry)
    return batch


def depthwise(seed: int, count: int) -> Scaled:
    batch = Scaled("depthwise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, found = int(rng.choice(CHANNELS)), _window(rng)
        if found is not None and channels > 1:
            size, kernel, geometry = found
            batch.matrix("conv", [*size, channels], [channels, *kernel, 1], groups=channels, **geometry)
    return batch


def linear(seed: int, count: int) -> Scaled:
    batch = Scaled("linears", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        inputs, outputs = int(rng.choice((*CHANNELS, 33, 70, 1100))), int(rng.choice(CHANNELS))
        shape = ((inputs,), (1, inputs), (int(rng.integers(2, 6)), inputs))[int(rng.integers(3))]
        batch.matrix("linear", shape, [outputs, inputs])
    return batch


def sums(seed: int, count: int) -> Scaled:
    batch = Scaled("sums", seed)
    while len(batch.outputs) < count:
        batch.pair(("add", "sub")[int(batch.rng.integers(2))])
    return batch


#: networks with multipliers, and networks of fixed point
BATCHES: dict[str, Callable[[int, int], Scaled | dsp_cases.Batch]] = {
    "conv": conv,
    "depthwise": depthwise,
    "linear": linear,
    "sums": sums,
    "fixed conv": dsp_cases.conv,
    "fixed depthwise": dsp_cases.depthwise,
    "fixed linear": dsp_cases.linear,
}
