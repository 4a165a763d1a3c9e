"""Graphs of one operator that aim at what kernels get wrong: formats, roundings, bounds, borders, wide sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import NAMED, RULES, FixedPoint, Format, Minifloat
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify.random_formats import all_codes

Rng = np.random.Generator
Case = tuple[Graph, dict[str, np.ndarray]]

ROUNDINGS = ("half_up", "half_even", "floor")
#: activations: 8 and 16 bits signed and not, narrow, wide, and minifloats
ACTIVATIONS: tuple[Format, ...] = (
    FixedPoint(8, 4),
    FixedPoint(8, 7, False),
    FixedPoint(16, 9),
    FixedPoint(4, 2),
    NAMED["e2m1"],
    FixedPoint(16, 3, False),
    NAMED["e4m3"],
    FixedPoint(1, 0),
    FixedPoint(32, 12),
    NAMED["e3m2"],
    FixedPoint(32, 20, False),
    Minifloat(4, 2, specials="fnuz"),
    NAMED["e5m2"],
)
BIT = FixedPoint(1, 0, False)
#: weights: every packed width, eight and sixteen bits, minifloats packed and not
WEIGHTS: tuple[Format, ...] = (
    *(FixedPoint(bits, bits - 1) for bits in (8, 7, 6, 5, 4, 3, 2, 1, 16)),
    *(FixedPoint(bits, bits, False) for bits in (1, 2, 3, 4, 5, 6, 7, 8)),
    NAMED["e2m1"],
    NAMED["e2m3"],
    NAMED["e4m3"],
    Minifloat(1, 1),
)


def codes(fmt: Format, shape: Sequence[int], rng: Rng) -> np.ndarray:
    """Codes of which a third are extremes and a third small, so that sums saturate, tie and cancel."""
    if fmt.bits <= 16:
        every = all_codes(fmt)
        noise = rng.choice(every, size=shape)
    else:
        noise = rng.integers(fmt.code_range[0], fmt.code_range[1] + 1, size=shape)
    extreme = fmt.from_grid(rng.choice(np.array(fmt.grid_range, dtype=np.int64), size=shape))
    lo, hi = max(fmt.grid_range[0], -1), min(fmt.grid_range[1], 1)
    small = fmt.from_grid(rng.integers(lo, hi + 1, size=shape).astype(np.int64))
    return np.choose(rng.integers(0, 3, size=shape), [noise, extreme, small]).astype(np.int64)


def spread(fmt: Format, channels: int, rng: Rng, each: bool) -> Format:
    """`fmt`, or the same with a binary point of its own for each channel."""
    if not each:
        return fmt
    steps = tuple(int(s) for s in rng.integers(-3, 4, size=channels))
    if isinstance(fmt, FixedPoint):
        return FixedPoint(fmt.width, tuple(int(fmt.point) + s for s in steps), fmt.sign, 0)  # type: ignore[arg-type]
    assert isinstance(fmt, Minifloat)
    return Minifloat(fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, steps, 0)


def output(fmt: Format, frac: int, up: int) -> Format:
    """`fmt` with its grid `up` bits coarser than one of `frac` (finer where negative)."""
    return fmt.per_tensor(frac - up)


def bounds(fmt: Format, which: int) -> dict[str, int]:
    """Output bounds: none, a ReLU, or a clip on both sides (values of the format)."""
    lo, hi = fmt.grid_range
    top = int(fmt.round_scalar(Fraction(hi, 2), "floor"))
    return ({}, {"lo": max(0, lo)}, {"lo": max(lo, -1), "hi": top})[which % 3]


class Bench:
    """Collects cases of one operator; a combination whose sums leave 64 bits is no case."""

    def __init__(self, op: str, samples: int = 3) -> None:
        self.op, self.samples, self.refused = op, samples, 0
        self.cases: list[Case] = []

    def add(
        self,
        rng: Rng,
        inputs: Sequence[tuple[Sequence[int], Format]],
        out: Format,
        constants: Sequence[tuple[np.ndarray, Format]] = (),
        order: Sequence[int] | None = None,
        **attrs: Any,
    ) -> None:
        """inputs: shape and format of each; constants: codes and format; order: of all of them as operands."""
        builder = GraphBuilder(self.op)
        names = [builder.input(f"x{i}", shape, fmt) for i, (shape, fmt) in enumerate(inputs)]
        names += [builder.constant(f"c{i}", data, fmt) for i, (data, fmt) in enumerate(constants)]
        operands = names if order is None else [names[i] for i in order]
        try:
            graph = builder.build([builder.node(self.op, "layer", operands, out, **attrs)])
        except EdgeqError:
            self.refused += 1
            return
        data = {f"x{i}": codes(f, (self.samples, *s), rng) for i, (s, f) in enumerate(inputs)}
        self.cases.append((graph, data))


def _matrix_formats(count: int) -> Iterator[tuple[int, Format, Format, Format, Mapping[str, Any]]]:
    """Index, formats of x and weight, output format and attributes, every list walked at its own pace."""
    for i in range(count):
        x, w = ACTIVATIONS[i % len(ACTIVATIONS)], WEIGHTS[i % len(WEIGHTS)]
        frac = int(x.frac) + int(w.frac)  # type: ignore[arg-type]
        up = (5, 3, 8, 0, 1, -2, 6, 12)[i % 8]
        out = output(ACTIVATIONS[(3 * i + 1) % len(ACTIVATIONS)], frac, up)
        yield i, x, w, out, {"rounding": ROUNDINGS[i // 2 % 3], **bounds(out, i)}


def _weights(rng: Rng, i: int, shape: Sequence[int], x: Format, w: Format) -> list[tuple[np.ndarray, Format]]:
    """Weight, and in two of three cases a bias; every second case per channel."""
    weight = spread(w, shape[0], rng, i % 2 == 1)
    found = [(codes(weight.per_tensor(0), shape, rng), weight)]
    if i % 3:
        fracs = weight.frac if isinstance(weight.frac, tuple) else (weight.frac,)
        bias = FixedPoint(16, int(x.frac) + min(fracs) - 1)  # type: ignore[arg-type]
        found.append((codes(bias, shape[:1], rng), bias))
    return found


def linear() -> Bench:
    bench, rng = Bench("linear"), np.random.default_rng(1)
    for i, x, w, out, attrs in _matrix_formats(60):
        outputs, inputs = (1, 3, 4, 5, 9)[i % 5], (1, 2, 7, 8, 16, 33, 6)[i % 7]
        shape = ((inputs,), (3, inputs))[i % 2]
        bench.add(rng, [(shape, x)], out, _weights(rng, i, (outputs, inputs), x, w), **attrs)
    return bench


def conv() -> Bench:
    bench, rng = Bench("conv"), np.random.default_rng(2)
    #: channels, filters, groups: dense, grouped, depthwise, depthwise with a multiplier
    widths = ((3, 5, 1), (4, 8, 2), (5, 5, 5), (2, 6, 2), (8, 4, 1), (1, 1, 1), (6, 9, 3), (4, 4, 4))
    planes = (
        ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ((1, 2), (2, 1), (1, 1), (0, 2, 3, 0)),
        ((2, 3), (1, 2), (2, 2), (2, 2, 4, 4)),
        ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    )
    for i, x, w, out, attrs in _matrix_formats(72):
        channels, filters, groups = widths[i % len(widths)]
        if i % 3 == 0:
            size: tuple[int, ...] = (9,)
            kernel, stride, dilation, pad = ((3,), (1,), (1,), (1, 1)) if i % 2 else ((4,), (2,), (2,), (0, 5))
        else:
            size = ((5, 6), (4, 3), (1, 7))[i % 3]
            kernel, stride, dilation, pad = planes[i % 4]
        shape = (filters, *kernel, channels // groups)
        geometry = {"stride": stride, "padding": pad, "dilation": dilation, "groups": groups}
        bench.add(rng, [((*size, channels), x)], out, _weights(rng, i, shape, x, w), **geometry, **attrs)
    return bench


def conv_transpose() -> Bench:
    bench, rng = Bench("conv_transpose"), np.random.default_rng(3)
    widths = ((3, 5, 1), (4, 8, 2), (4, 4, 4), (1, 2, 1))
    plane = (
        ((3, 4), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), (1, 1)),
        ((2, 5), (2, 1), (1, 3), (0, 1, 0, 0), (2, 1), (0, 2)),
        ((4, 4), (4, 4), (2, 2), (1, 1, 1, 1), (1, 1), (0, 0)),
    )
    line = (((7,), (3,), (3,), (1, 0), (2,), (2,)), ((5,), (2,), (1,), (0, 0), (1,), (0,)))
    for i, x, w, out, attrs in _matrix_formats(48):
        channels, filters, groups = widths[i % 4]
        size, kernel, stride, pad, dilation, extra = (*plane, *line)[i % 5]
        geometry = {"stride": stride, "padding": pad, "dilation": dilation, "output_padding": extra, "groups": groups}
        shape = (filters, *kernel, channels // groups)
        bench.add(rng, [((*size, channels), x)], out, _weights(rng, i, shape, x, w), **geometry, **attrs)
    return bench


def matmul() -> Bench:
    bench, rng = Bench("matmul"), np.random.default_rng(4)
    for i, a in enumerate(ACTIVATIONS * 2):
        b = ACTIVATIONS[(5 * i + 2) % len(ACTIVATIONS)]
        frac = int(a.frac) + int(b.frac)  # type: ignore[arg-type]
        out = output(ACTIVATIONS[(3 * i) % len(ACTIVATIONS)], frac, (4, 9, 0, -1)[i % 4])
        batch = ((), (2,), (2, 3))[i % 3]
        left, right = (*batch, 3, 5), (*batch, 5, (1, 4, 7)[i % 3])
        attrs = {"rounding": ROUNDINGS[i % 3], **bounds(out, i)}
        if i % 4 == 3:
            bench.add(rng, [(left, a)], out, [(codes(b, right, rng), b)], **attrs)
        elif i % 4 == 2:
            bench.add(rng, [(right, b)], out, [(codes(a, left, rng), a)], order=(1, 0), **attrs)
        else:
            bench.add(rng, [(left, a), (right, b)], out, **attrs)
    return bench


def elementwise(op: str) -> Bench:
    bench, rng = Bench(op), np.random.default_rng(5)
    shapes = (((4, 5, 3), (4, 5, 3)), ((4, 5, 3), (3,)), ((4, 1, 3), (1, 5, 1)), ((6,), (1,)), ((1,), (2, 3)))
    for i, (a, b) in enumerate(product(ACTIVATIONS, ACTIVATIONS)):
        if i % 3 == 1:
            continue
        fa, fb = int(a.frac), int(b.frac)  # type: ignore[arg-type]
        out = output(
            ACTIVATIONS[(3 * i + i // 13) % len(ACTIVATIONS)], fa + fb if op == "mul" else max(fa, fb), i % 9 - 2
        )
        left, right = shapes[i % 5]
        attrs = {"rounding": ROUNDINGS[i // 3 % 3], **bounds(out, i // 2)}
        if i % 7 == 3:
            bench.add(rng, [(left, a)], out, [(codes(b, right, rng), b)], **attrs)
        elif i % 7 == 4:
            bench.add(rng, [(right, b)], out, [(codes(a, left, rng), a)], order=(1, 0), **attrs)
        elif i % 7 == 5:
            bench.add(rng, [(left, a)], out, order=(0, 0), **attrs)
        else:
            bench.add(rng, [(left, a), (right, b)], out, **attrs)
    return bench


def requantise() -> Bench:
    bench, rng = Bench("requantise", samples=20), np.random.default_rng(6)
    for i, (x, y) in enumerate(product(ACTIVATIONS, ACTIVATIONS)):
        for up in (i % 5, -1 - i % 4, (31, 33, 62, 63, 200, -40)[i % 6]):
            out = output(y, int(x.frac), up)  # type: ignore[arg-type]
            bench.add(rng, [((3, 7), x)], out, rounding=ROUNDINGS[(i + up) % 3], **bounds(out, i + up))
    return bench


def concat() -> Bench:
    bench, rng = Bench("concat"), np.random.default_rng(7)
    for i, a in enumerate(ACTIVATIONS * 3):
        b = ACTIVATIONS[(i * 5 + i // 13) % len(ACTIVATIONS)] if i % 3 else a
        fracs = (int(a.frac), int(b.frac))  # type: ignore[arg-type]
        out = a if i % 3 == 0 else output(ACTIVATIONS[(i + 4) % len(ACTIVATIONS)], max(fracs), i % 7 - 2)
        axis = i % 3
        sizes = [[2, 3, 4] for _ in range(3)]
        for part, size in enumerate(sizes):
            size[axis] = part + 1
        attrs = {"axis": axis, "rounding": ROUNDINGS[i % 3], **bounds(out, i // 3)}
        constant = (codes(b, sizes[2], rng), b)
        if i % 4 == 1:
            bench.add(rng, [(sizes[0], a), (sizes[1], b)], out, [constant], order=(2, 0, 1), **attrs)
        elif i % 4 == 2:
            bench.add(rng, [(sizes[0], a)], out, [constant, (codes(a, sizes[1], rng), a)], order=(1, 0, 2, 0), **attrs)
        else:
            bench.add(rng, [(sizes[0], a), (sizes[1], b), (sizes[2], a)], out, **attrs)
    return bench


def average_pool() -> Bench:
    bench, rng = Bench("average_pool"), np.random.default_rng(8)
    windows = (
        ((6, 5), (2, 2), (2, 2), (0, 0, 0, 0)),
        ((6, 5), (3, 3), (1, 2), (1, 1, 2, 0)),
        ((7,), (3,), (2,), (1, 2)),
        ((4, 4), (4, 4), (4, 4), (0, 0, 0, 0)),
        ((5, 3), (2, 3), (1, 1), (1, 0, 0, 2)),
        ((8,), (1,), (1,), (0, 0)),
    )
    for i, (x, (size, kernel, stride, pad)) in enumerate(product(ACTIVATIONS, windows)):
        out = output(ACTIVATIONS[(3 * i + i // 13) % len(ACTIVATIONS)], int(x.frac), i % 7 - 3)  # type: ignore[arg-type]
        attrs = {"include_pad": i // 6 % 2, "rounding": ROUNDINGS[i % 3], **bounds(out, i)}
        bench.add(rng, [((*size, 3), x)], out, kernel=kernel, stride=stride, padding=pad, **attrs)
    return bench


def reduction(op: str) -> Bench:
    bench, rng = Bench(op), np.random.default_rng(9)
    axes = ((0, 1), (2,), (0, 2), (1,), (0, 1, 2))
    for i, (x, axis) in enumerate(product(ACTIVATIONS, axes)):
        shape = ((4, 4, 3), (3, 5, 2), (2, 3, 7))[i % 3]
        out = output(ACTIVATIONS[(3 * i + i // 13) % len(ACTIVATIONS)], int(x.frac), i % 7 - 3)  # type: ignore[arg-type]
        attrs = {"rounding": ROUNDINGS[i // 3 % 3], **bounds(out, i)}
        bench.add(rng, [(shape, x)], out, axes=axis, keep_axes=i % 2, **attrs)
    return bench


def softmax() -> Bench:
    bench, rng = Bench("softmax"), np.random.default_rng(10)
    tables = (FixedPoint(16, 0, False), FixedPoint(8, 0, False), FixedPoint(31, 0), NAMED["e4m3"])
    outs: tuple[Format, ...] = (
        FixedPoint(8, 8, False),
        FixedPoint(16, 15),
        NAMED["e4m3"],
        FixedPoint(8, -1),
        NAMED["e2m1"],
    )
    for i, (x, t) in enumerate(product(ACTIVATIONS, tables)):
        entries = (1, 5, 60)[i % 3]
        grid = np.sort(t.to_grid(np.abs(codes(t, (entries,), rng)) & (127 if t.bits == 8 else -1)))[::-1].copy()
        grid[0] = max(int(grid[0]), 1)
        table = (t.from_grid(np.maximum(grid, 0)), t)
        shape = ((7,), (3, 4, 2))[i % 2]
        attrs = {"rounding": ROUNDINGS[i % 3], **bounds(outs[i % 5], i)}
        bench.add(rng, [(shape, x)], outs[i % 5], [table], axis=(0 if len(shape) == 1 else i // 2 % 3), **attrs)
    return bench


def softmax_reciprocal() -> Bench:
    bench, rng = Bench("softmax_reciprocal"), np.random.default_rng(14)
    one = (1 << 31) - 1
    for i, x in enumerate(f for f in ACTIVATIONS * 3 if f.bits <= 16):
        entries = (1, 5, 60, 256)[i % 4]
        table = np.sort(rng.integers(0, one, entries))[::-1].copy()
        if i % 3 == 1:
            table = np.rint(one * np.exp(-np.arange(entries) / (1 + i))).astype(np.int64)
        table[0], table[-1] = one, (table[-1] if entries == 1 else 0)
        table[0] = one
        shape = ((7,), (3, 4, 2), (40, 2))[i % 3]
        out = FixedPoint((8, 16, 4, 1)[i % 4], 7, False)
        bench.add(rng, [(shape, x)], out, [(table, FixedPoint(32, 31))], axis=i // 3 % len(shape))
    return bench


def softmax_lines() -> Bench:
    bench, rng = Bench("softmax_lines"), np.random.default_rng(15)
    q15 = FixedPoint(16, 15)
    for i, x in enumerate([f for f in ACTIVATIONS if f.bits <= 16 and f.grid_range[1] < 1 << 29] * 4):
        exp = np.rint(32767 * np.exp(np.linspace(-10, 0, 513))).astype(np.int64)
        reciprocal = np.rint(32767 / (1 + np.linspace(0, 1, 513))).astype(np.int64)
        if i % 3 == 1:
            exp, reciprocal = rng.choice([0, 32767], 513), rng.choice([0, 32767, 5], 513)
            exp[-2:] = 1 << 14 if i % 2 else 32767
        distance = {"distance_multiplier": int(rng.integers(1 << 30, 1 << 31)), "distance_shift": 12 + x.bits + i % 9}
        shape = ((7,), (3, 4, 2), (40, 2), (1, 3))[i % 4]
        bench.add(rng, [(shape, x)], q15, [(exp, q15), (reciprocal, q15)], axis=i // 4 % len(shape), **distance)
    return bench


def sigmoid_lines() -> Bench:
    bench, rng = Bench("sigmoid_lines"), np.random.default_rng(16)
    u16, q15 = FixedPoint(16, 16, False), FixedPoint(16, 15)
    fitting = [f for f in ACTIVATIONS if f.bits <= 16 and max(map(abs, f.grid_range)) < 1 << 20]
    true = np.minimum(np.rint(65536 / (1 + np.exp(-np.arange(256) / 24))), 65535).astype(np.int64)
    for i, x in enumerate(fitting * 4):
        line = true if i % 3 else rng.integers(0, 1 << 16, 256)
        reach = max(map(abs, x.grid_range)).bit_length()
        shift = int(rng.choice([0, 1, 13, 30]))
        multiplier = 1 << min(30 - reach, max(0, 17 + shift - reach))
        attrs = {"argument_multiplier": int(rng.integers(multiplier // 2, multiplier + 1)), "argument_shift": shift}
        bench.add(rng, [((5, 40), x)], q15, [(line, u16)], function=("sigmoid", "tanh")[i // 2 % 2], **attrs)
    return bench


def table() -> Bench:
    bench, rng = Bench("table"), np.random.default_rng(11)
    for x, y in product((f for f in ACTIVATIONS if f.bits <= 16), ACTIVATIONS):
        if x.bits == 16 and y.bits > 8:
            continue
        count = x.code_range[1] - x.code_range[0] + 1
        bench.add(rng, [((4, 5), x)], y, [(codes(y, (count,), rng), y)], function="any")
    return bench


def resize_bilinear() -> Bench:
    bench, rng = Bench("resize_bilinear"), np.random.default_rng(14)
    for i, (x, y) in enumerate(product(ACTIVATIONS, ACTIVATIONS)):
        bits = (0, 3, 10, 14)[i * 7 // 5 % 4]
        shape = ((3, 4, 2), (6, 3))[i % 2]
        size = ((5, 3), (7,))[i % 2]
        pairs = [rng.integers(0, n, (2, s)) for n, s in zip(shape, size, strict=False)]
        low, high = (tuple(int(v) for v in line) for line in np.concatenate(pairs, axis=1))
        weight = tuple(int(v) for v in rng.choice([0, 1, 1 << bits >> 1, 1 << bits], sum(size)))
        places = {"size": size, "low": low, "high": high, "weight": weight, "bits": bits}
        bench.add(rng, [(shape, x)], y, rounding=list(RULES)[i % 3], **places, **bounds(y, i % 4))
    return bench


def moves(op: str) -> Bench:
    """pad, slice, transpose, resize_nearest, max_pool, reshape: every container, several geometries."""
    bench, rng = Bench(op), np.random.default_rng(12)
    for i, (x, (shape, attrs)) in enumerate(product(ACTIVATIONS, MOVES[op])):
        fill = {"value": int(x.round_scalar(x.grid_range[i % 2] * Fraction(1), "floor"))}
        extra = fill if op == "pad" and attrs["mode"] == "constant" else {}
        bench.add(rng, [(shape, x)], x, **attrs, **extra)
    return bench


def argmax() -> Bench:
    bench, rng = Bench("argmax", samples=8), np.random.default_rng(13)
    for i, x in enumerate(ACTIVATIONS * 2):
        shape = ((9,), (4, 5, 3))[i % 2]
        out = (FixedPoint(8, 0), FixedPoint(4, 0, False), FixedPoint(32, 0))[i % 3]
        bench.add(rng, [(shape, x)], out, axis=i % len(shape), keep_axes=i // 2 % 2)
    return bench


def within() -> Bench:
    """Bounds at and away from the ends of the format; few elements, so that both answers are frequent."""
    bench, rng = Bench("within", samples=12), np.random.default_rng(15)
    for i, x in enumerate(ACTIVATIONS * 4):
        (lo, hi), zero = x.grid_range, int(x.round_scalar(Fraction(0), "floor"))
        low, high = (int(x.round_scalar(Fraction(end, 3), "floor")) for end in (lo, hi))
        least, most = ((lo, high), (low, hi), (low, high), (lo, hi), (zero, zero))[i % 5]
        bench.add(rng, [(((1,), (3,), (2, 2, 1))[i % 3], x)], BIT, least=least, most=most)
    return bench


def select() -> Bench:
    """Every container; constants on either side, and in place of the condition."""
    bench, rng = Bench("select", samples=4), np.random.default_rng(16)
    bit, orders = ((1,), BIT), ((0, 1, 2), (0, 2, 1))
    for i, x in enumerate(ACTIVATIONS * 4):
        shape = ((5,), (3, 2, 2))[i % 2]
        known, other = (codes(x, shape, rng), x), (codes(x, shape, rng), x)
        always = (np.full((1, 1), i % 2), BIT)
        bench.add(rng, [bit, (shape, x), (shape, x)], x)
        bench.add(rng, [bit, (shape, x)], x, [known], order=orders[i // 2 % 2])
        bench.add(rng, [bit], x, [known, other])
        bench.add(rng, [(shape, x), (shape, x)], x, [always], order=(2, 0, 1))
    return bench


MOVES: dict[str, list[tuple[tuple[int, ...], dict[str, Any]]]] = {
    "pad": [
        ((3, 4, 2), {"padding": (1, 0, 2, 3, 0, 0), "mode": "constant"}),
        ((3, 4, 2), {"padding": (0, 0, 0, 0, 1, 2), "mode": "constant"}),
        ((3, 4, 2), {"padding": (2, 1, 3, 0, 0, 1), "mode": "reflect"}),
        ((3, 4, 2), {"padding": (5, 1, 0, 4, 0, 0), "mode": "replicate"}),
        ((5, 2), {"padding": (5, 3, 2, 1), "mode": "circular"}),
        ((5,), {"padding": (0, 0), "mode": "constant"}),
    ],
    "slice": [
        ((5, 6, 4), {"begin": (1, 0, 0), "end": (4, 6, 4), "step": (1, 1, 1)}),
        ((5, 6, 4), {"begin": (0, 1, 1), "end": (5, 6, 3), "step": (2, 3, 1)}),
        ((9,), {"begin": (2,), "end": (3,), "step": (1,)}),
        ((4, 7), {"begin": (0, 1), "end": (4, 7), "step": (1, 2)}),
    ],
    "transpose": [
        ((4, 5, 3), {"permutation": (2, 0, 1)}),
        ((4, 5, 3), {"permutation": (1, 0, 2)}),
        ((2, 3, 4, 5), {"permutation": (3, 1, 0, 2)}),
        ((6,), {"permutation": (0,)}),
    ],
    "gather": [
        ((3, 4, 2), {"axes": (0, 2), "sizes": (5, 1), "indices": (2, 0, 1, 1, 0, 1)}),
        ((5, 2, 3, 2), {"axes": (2,), "sizes": (3,), "indices": (2, 1, 0)}),
        ((4,), {"axes": (0,), "sizes": (6,), "indices": (3, 3, 0, 1, 2, 0)}),
        ((2, 3, 4, 5), {"axes": (0,), "sizes": (2,), "indices": (1, 0)}),
    ],
    "resize_nearest": [
        ((3, 4, 2), {"size": (6, 8)}),
        ((5, 7, 3), {"size": (3, 10)}),
        ((4, 3), {"size": (9,)}),
    ],
    "max_pool": [
        ((6, 6, 3), {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0), "dilation": (1, 1)}),
        ((5, 7, 2), {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 1, 0, 1), "dilation": (1, 2)}),
        ((9, 5), {"kernel": (3,), "stride": (2,), "padding": (2, 1), "dilation": (2,)}),
        ((8, 1), {"kernel": (1,), "stride": (3,), "padding": (0, 0), "dilation": (1,)}),
    ],
    "reshape": [((2, 3, 4), {"shape": (24,)}), ((6,), {"shape": (1, 3, 2)})],
}


def cases(op: str) -> Bench:
    """All cases of an operator."""
    if op in MOVES:
        return moves(op)
    if op in ("add", "sub", "mul", "maximum", "minimum", "prelu"):
        return elementwise(op)
    if op in ("mean", "sum"):
        return reduction(op)
    found: Bench = globals()[op]()
    return found
