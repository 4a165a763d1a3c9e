"""Networks of many unrelated nodes with scales that are no power of two, for the kernels of Cortex-M with DSP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from edgeq.formats import CODE_RULE, Affine, Format
from tests.mcu import windows
from tests.mcu.dsp_cases import CHANNELS, Batch, Rng, sizes
from tests.mcu.kernel_cases import codes

ONE = 1 << 31
#: ends of sums: what two channels of one SMLAD hold, and what a register holds
EDGES = ((1 << 23) - 1, 1 << 23, ONE - (1 << 12))


def affine(rng: Rng, *, narrow: bool = False, signed: bool | None = None) -> Affine:
    """Eight bits (sometimes fewer if `narrow`), the zero point at either end, in the middle or anywhere."""
    width = int(rng.integers(5, 8)) if narrow and rng.integers(6) == 0 else 8
    sign = bool(rng.integers(4)) if signed is None else signed
    lo, hi = Affine(width, sign).code_range
    zero = int(rng.choice([lo, hi, (lo + hi + 1) // 2, int(rng.integers(lo, hi + 1))]))
    return Affine(width, sign, zero, float(rng.choice([0.25, 0.0371])))


def multipliers(rng: Rng, count: int, reach: float, *, zeros: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Multipliers at both ends and between, and shifts that bring sums of `reach` to a few codes or far beyond."""
    m = rng.choice([1 << 30, ONE - 1, int(rng.integers(1 << 30, ONE)), int(rng.integers(1 << 30, ONE))], size=count)
    if zeros:
        m[rng.integers(count)] = 0
    e = np.round(np.log2(max(reach, 1)) - rng.uniform(3, 9) + rng.uniform(-1, 1, count)).clip(0, 31)
    if rng.integers(12) == 0:
        e[:] = rng.choice([0, 1, 31])
    if reach > 1 << 28:
        # Products stay below 2^62.
        m, e = np.minimum(m, 3 << 29), np.minimum(e, 27)
    return tuple(int(v) for v in m), tuple(31 + int(v) for v in e)


def rule(rng: Rng) -> str:
    """Mostly that of TensorFlow Lite."""
    return str(rng.choice(["tflite", "tflite", "tflite", "tflite", "half_up", "half_even", "floor"]))


def clip(rng: Rng, out: Affine, *, relu: bool = True) -> dict[str, int]:
    """Bounds as a ReLU, a ReLU6, any that hold a number, or none."""
    lo, hi = out.grid_range
    a, b = sorted(int(v) for v in rng.integers(lo, hi + 1, size=2))
    clipped = [{"lo": 0}, {"lo": 0}, {"lo": 0, "hi": int(rng.integers(0, hi + 1))}] if relu and hi >= 0 >= lo else []
    choices: list[dict[str, int]] = [{}, {}, {"lo": a, "hi": b}, *clipped]
    return choices[int(rng.integers(len(choices)))]


