"""Networks of many unrelated nodes with scales that the kernels for Helium can run: every size and extreme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeq.formats import CODE_RULE, Affine, FixedPoint
from edgeq.ir import Graph, GraphBuilder
from tests.mcu import windows
from tests.mcu.kernel_cases import codes

Rng = np.random.Generator
#: sizes that leave every rest by four and by sixteen, and some that leave none
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17, 31, 33)
MULTIPLIERS = ((1 << 31) - 1, 1 << 30, 3 << 29, (1 << 30) + 1)


def byte(rng: Rng, sign: bool | None = None, scale: float = 0.5) -> Affine:
    """A format of 8 bits, sometimes of fewer, whose zero point is often at an end."""
    width = int(rng.integers(5, 8)) if rng.integers(6) == 0 else 8
    sign = bool(rng.integers(2)) if sign is None else sign
    lo, hi = Affine(width, sign).code_range
    return Affine(width, sign, int(rng.choice([lo, hi, int(rng.integers(lo, hi + 1))])), scale)


def stage(rng: Rng, out: Affine, typical: float, channels: int) -> dict[str, Any]:
    """Multipliers that bring sums of `typical` to about the output's range, rounding, bounds."""
    count = channels if rng.integers(3) else 1
    multiplier = [int(rng.choice([*MULTIPLIERS, int(rng.integers(1 << 30, 1 << 31))])) for _ in range(count)]
    rest = int(np.log2(max(typical, 1))) - 6
    rests = [max(rest + int(rng.integers(-2, 4)), 1) for _ in range(count)]
    kind = int(rng.integers(12))
    if kind == 0:
        rests = [0] * count
    elif kind == 1:
        # Far to the right; the multiplier's product still has to stay below 2^62.
        rests = [29] * count
    attrs: dict[str, Any] = {"multiplier": tuple(multiplier), "shift": tuple(31 + r for r in rests)}
    attrs["rounding"] = "tflite" if min(rests) == 0 or rng.integers(4) else "half_up"
    lo, hi = out.grid_range
    low = max(lo, min(0, hi))
    cut, over = int(rng.integers(low, hi + 1)), min(max(lo, 2), hi)
    limits = ({}, {}, {"lo": low}, {"lo": low, "hi": cut}, {"hi": cut}, {"lo": over})
    return attrs | limits[int(rng.integers(len(limits)))]


def weights(rng: Rng, shape: Sequence[int]) -> np.ndarray:
    """Any codes, all extremes, or all -128."""
    kind = int(rng.integers(6))
    if kind == 0:
        return rng.choice(np.array([-128, 127]), size=shape).astype(np.int64)
    if kind == 1:
        return np.full(shape, -128, dtype=np.int64)
    return rng.integers(-128, 128, size=shape)


class Batch:
    """Collects nodes, each with inputs of its own."""

    def __init__(self, name: str, seed: int) -> None:
        self.builder, self.rng = GraphBuilder(name), np.random.default_rng([seed, *name.encode()])
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: list[str] = []
        self.samples = 3

    def input(self, shape: Sequence[int], fmt: Affine | FixedPoint) -> str:
        """An input with codes of which many are extremes."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = codes(fmt, (self.samples, *shape), self.rng)
        return self.builder.input(name, tuple(shape), fmt)

    def node(self, op: str, names: Sequence[str], out: Affine | FixedPoint, **attrs: Any) -> None:
        self.outputs.append(self.builder.node(op, f"y{len(self.outputs)}", list(names), out, **attrs))

    def matrix(
        self, op: str, shape: Sequence[int], weight: Sequence[int], sign: bool | None = None, **attrs: Any
    ) -> None:
        """A node with weights; one in eight has sums that reach the ends of 32 bits."""
        rng, number = self.rng, len(self.outputs)
        x, y, channels = byte(rng, sign), byte(rng), weight[0]
        data = weights(rng, weight)
        names = [self.input(shape, x), self.builder.constant(f"w{number}", data, Affine(8, True, 0, 0.25))]
        terms = int(np.prod(weight[1:]))
        attrs |= stage(rng, y, 74.0 * 100 * terms**0.5, channels)
        if rng.integers(8) == 0:
            grid = data.reshape(channels, -1)
            lo, hi = x.grid_range
            top = hi * np.maximum(grid, 0).sum(axis=1) + lo * np.minimum(grid, 0).sum(axis=1)
            low = lo * np.maximum(grid, 0).sum(axis=1) + hi * np.minimum(grid, 0).sum(axis=1)
            up = rng.integers(2, size=channels)
            bias = np.where(up, (1 << 31) - 1 - np.maximum(top, 0), -(1 << 31) - np.minimum(low, 0))
            attrs |= {"multiplier": (1 << 30,), "shift": (31 + 23 - int(rng.integers(0, 2)),)}
            names.append(self.builder.constant(f"b{number}", bias, Affine(32, True, 0, 0.125)))
        elif rng.integers(3):
            bias = rng.integers(-(1 << 14), 1 << 14, channels)
            names.append(self.builder.constant(f"b{number}", bias, Affine(32, True, 0, 0.125)))
        self.node(op, names, y, **attrs)

    def graph(self) -> Graph:
        return self.builder.build(self.outputs)


def _window(rng: Rng, most: int, slots: bool) -> tuple[list[int], dict[str, Any]] | None:
    """Sizes of x and attributes of a convolution, and its kernel; None where the window does not fit."""
    flat = rng.integers(4) == 0
    kernel = [int(k) for k in rng.choice([1, 2, 3, 3, most], size=1 if flat else 2)]
    dilation = [int(rng.choice([1, 1, 1, 2])) if not flat and (i == 0 or slots) else 1 for i in range(len(kernel))]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [int(rng.integers(1, 9)) for _ in kernel]
    if flat and rng.integers(2):
        # One axis of one column: laid as one row.
        kernel, dilation, reach, size = [*kernel, 1], [*dilation, 1], [*reach, 1], [*size, 1]
    pad = [int(p) for k in reach for p in rng.integers(0, k + (rng.integers(6) == 0), size=2)]
    pad = pad if rng.integers(3) else [0] * len(pad)
    if any(n + pad[2 * i] + pad[2 * i + 1] < k for i, (n, k) in enumerate(zip(size, reach, strict=True))):
        return None
    stride = tuple(int(s) for s in rng.integers(1, 4, size=len(kernel)))
    return size, {"kernel": kernel, "stride": stride, "padding": tuple(pad), "dilation": tuple(dilation)}


def conv(seed: int, count: int) -> Batch:
    """Kernels of 1 to 5, strides 1 to 3, paddings up to the kernel, every rest of channels and pixels."""
    batch = Batch("conv", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters, found = int(rng.choice(CHANNELS[3:])), int(rng.choice(CHANNELS)), _window(rng, 5, False)
        if found is not None:
            kernel = found[1].pop("kernel")
            batch.matrix("conv", [*found[0], channels], [filters, *kernel, channels], groups=1, **found[1])
    return batch


def first(seed: int, count: int) -> Batch:
    """One to three channels: kernels of 1 to 10, strides 1 to 3, every rest of filters, pixels and rows."""
    batch = Batch("firsts", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters = int(rng.integers(1, 4)), int(rng.choice(CHANNELS))
        size, kernel, attrs = windows.first(rng)
        if len(kernel) > 1 and rng.integers(4) == 0 and kernel[0] < size[0] and kernel[0] * 2 <= size[0]:
            attrs["dilation"] = (2, 1)
        batch.matrix("conv", [*size, channels], [filters, *kernel, channels], groups=1, **attrs)
    return batch


def depthwise(seed: int, count: int) -> Batch:
    """Kernels with up to 16 taps, dilations, four channels and more."""
    batch = Batch("depthwise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, found = int(rng.choice([4, 5, 6, 7, 8, 13, 16, 17, 20, 33])), _window(rng, 4, True)
        if found is None:
            continue
        size, attrs = found
        kernel = attrs.pop("kernel")
        spread = [(k - 1) * d for k, d in zip(kernel, attrs["dilation"], strict=True)]
        if len(kernel) == 2 and spread[1] * (spread[0] + 1) + spread[0] >= 16:
            continue
        batch.matrix("conv", [*size, channels], [channels, *kernel, 1], groups=channels, **attrs)
    return batch


def linear(seed: int, count: int) -> Batch:
    """One row and several, every rest of inputs and outputs."""
    batch = Batch("linear", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        inputs, outputs = int(rng.choice((*CHANNELS, 48, 64, 80, 130))), int(rng.choice(CHANNELS))
        batch.matrix("linear", (1, inputs) if rng.integers(2) else (inputs,), [outputs, inputs])
    return batch


def pointwise(seed: int, count: int) -> Batch:
    """Signed windows of whole groups in one row, with strides; linear layers of several rows."""
    batch = Batch("pointwise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        channels, filters, width = int(rng.choice([8, 16, 32, 80])), int(rng.choice(CHANNELS)), int(rng.choice([1, 2]))
        if channels * width % 16:
            continue
        if rng.integers(4) == 0:
            batch.matrix("linear", (int(rng.integers(2, 5)), channels * width), [filters, channels * width], sign=True)
            continue
        size = [int(n) for n in rng.integers(2, 7, size=2)]
        attrs = {"stride": tuple(int(n) for n in rng.integers(1, 3, size=2)), "dilation": (1, 1), "padding": (0,) * 4}
        batch.matrix("conv", [*size, channels], [filters, 1, width, channels], groups=1, sign=True, **attrs)
    return batch


def _two(batch: Batch, op: str, attrs: Callable[[Affine], dict[str, Any]]) -> None:
    rng, number = batch.rng, len(batch.outputs)
    sign = bool(rng.integers(2))
    x, z, y = byte(rng, sign), byte(rng, sign), byte(rng, sign)
    shape = tuple(int(n) for n in rng.integers(1, 6, size=int(rng.integers(1, 4))))
    names = [batch.input(shape, x)]
    if rng.integers(5) == 0:
        constant = rng.integers(z.code_range[0], z.code_range[1] + 1, shape)
        names.insert(int(rng.integers(2)), batch.builder.constant(f"c{number}", constant, z))
    else:
        names.append(batch.input(shape, z))
    batch.node(op, names, y, **attrs(y))


def sums(op: str) -> Callable[[int, int], Batch]:
    """add, sub: scales from a sixteenth of the output's to four times it."""

    def make(seed: int, count: int) -> Batch:
        batch = Batch(op, seed)
        rng = batch.rng

        def attrs(y: Affine) -> dict[str, Any]:
            # As TensorFlow Lite makes them: the greater scale is a half, the other less; the sum is multiplied last.
            smaller = int(rng.integers(1 << 30, 1 << 31)), 31 + int(rng.integers(1, 5))
            pair = [(1 << 30, 31), smaller]
            first, second = pair if rng.integers(2) else pair[::-1]
            own = {"a_multiplier": first[0], "a_shift": first[1], "b_multiplier": second[0], "b_shift": second[1]}
            last = {"multiplier": (int(rng.integers(1 << 30, 1 << 31)),), "shift": (int(rng.integers(48, 52)),)}
            lo, hi = y.grid_range
            limit = ({}, {}, {"lo": max(lo, min(0, hi))}, {"hi": max(lo, hi // 2)})[int(rng.integers(4))]
            return {"left": 20, "rounding": str(rng.choice(["tflite", "tflite", "half_up"])), **own, **last, **limit}

        while len(batch.outputs) < count:
            _two(batch, op, attrs)
        return batch

    return make


def fixed(seed: int, count: int) -> Batch:
    """Sums and differences of fixed point on grids up to 2^7 apart."""
    batch = Batch("fixed", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        sign, points = bool(rng.integers(2)), (4, 4 + int(rng.choice([0, 0, 1, -2, 7])))
        formats = [FixedPoint(int(rng.choice([8, 8, 5])), p, sign) for p in points]
        finest = min(max(points) + 1, min(points) + 2)
        out = FixedPoint(int(rng.choice([8, 8, 6])), finest - int(rng.integers(0, 8)), sign)
        shape = tuple(int(n) for n in rng.integers(1, 6, size=int(rng.integers(1, 4))))
        lo, hi = out.code_range
        limit: dict[str, Any] = ({}, {"lo": max(lo, 0)}, {"hi": hi // 2})[int(rng.integers(3))]
        attrs = {"rounding": str(rng.choice(["half_up", "floor"])), **limit}
        batch.node(str(rng.choice(["add", "sub"])), [batch.input(shape, f) for f in formats], out, **attrs)
    return batch


def mul(seed: int, count: int) -> Batch:
    """Products with every rounding."""
    batch = Batch("mul", seed)
    while len(batch.outputs) < count:
        _two(batch, "mul", lambda y: stage(batch.rng, y, 5000.0, 1))
    return batch


def requantise(seed: int, count: int) -> Batch:
    """Every pair of signs, every rounding, multipliers above one too."""
    batch = Batch("requantise", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        x, y = byte(rng), byte(rng)
        attrs = stage(rng, y, 100.0, 1) | {"shift": (int(rng.integers(28, 35)),)}
        attrs["rounding"] = str(rng.choice(["tflite", "half_up", "half_even", "floor"]))
        shape = tuple(int(n) for n in rng.integers(1, 8, size=int(rng.integers(1, 4))))
        batch.node("requantise", [batch.input(shape, x)], y, **attrs)
    return batch


def average_pool(seed: int, count: int) -> Batch:
    """Windows of up to 16 by 16, whole rows too, eight channels and more."""
    batch = Batch("average_pool", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        x = byte(rng)
        y = x if rng.integers(2) else byte(rng, x.sign)
        kernel = [int(k) for k in (rng.integers(1, 5, size=2) if rng.integers(6) else (16, 16))]
        size = [k + int(rng.choice([0, 0, 1, 3])) for k in kernel]
        attrs = {
            "kernel": tuple(kernel),
            "stride": tuple(int(s) for s in rng.integers(1, 3, size=2)),
            "padding": tuple(int(rng.integers(0, k)) for k in kernel for _ in "be")
            if rng.integers(2)
            else (0, 0, 0, 0),
            "include_pad": int(rng.integers(2)),
            "rounding": str(rng.choice([CODE_RULE, CODE_RULE, "half_up"])),
        }
        batch.node("average_pool", [batch.input([*size, int(rng.choice([8, 9, 15, 16, 19]))], x)], y, **attrs)
    return batch


BATCHES: dict[str, Callable[[int, int], Batch]] = {
    "conv": conv,
    "depthwise": depthwise,
    "linear": linear,
    "pointwise": pointwise,
    "add": sums("add"),
    "sub": sums("sub"),
    "first": first,
    "fixed": fixed,
    "mul": mul,
    "requantise": requantise,
    "average_pool": average_pool,
}