class ScaledBatch(Batch):
    """Collects nodes with multipliers."""

    def matrix(
        self, op: str, shape: Sequence[int], weight: Sequence[int], x: Format, bits: int = 8, **attrs: Any
    ) -> None:
        rng, builder, number = self.rng, self.builder, len(self.outputs)
        channels = weight[0]
        kind = int(rng.integers(8))
        span = (-128, 127) if kind == 0 else (-127, 127)
        data = rng.integers(*span, weight, endpoint=True)
        if kind == 1:
            data = rng.choice(np.array([-127, 127]), size=weight)
        if kind == 2:
            data = np.full(weight, -128)
        fmt = Affine(8, True, 0, 0.01)
        if kind == 3:
            # Codes around a zero point: without it they are again bytes.
            fmt = Affine(8, False, 128, 0.01)
            data = data + 128
        operands = [self.input(shape, x), builder.constant(f"w{number}", data, fmt)]
        grid = fmt.to_grid(data).reshape(channels, -1)
        least, most = x.grid_range
        high = np.where(grid > 0, grid * most, grid * least).sum(axis=1)
        low = np.where(grid > 0, grid * least, grid * most).sum(axis=1)
        bias = rng.integers(-(1 << 14), 1 << 14, (channels,))
        if rng.integers(4) == 0:
            edge = EDGES[int(rng.integers(len(EDGES)))]
            up = bool(rng.integers(2))
            bias = np.minimum(edge - high, edge) if up else np.maximum(-edge - low, -edge)
            high, low = np.maximum(high + bias, bias), np.minimum(low + bias, bias)
        if rng.integers(6):
            operands.append(builder.constant(f"b{number}", bias, Affine(32, True, 0, 0.01)))
        terms = prod(weight[1:])
        typical = max(float(np.abs(bias).max()), 64 * 64 * terms**0.5)
        m, s = multipliers(rng, channels if rng.integers(3) else 1, typical, zeros=rng.integers(12) == 0)
        out = affine(rng, narrow=True)
        attrs |= {"rounding": rule(rng), "multiplier": m, "shift": s, **clip(rng, out)}
        self.outputs.append(builder.node(op, f"y{number}", operands, out, **attrs))

    def affine_input(self, shape: Sequence[int], fmt: Affine) -> str:
        """An input of its own with codes of which many are extremes."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = codes(fmt, (self.samples, *shape), self.rng)
        return self.builder.input(name, tuple(shape), fmt)


def conv(seed: int, count: int) -> ScaledBatch:
    """Kernels of 1 to 10, strides 1 and 2, paddings up to the kernel, every rest of channels and pixels."""
    batch = ScaledBatch("convs", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters = int(rng.choice(CHANNELS)), int(rng.choice(CHANNELS))
        size, kernel, geometry = windows.convolution(rng, [1, 1, 2, 3, 4, 10], 9)
        shapes = [*size, channels], [filters, *kernel, channels]
        batch.matrix("conv", *shapes, affine(rng, narrow=True), groups=1, **geometry)
    return batch


def first(seed: int, count: int) -> ScaledBatch:
    """One to three channels: kernels of 1 to 10, strides 1 to 3, every rest of filters, pixels and rows."""
    batch = ScaledBatch("firsts", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters = int(rng.integers(1, 4)), int(rng.choice(CHANNELS))
        size, kernel, geometry = windows.first(rng)
        shapes = [*size, channels], [filters, *kernel, channels]
        batch.matrix("conv", *shapes, affine(rng, narrow=True), groups=1, **geometry)
    return batch


def depthwise(seed: int, count: int) -> ScaledBatch:
    """Kernels of 1 to 5, dilations, four channels and more."""
    batch = ScaledBatch("depthwise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels = int(rng.choice([4, 5, 6, 7, 8, 16, 17]))
        size, kernel, geometry = windows.convolution(rng, [1, 2, 3, 3, 5], 7, [1, 1, 2])
        shapes = [*size, channels], [channels, *kernel, 1]
        batch.matrix("conv", *shapes, affine(rng, narrow=True), groups=channels, **geometry)
    return batch


def linear(seed: int, count: int) -> ScaledBatch:
    """One row and several, every rest of inputs and outputs."""
    batch = ScaledBatch("linears", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        inputs, outputs = int(rng.choice((*CHANNELS, 33, 70))), int(rng.choice(CHANNELS))
        shape = ((inputs,), (1, inputs), (int(rng.integers(2, 6)), inputs))[int(rng.integers(3))]
        batch.matrix("linear", shape, [outputs, inputs], affine(rng, narrow=True))
    return batch


def _operands(batch: ScaledBatch, shape: tuple[int, ...]) -> list[str]:
    """Two operands: of one size, one that repeats for each row, a constant, or one value twice."""
    rng, builder = batch.rng, batch.builder
    formats = [affine(rng, narrow=True), affine(rng, narrow=True)]
    kind = int(rng.integers(6))
    first = batch.affine_input(shape, formats[0])
    if kind == 0:
        return [first, first]
    if kind == 1:
        name = f"c{len(batch.outputs)}"
        found = [first, builder.constant(name, codes(formats[1], shape, rng), formats[1])]
    elif kind == 2:
        found = [first, batch.affine_input(shape[-1:], formats[1])]
    else:
        found = [first, batch.affine_input(shape, formats[1])]
    return found if kind == 1 or rng.integers(2) else found[::-1]


def sums(op: str, seed: int, count: int) -> ScaledBatch:
    """add, sub: operands with multipliers of their own, as TensorFlow Lite has them."""
    batch = ScaledBatch(op, seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        operands = _operands(batch, sizes(rng))
        out = affine(rng, narrow=True)
        own = [int(m) for m in rng.integers(1 << 30, ONE, size=2)]
        shifts = [int(s) for s in rng.integers(31, 36, size=2)]
        scale, shift = int(rng.integers(1 << 30, ONE)), int(rng.integers(48, 52))
        if rng.integers(3) == 0:
            # Halves and quarters: ties are everywhere, and no line through both follows their rounding.
            own, shifts, scale, shift = [1 << 30] * 2, [31, 31], 1 << 30, int(rng.integers(50, 52))
        attrs: dict[str, Any] = {
            "left": 20,
            "a_multiplier": own[0],
            "a_shift": shifts[0],
            "b_multiplier": own[1],
            "b_shift": shifts[1],
            "multiplier": (scale,),
            "shift": (shift,),
            "rounding": "tflite",
            **clip(rng, out),
        }
        batch.outputs.append(batch.builder.node(op, f"y{len(batch.outputs)}", operands, out, **attrs))
    return batch


def products(seed: int, count: int) -> ScaledBatch:
    """mul: products of up to 17 bits."""
    batch = ScaledBatch("products", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        operands = _operands(batch, sizes(rng))
        out = affine(rng, narrow=True)
        m, s = multipliers(rng, 1, 1 << 13, zeros=False)
        attrs = {"rounding": rule(rng), "multiplier": m, "shift": s, **clip(rng, out)}
        batch.outputs.append(batch.builder.node("mul", f"y{len(batch.outputs)}", operands, out, **attrs))
    return batch


def requantise(seed: int, count: int) -> ScaledBatch:
    """Every rule, scales that grow and shrink, clips."""
    batch = ScaledBatch("conversions", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        operand, out = batch.affine_input(sizes(rng), affine(rng, narrow=True)), affine(rng, narrow=True)
        attrs = {
            "rounding": rule(rng),
            "multiplier": (int(rng.integers(1, ONE)),),
            "shift": (int(rng.integers(28, 36)),),
        }
        number = len(batch.outputs)
        batch.outputs.append(batch.builder.node("requantise", f"y{number}", [operand], out, **attrs, **clip(rng, out)))
    return batch


def pools(op: str, seed: int, count: int) -> ScaledBatch:
    """Windows of up to 16 by 16, every rest of channels."""
    batch = ScaledBatch(op, seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        size, kernel, geometry = windows.pool(rng)
        x = affine(rng, narrow=True)
        operand = batch.affine_input([*size, int(rng.choice(CHANNELS))], x)
        if op == "average_pool":
            away = str(rng.choice([CODE_RULE, CODE_RULE, "half_up"]))
            geometry |= {"include_pad": int(rng.integers(2)), "rounding": away, **clip(rng, x)}
        else:
            geometry["dilation"] = (1,) * len(kernel)
        batch.outputs.append(batch.builder.node(op, f"y{len(batch.outputs)}", [operand], x, **geometry))
    return batch


BATCHES: dict[str, Callable[[int, int], ScaledBatch]] = {
    "conv": conv,
    "first": first,
    "depthwise": depthwise,
    "linear": linear,
    "add": partial(sums, "add"),
    "sub": partial(sums, "sub"),
    "mul": products,
    "requantise": requantise,
    "average_pool": partial(pools, "average_pool"),
    "max_pool": partial(pools, "max_pool"),
}
