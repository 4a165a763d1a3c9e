"""Graphs made by hand, each aimed at a place where machines come to differ: what random graphs hit too rarely."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from edgeq.formats import NAMED, RULES, FixedPoint, Format, Grouped, Minifloat
from edgeq.ir import Graph, GraphBuilder
from edgeq.ir.ops.within import BIT
from edgeq.verify.data import random_inputs as border_inputs
from tests import wide_sums
from tests.differential.cases import Case, Trace, made_case

Made = Iterator[tuple[Graph, Trace | None]]
_MAKERS: dict[str, Callable[[], Made]] = {}

S8, U8, S16, S32 = FixedPoint(8, 4), FixedPoint(8, 4, False), FixedPoint(16, 8), FixedPoint(32, 8)
MINIFLOATS = (
    *(NAMED[name] for name in ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")),
    Minifloat(3, 4, specials="fnuz"),
    Minifloat(5, 0),
    Minifloat(1, 1),
    Minifloat(1, 6),
    Minifloat(4, 3),
    Minifloat(5, 2),
)
POINTWISE = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}


def aimed(maker: Callable[[], Made]) -> Callable[[], Made]:
    _MAKERS[maker.__name__] = maker
    return maker


def aimed_cases() -> list[Case]:
    """All of them; each graph has a name of its own, made of its maker's and a number."""
    from tests.differential import aimed_kernels  # noqa: F401 (registers its makers)

    cases = []
    for name, maker in _MAKERS.items():
        for index, (graph, inputs) in enumerate(maker()):
            cases.append(made_case(replace(graph, name=f"{name}_{index}"), inputs))
    return cases


def valid_codes(fmt: Format) -> np.ndarray:
    """Every code that stands for a number, negative zero included."""
    lo, hi = fmt.code_range
    codes = np.arange(lo, hi + 1, dtype=np.int64)
    if isinstance(fmt, Minifloat):
        magnitude = codes & ((1 << (fmt.bits - 1)) - 1)
        codes = codes[magnitude <= int(fmt.from_grid(np.array([fmt.max_magnitude]))[0])]
        codes = codes[codes != 1 << (fmt.bits - 1)] if fmt.specials == "fnuz" else codes
    return codes


def around_zero(bits: int, count: int) -> np.ndarray:
    """Codes whose shifts by anything up to `bits` are ties, extremes and their neighbours, as many as asked for."""
    lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    found = {lo, lo + 1, hi, hi - 1, 0, -1, 1}
    for s in range(bits - 1):
        for odd in (1, 3, 5):
            found |= {sign * (odd << s) + d for sign in (1, -1) for d in (-1, 0, 1)}
    kept = sorted(v for v in found if lo <= v <= hi)
    return np.resize(np.array(kept, dtype=np.int64), count)


# --- rounding and saturation -------------------------------------------------------------------------------------


@aimed
def requantise_every_code() -> Made:
    """All 8-bit codes through shifts from 12 to the left to 12 to the right by every rule; ties are exhaustive."""
    for rule in RULES:
        for signed in (True, False):
            g = GraphBuilder("net")
            fmt = FixedPoint(8, 0, signed)
            x = g.input("x", (256,), fmt)
            points = (-12, -9, -8, -7, -4, -2, -1, 0, 1, 3, 8, 12)
            outs = [
                g.node("requantise", f"to_{i}", [x], FixedPoint(bits, p, sign), rounding=rule)
                for i, (p, bits, sign) in enumerate((p, b, s) for p in points for b, s in ((8, True), (5, False)))
            ]
            yield g.build(outs), {x: valid_codes(fmt)[None]}


@aimed
def requantise_wide() -> Made:
    """32-bit codes, ties and extremes of every shift, to containers of each width; unsigned ones beyond int32 too."""
    for rule in RULES:
        g = GraphBuilder("net")
        x, u = g.input("x", (600,), S32), g.input("u", (600,), FixedPoint(32, 8, False))
        outs = []
        for name, value in (("s", x), ("u", u)):
            for shift in (-1, 0, 1, 2, 15, 16, 23, 24, 30, 31, 32, 33, 40):
                fmt = FixedPoint((8, 16, 31, 32)[shift % 4], 8 - shift, shift % 3 > 0)
                outs.append(g.node("requantise", f"{name}{shift + 1}", [value], fmt, rounding=rule))
        codes = around_zero(32, 600)
        yield g.build(outs), {x: codes[None], u: (codes & 0xFFFFFFFF)[None]}


@aimed
def shifts_beyond_the_accumulator() -> Made:
    """Binary points so far apart that only the sign is left (62 and more to the right), and points below zero."""
    for rule in RULES:
        for bits in (2, 8, 32):
            g = GraphBuilder("net")
            x = g.input("x", (64,), FixedPoint(bits, 0))
            outs = [
                g.node("requantise", f"by_{s}", [x], FixedPoint(8, -s), rounding=rule)
                for s in (30, 31, 32, 33, 60, 61, 62, 63, 64, 65, 200, 1000)
            ]
            outs += [
                g.node("requantise", f"float_by_{s}", [x], NAMED["e4m3"].per_tensor(-s), rounding=rule)
                for s in (31, 32, 61, 62, 63, 64, 900)
            ]
            codes = around_zero(bits, 64)
            yield g.build(outs), {x: codes[None]}


@aimed
def left_shifts_to_the_edge() -> Made:
    """To the left as far as 31 and 62 bits hold."""
    for bits, room in ((8, 24), (8, 53), (1, 31), (16, 45), (2, 29)):
        g = GraphBuilder("net")
        x = g.input("x", (64,), FixedPoint(bits, 0))
        outs = [
            g.node("requantise", f"left_{s}_{i}", [x], fmt)
            for s in (room, room - 1)
            for i, fmt in enumerate((FixedPoint(32, s), FixedPoint(8, s), NAMED["e4m3"].per_tensor(s)))
        ]
        yield g.build(outs), {x: around_zero(bits, 64)[None]}


@aimed
def bounds_of_every_kind() -> Made:
    """Clips that leave one number, end at the format's ends, and lie beyond all sums."""
    g = GraphBuilder("net")
    x = g.input("x", (256,), S8)
    outs = [
        g.node("requantise", f"clip{i}", [x], fmt, lo=lo, hi=hi)
        for i, (fmt, lo, hi) in enumerate(
            [
                (S8, 0, 0),
                (S8, -128, -128),
                (S8, 127, 127),
                (S8, 0, 96),
                (S16, 3000, 3001),
                (S16, -32768, -3000),
                (FixedPoint(32, 4, False), 0, 6),
                (FixedPoint(32, 4, False), 1 << 31, (1 << 32) - 1),
                (FixedPoint(1, 0), -1, -1),
                (NAMED["e2m1"].per_tensor(4), -3, 4),
            ]
        )
    ]
    yield g.build(outs), {x: valid_codes(S8)[None]}


# --- accumulators at the edge ------------------------------------------------------------------------------------


@aimed
def int32_edge() -> Made:
    """Sums that reach 2**31 - 1 and -2**31 exactly, rounding constant included, and those one step before and beyond.

    A product of 16 by 16 bits and a bias sets the worst case to the last bit, and the inputs reach it.
    """
    for out in (FixedPoint(32, 0), FixedPoint(8, 0), NAMED["e4m3"]):
        g = GraphBuilder("net")
        x = g.input("x", (8, 1), FixedPoint(16, 0, False))
        outs = []
        for weight, edge in ((32767, (1 << 31) - 1), (-32768, -(1 << 31))):
            w = g.constant(f"w{weight}", [[weight]], FixedPoint(16, 0))
            for shift, over, rule in product((0, 1, 7, 24), (-1, 0, 1), RULES):
                half = (1 << shift) >> 1
                bias = edge - weight * 65535 + (over - half if weight > 0 else half - over)
                b = g.constant("b", [bias], FixedPoint(32, 0))
                outs.append(g.node("linear", "edge", [x, w, b], out.per_tensor(-shift), rounding=rule))
        yield g.build(outs), {x: np.array([0, 1, 2, 32767, 32768, 65533, 65534, 65535]).reshape(1, 8, 1)}


@aimed
def int32_edge_of_other_operators() -> Made:
    """The same edge reached by add, sub, mul, matmul, mean and concat."""
    for rule in RULES:
        g = GraphBuilder("net")
        x, y = g.input("x", (2, 64), FixedPoint(31, 1)), g.input("y", (2, 64), FixedPoint(31, 1))
        h, k = g.input("h", (2, 64), FixedPoint(16, 3)), g.input("k", (2, 64), FixedPoint(17, 3, False))
        z = g.input("z", (2, 64), S32)
        fmt = FixedPoint(32, 1)
        outs = [g.node("add", "add", [x, y], fmt, rounding=rule), g.node("sub", "sub", [x, y], fmt, rounding=rule)]
        outs += [g.node("add", "add_coarse", [x, y], FixedPoint(16, -14), rounding=rule)]
        outs += [g.node("mul", "mul", [h, k], FixedPoint(32, 6), rounding=rule)]
        outs += [g.node("mul", "square", [h, h], FixedPoint(31, 6), rounding=rule)]
        outs += [g.node("mul", "mul_coarse", [h, k], FixedPoint(8, -18), rounding=rule)]
        outs += [g.node("sub", "wide_sub", [z, z], S32, rounding=rule)]
        outs += [g.node("mean", "mean2", [x], FixedPoint(31, 1), axes=(0,), keep_axes=0, rounding=rule)]
        outs += [g.node("mean", "mean128", [z], S32, axes=(0, 1), keep_axes=0, rounding=rule)]
        outs += [g.node("concat", "join", [x, z, h], FixedPoint(24, 2), axis=1, rounding=rule)]
        yield g.build(outs), None


@aimed
def int64_edge() -> Made:
    """Sums just below 2**62: products of 31 and 32 bits, and sums of operands aligned from far apart."""
    for rule in RULES:
        g = GraphBuilder("net")
        x, y = g.input("x", (2, 8), FixedPoint(31, 0)), g.input("y", (8, 2), FixedPoint(29, 0))
        b = g.input("b", (2, 8), FixedPoint(8, 0))
        w = g.constant("w", np.where(np.arange(16).reshape(2, 8) % 3, (1 << 28) - 1, -(1 << 28)), FixedPoint(29, 20))
        far = g.constant("far", np.arange(16).reshape(2, 8) - 8, FixedPoint(8, 53))
        outs = [g.node("matmul", "matmul", [x, y], FixedPoint(32, -30), rounding=rule)]
        outs += [g.node("linear", "linear", [x, w], FixedPoint(32, -9), rounding=rule)]
        outs += [g.node("mul", "square", [x, x], FixedPoint(32, -28), rounding=rule)]
        outs += [g.node("add", "aligned", [b, far], FixedPoint(16, 8), rounding=rule)]
        outs += [g.node("sub", "aligned_back", [far, b], FixedPoint(32, 53), rounding=rule)]
        outs += [g.node("mul", "to_float", [x, x], NAMED["e5m2"].per_tensor(-29), rounding=rule)]
        yield g.build(outs), None


@aimed
def quotients_at_ties() -> Made:
    """Means over 2, 3, 5, 6, 7 and 12 elements: ties and near-ties above and below zero, to fixed point and floats."""
    for rule in RULES:
        for fmt in (FixedPoint(8, 0), NAMED["e3m2"].per_tensor(1)):
            g = GraphBuilder("net")
            x = g.input("x", (12, 4), FixedPoint(5, 0))
            outs = []
            for n in (2, 3, 5, 6, 7, 12):
                part = g.node("slice", f"part{n}", [x], FixedPoint(5, 0), begin=(0, 0), end=(n, 4), step=(1, 1))
                outs.append(g.node("mean", f"mean{n}", [part], fmt, axes=(0,), keep_axes=1, rounding=rule))
            pool = {"kernel": (3,), "stride": (2,), "padding": (2, 1)}
            for pad in (0, 1):
                outs.append(g.node("average_pool", f"pool{pad}", [x], fmt, include_pad=pad, rounding=rule, **pool))
            codes = np.random.default_rng(5).integers(-3, 4, (40, 12, 4))
            yield g.build(outs), {x: codes}


# --- formats -----------------------------------------------------------------------------------------------------


@aimed
def one_bit() -> Made:
    """Formats of one bit, signed (-1, 0) and not, as activations, weights, outputs, tables."""
    rng = np.random.default_rng(1)
    for sign in (True, False):
        fmt = FixedPoint(1, 0, sign)
        lo, hi = fmt.code_range
        g = GraphBuilder("net")
        x = g.input("x", (5, 5, 9), fmt)
        w = g.constant("w", rng.integers(lo, hi + 1, (7, 3, 3, 9)), fmt)
        b = g.constant("b", rng.integers(-9, 9, (7,)), FixedPoint(5, 0))
        window = {"stride": (1, 2), "padding": (1, 0, 2, 1), "dilation": (1, 1)}
        c = g.node("conv", "conv", [x, w, b], FixedPoint(1, -2, not sign), groups=1, **window)
        t = g.constant("t", [hi, lo], fmt)
        outs = [c, g.node("table", "table", [x, t], fmt)]
        outs += [g.node("add", "add", [x, x], FixedPoint(1, -1, sign)), g.node("mul", "mul", [x, x], fmt)]
        outs += [g.node("mean", "mean", [x], FixedPoint(1, 0, sign), axes=(0, 1), keep_axes=0)]
        yield g.build(outs), None


@aimed
def packed_weights_of_every_width() -> Made:
    """Bit streams of 1 to 7 bits whose rows start at every bit of a byte; lengths that end within one."""
    rng = np.random.default_rng(2)
    for bits in range(1, 8):
        for sign in (True, False):
            fmt = FixedPoint(bits, 2, sign)
            g = GraphBuilder("net")
            x = g.input("x", (3, 13), S8)
            w = g.constant("w", rng.integers(fmt.code_range[0], fmt.code_range[1] + 1, (11, 13)), fmt)
            d = g.constant("d", rng.integers(fmt.code_range[0], fmt.code_range[1] + 1, (13, 3, 1)), fmt)
            window = {"stride": (1,), "padding": (1, 1), "dilation": (1,)}
            outs = [g.node("linear", "linear", [x, w], FixedPoint(16, 5))]
            outs += [g.node("conv", "depthwise", [x, d], FixedPoint(16, 5), groups=13, **window)]
            yield g.build(outs), None


@aimed
def scales_of_groups() -> Made:
    """Group scales that lie near and far apart, the last group shorter; for several pixels and for one."""
    rng = np.random.default_rng(6)
    for i, element in enumerate((FixedPoint(4, 2), FixedPoint(8, 7), MINIFLOATS[0])):
        for most in (3, 12, 20):
            g = GraphBuilder("net")
            x, line = g.input("x", (3, 3, 13), S8), g.input("line", (13,), S8)
            codes = valid_codes(element)
            shifts = {shape: rng.integers(0, most + 1, shape) for shape in ((5, 2, 2, 3), (6, 3))}
            ws = []
            for (shape, shift), name in zip(shifts.items(), "wv", strict=True):
                shift.flat[:2] = 0, most
                fmt = Grouped(element, 5, tuple(int(v) for v in shift.flat))
                ws.append(g.constant(name, rng.choice(codes, (*shape[:-1], 13)), fmt))
            window = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1), "groups": 1}
            outs = [g.node("conv", "conv", [x, ws[0]], FixedPoint(16, 5), rounding=tuple(RULES)[i], **window)]
            outs += [g.node("linear", "linear", [line, ws[1]], FixedPoint(16, 5), rounding=tuple(RULES)[i])]
            yield g.build(outs), None


@aimed
def minifloat_every_code() -> Made:
    """All codes of each minifloat, negative zero included, into other formats and through every kind of operator."""
    for i, fmt in enumerate(MINIFLOATS):
        codes = valid_codes(fmt)
        g = GraphBuilder("net")
        x = g.input("x", (codes.size,), fmt)
        frac = fmt.frac
        assert isinstance(frac, int)
        rule = tuple(RULES)[i % 3]
        outs = [
            g.node("requantise", f"to{j}", [x], other, rounding=rule)
            for j, other in enumerate((S8, FixedPoint(4, -2), FixedPoint(32, frac - 1), *MINIFLOATS[:5], fmt))
        ]
        outs += [g.node("requantise", "relu", [x], fmt, lo=0)]
        outs += [g.node("add", "double", [x, x], fmt, rounding=rule), g.node("sub", "zero", [x, x], fmt)]
        outs += [g.node("concat", "join", [x, x], fmt, axis=0)]
        outs += [g.node("pad", "pad", [x], fmt, padding=(1, 1), mode="constant", value=-1)]
        outs += [g.node("mean", "mean", [x], fmt, axes=(0,), keep_axes=1, rounding=rule)]
        outs += [g.node("argmax", "argmax", [x], FixedPoint(9, 0, False), axis=0, keep_axes=0)]
        yield g.build(outs), {x: codes[None]}


@aimed
def fixed_to_minifloat() -> Made:
    """All 12-bit codes into each minifloat at binary points that round, saturate and fall below the subnormals."""
    codes = np.arange(-2048, 2048, dtype=np.int64)
    for i, fmt in enumerate(MINIFLOATS):
        g = GraphBuilder("net")
        x = g.input("x", (4096,), FixedPoint(12, 0))
        outs = [
            g.node("requantise", f"{rule}_{p + 9}", [x], fmt.per_tensor(p), rounding=rule)
            for p in ((-9, -3, 0) if i % 2 else (-6, -1, 1))
            for rule in RULES
        ]
        yield g.build(outs), {x: codes[None]}


@aimed
def negative_zero() -> Made:
    """The negative zero's code as input: operators that move codes keep it, arithmetic and max pools do not."""
    for fmt in (NAMED["e2m1"], NAMED["e4m3"], NAMED["e5m2"], Minifloat(2, 2)):
        g = GraphBuilder("net")
        zero, negative = 0, 1 << (fmt.bits - 1)
        x = g.input("x", (4, 4), fmt)
        c = g.constant("c", [[negative, zero, negative | 1, 1]], fmt)
        window = {"kernel": (2,), "stride": (1,), "padding": (1, 0)}
        size = fmt.code_range[1] + 1
        table = np.zeros(size, dtype=np.int64)
        table[negative], table[zero] = 3, -3
        t = g.constant("t", table, S8)
        outs = [
            g.node("max_pool", "max", [x], fmt, dilation=(1,), **window),
            g.node("average_pool", "average", [x], fmt, include_pad=0, **window),
            g.node("argmax", "argmax", [x], FixedPoint(4, 0), axis=1, keep_axes=1),
            g.node("table", "table", [x, t], S8),
            g.node("transpose", "transpose", [x], fmt, permutation=(1, 0)),
            g.node("reshape", "reshape", [x], fmt, shape=(16,)),
            g.node("slice", "slice", [x], fmt, begin=(0, 1), end=(4, 4), step=(2, 2)),
            g.node("pad", "pad", [x], fmt, padding=(1, 1, 0, 2), mode="reflect"),
            g.node("resize_nearest", "resize", [x], fmt, size=(7,)),
            g.node("gather", "gather", [x], fmt, axes=(1,), sizes=(3,), indices=(3, 0, 3)),
            g.node("resize_bilinear", "between", [x], fmt, size=(2,), low=(0, 3), high=(1, 1), weight=(1, 2), bits=1),
            g.node("concat", "concat", [x, c], fmt, axis=0),
            g.node("add", "add", [x, c], fmt),
            g.node("sub", "sub", [c, x], fmt),
            g.node("mul", "mul", [c, x], fmt),
            g.node("requantise", "same", [x], fmt),
            g.node("requantise", "fixed", [x], S8),
        ]
        rng = np.random.default_rng(3)
        yield g.build(outs), {x: rng.choice([zero, negative, 1, negative | 1], (12, 4, 4))}


@aimed
def minifloat_matrices() -> Made:
    """Convolution, linear and matmul in each minifloat, mixed with fixed point, all at extremes; E5M2 among them."""
    rng = np.random.default_rng(4)
    for i, fmt in enumerate(MINIFLOATS):
        other = MINIFLOATS[(i + 3) % len(MINIFLOATS)]
        g = GraphBuilder("net")
        frac, codes = fmt.frac, valid_codes(fmt)
        assert isinstance(frac, int)
        x = g.input("x", (5, 5, 3), fmt)
        w = g.constant("w", rng.integers(-8, 8, (4, 3, 3, 3)), FixedPoint(4, 1))
        b = g.constant("b", rng.integers(-99, 99, (4,)), FixedPoint(8, min(frac, 8)))
        v = g.constant("v", rng.choice(codes[codes & 7 != 7], (6, 4)), fmt)
        window = {"stride": (2, 1), "padding": (1, 1, 0, 1), "dilation": (1, 1)}
        c = g.node("conv", "conv", [x, w, b], S8.per_tensor(2), groups=1, **window)
        d = g.node("linear", "linear", [c, v], other.per_tensor(0), rounding="half_even")
        outs = [d, c, g.node("linear", "again", [c, v], FixedPoint(16, 0), rounding="floor")]
        f = g.node("reshape", "rows", [x], fmt, shape=(5, 15))
        if fmt.max_magnitude < 1 << 28:
            s = g.node("transpose", "swapped", [f], fmt, permutation=(1, 0))
            outs += [g.node("matmul", "matmul", [f, s], fmt.per_tensor(2 * frac - 8))]
        yield g.build(outs), None


@aimed
def sums_beyond_63_bits() -> Made:
    """E5M2 times E5M2 in every operator, ties that the least bit decides, every rule, overflow and bound."""
    yield wide_sums.rounding()
    yield wide_sums.operators()


@aimed
def containers_beyond_int32() -> Made:
    """Unsigned 32-bit codes (and E5M2) where they only move, where they are compared, and where they are computed."""
    u32 = FixedPoint(32, 4, False)
    g = GraphBuilder("net")
    x, y = g.input("x", (4, 6, 2), u32), g.input("y", (4, 6, 2), u32)
    window = {"kernel": (2, 3), "stride": (1, 1), "padding": (1, 0, 1, 1)}
    top = (1 << 32) - 1
    outs = [
        g.node("max_pool", "max", [x], u32, dilation=(1, 1), **window),
        g.node("average_pool", "average", [x], u32, include_pad=0, **window),
        g.node("argmax", "argmax", [x], FixedPoint(3, 0, False), axis=1, keep_axes=0),
        g.node("pad", "pad", [x], u32, padding=(0, 1, 1, 0, 0, 0), mode="constant", value=top),
        g.node("add", "add", [x, y], u32),
        g.node("sub", "sub", [x, y], S32),
        g.node("mul", "mul", [x, g.constant("half", [1], FixedPoint(1, 1, False))], u32),
        g.node("requantise", "bounded", [x], u32, lo=1 << 31, hi=top - 1),
        g.node("mean", "mean", [x], u32, axes=(0, 1), keep_axes=0),
        g.node("transpose", "transpose", [x], u32, permutation=(2, 0, 1)),
    ]
    yield g.build(outs), None


@aimed
def softmax_extremes() -> Made:
    """Equal elements, distances that leave int32, tables of one entry and of 16 bits, sums at the edge."""
    for i, fmt in enumerate((S8, FixedPoint(16, 3), S32, FixedPoint(32, 0, False), NAMED["e4m3"], NAMED["e5m2"])):
        for bits, size in ((8, 4), (16, 1), (16, 64)):
            g = GraphBuilder("net")
            x = g.input("x", (3, 9, 2), fmt)
            table = np.maximum(((1 << bits) - 1) >> np.minimum(np.arange(size), 40), 0)
            t = g.constant("t", table, FixedPoint(bits, 0, False))
            outs = [
                g.node("softmax", f"axis{axis}", [x, t], FixedPoint((8, 16, 4)[axis], 7, False), axis=axis)
                for axis in range(3)
            ]
            rule = tuple(RULES)[i % 3]
            outs += [g.node("softmax", "signed", [x, t], FixedPoint(16, 15), axis=1, rounding=rule)]
            outs += [g.node("softmax", "float", [x, t], NAMED["e4m3"], axis=1, rounding=rule)]
            outs += [g.node("softmax", "coarse", [x, t], FixedPoint(4, -1), axis=1, rounding=rule)]
            yield g.build(outs), None


@aimed
def softmax_reciprocal() -> Made:
    """Lines of equal, of extreme and of one element, tables of one entry, codes of 1 to 16 bits."""
    one = (1 << 31) - 1
    for fmt in (S8, FixedPoint(16, 3), NAMED["e5m2"]):
        g = GraphBuilder("net")
        x = g.input("x", (3, 9, 2), fmt)
        outs = []
        for size, bits, axis in ((1, 8, 0), (60, 16, 1), (256, 8, 2), (3, 1, 1)):
            t = g.constant("t", np.rint(one * np.exp(-np.arange(size) / 9)), FixedPoint(32, 31))
            out = FixedPoint(bits, bits, False)
            outs.append(g.node("softmax_reciprocal", f"bits{bits}_axis{axis}", [x, t], out, axis=axis))
        yield g.build(outs), None


@aimed
def softmax_lines() -> Made:
    """Lines of equal, of extreme and of one element, distances at both ends of the table, true and jagged tables."""
    rng, q15 = np.random.default_rng(9), FixedPoint(16, 15)
    for fmt in (S8, S16, FixedPoint(3, 0, False)):
        g = GraphBuilder("net")
        x = g.input("x", (3, 9, 2), fmt)
        jagged = rng.choice([0, 32767], 513)
        jagged[-2:] = 32767
        true = np.rint(32767 * np.exp(np.linspace(-10, 0, 513)))
        e = [g.constant("e", true, q15), g.constant("e", jagged, q15)]
        r = [g.constant("r", np.rint(32767 / (1 + np.linspace(0, 1, 513))), q15), g.constant("r", jagged[::-1], q15)]
        outs = []
        for axis, shift in ((0, 31), (1, 20), (2, 40), (1, 31 - 15 + fmt.bits)):
            attrs = {"axis": axis, "distance_multiplier": (1 << 31) - 1, "distance_shift": shift}
            names = [x, e[shift % 2], r[axis % 2]]
            outs.append(g.node("softmax_lines", f"axis{axis}_shift{shift}", names, q15, **attrs))
        yield g.build(outs), None


@aimed
def sigmoid_lines() -> Made:
    """Arguments at zero, on both sides of each entry, at the table's end and beyond; true and jagged tables."""
    rng, u16, q15 = np.random.default_rng(10), FixedPoint(16, 16, False), FixedPoint(16, 15)
    true = np.minimum(np.rint(65536 / (1 + np.exp(-np.arange(256) / 24))), 65535)
    for fmt in (S8, S16, FixedPoint(3, 0, False), NAMED["e2m3"]):
        g = GraphBuilder("net")
        x = g.input("x", (3, 9, 7), fmt)
        tables = [g.constant("t", true, u16), g.constant("j", rng.choice([0, 65535], 256), u16)]
        outs = []
        for multiplier, shift in ((0, 0), (1, 0), (510, 0), (3 << 12, 1), (65535, 15), ((1 << 15) - 1, 31)):
            for function in ("sigmoid", "tanh"):
                attrs = {"function": function, "argument_multiplier": multiplier, "argument_shift": shift}
                name = f"{function}_{multiplier}_{shift}"
                outs.append(g.node("sigmoid_lines", name, [x, tables[len(outs) // 3 % 2]], q15, **attrs))
        yield g.build(outs), None


# --- places in the arena -----------------------------------------------------------------------------------------


@aimed
def in_place_chains() -> Made:
    """Results over their operands: narrower, over either operand, over both, softmax over its lines."""
    g = GraphBuilder("net")
    x, y = g.input("x", (6, 8), S16), g.input("y", (6, 8), S16)
    t = g.constant("t", np.arange(256)[::-1] - 128, S8)
    e = g.constant("e", [255, 90, 30, 10, 3, 1], FixedPoint(8, 0, False))
    a = g.node("add", "a", [x, y], S16)
    b = g.node("sub", "b", [y, a], S16)
    c = g.node("mul", "c", [b, b], S8)
    d = g.node("table", "d", [c, t], S8)
    s = g.node("softmax", "s", [d, e], FixedPoint(8, 7, False), axis=0)
    r = g.node("requantise", "r", [s], FixedPoint(4, 3), lo=0)
    yield g.build([g.node("add", "last", [r, r], S8)]), None


@aimed
def in_place_broadcast() -> Made:
    """A row and a column added to a matrix that nobody needs afterwards, and the other way round."""
    g = GraphBuilder("net")
    x, row, column = g.input("x", (5, 7), S8), g.input("row", (7,), S8), g.input("column", (5, 1), S8)
    a = g.node("add", "a", [x, row], S8)
    b = g.node("sub", "b", [column, a], S8)
    c = g.node("mul", "c", [b, row], S8)
    outer = g.node("mul", "outer", [row, column], S16)
    yield g.build([g.node("add", "both", [c, outer], S16), row]), None


@aimed
def read_after_overwrite() -> Made:
    """Values that look free but are read once more, directly or under another shape."""
    g = GraphBuilder("net")
    x = g.input("x", (4, 6), S8)
    flat = g.node("reshape", "flat", [x], S8, shape=(24,))
    a = g.node("requantise", "a", [x], S8, lo=0)
    b = g.node("requantise", "b", [flat], S8, hi=0)
    square = g.node("reshape", "square", [b], S8, shape=(4, 6))
    c = g.node("add", "c", [a, square], S8)
    d = g.node("sub", "d", [c, square], S8)
    e = g.node("mul", "e", [a, d], S8)
    swapped = g.node("transpose", "swapped", [e], S8, permutation=(1, 0))
    again = g.node("reshape", "again", [e], S8, shape=(6, 4))
    yield g.build([g.node("add", "views", [again, swapped], S8)]), None


@aimed
def outputs_that_are_something_else() -> Made:
    """Inputs, reshapes of inputs, reshapes of outputs, values that are read on: all as outputs."""
    g = GraphBuilder("net")
    x, unused = g.input("x", (3, 4), S8), g.input("unused", (2,), S16)
    view = g.node("reshape", "view", [x], S8, shape=(12,))
    y = g.node("requantise", "y", [x], S8, hi=3)
    flat = g.node("reshape", "flat", [y], S8, shape=(2, 6))
    z = g.node("add", "z", [y, x], S8)
    yield g.build([x, view, y, flat, z, unused]), None
    g = GraphBuilder("net")
    x = g.input("x", (3, 4), S8)
    view = g.node("reshape", "view", [x], S8, shape=(4, 3))
    yield g.build([g.node("reshape", "view2", [view], S8, shape=(1, 12))]), None
    g = GraphBuilder("net")
    x = g.input("x", (7,), S8)
    yield g.build([x]), None


@aimed
def the_same_output_twice() -> Made:
    """One value, two outputs."""
    g = GraphBuilder("net")
    x = g.input("x", (3, 4), S8)
    y = g.node("requantise", "y", [x], FixedPoint(5, 2))
    yield g.build([y, x, y]), None


@aimed
def wide_and_narrow_branches() -> Made:
    """Branches of many sizes that meet, so that lifetimes interlock; elements of 1, 2 and 4 bytes."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        g = GraphBuilder("net")
        x = g.input("x", (4, 5), S8)
        pool = [x]
        for i in range(12):
            fmt = FixedPoint((8, 16, 32)[int(rng.integers(3))], 4)
            a, b = (pool[int(rng.integers(len(pool)))] for _ in range(2))
            pool.append(g.node(("add", "sub", "requantise")[i % 3], f"v{i}", [a, b][: 1 if i % 3 == 2 else 2], fmt))
        yield g.build([pool[-1], g.node("concat", "all", pool[1::3], S16, axis=0)]), None


# --- shapes and constants ----------------------------------------------------------------------------------------


@aimed
def single_elements() -> Made:
    """Every operator on one element."""
    g = GraphBuilder("net")
    x, s = g.input("x", (1, 1, 1), S8), g.input("s", (), S8)
    w = g.constant("w", [[[[-3]]]], FixedPoint(3, 1))
    b = g.constant("b", [5], FixedPoint(4, 2))
    t, e = g.constant("t", np.arange(256) - 128, S8), g.constant("e", [200], FixedPoint(8, 0, False))
    one = {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0)}
    outs = [
        g.node("conv", "conv", [x, w, b], S8, groups=1, **POINTWISE),
        g.node("conv_transpose", "up", [x, w, b], S8, groups=1, output_padding=(0, 0), **POINTWISE),
        g.node("linear", "linear", [x, g.constant("v", [[7]], FixedPoint(4, 1)), b], S8),
        g.node("matmul", "matmul", [x, x], S8),
        *(g.node(op, op, [x, x], S8) for op in ("add", "sub", "mul")),
        *(g.node(op, f"{op}_scalar", [s, x], S8) for op in ("add", "sub", "mul")),
        g.node("add", "scalars", [s, s], S8),
        g.node("requantise", "scalar", [s], FixedPoint(4, 1)),
        g.node("reshape", "grown", [s], S8, shape=(1, 1)),
        g.node("reshape", "shrunk", [x], S8, shape=()),
        g.node("table", "scalar_table", [s, t], S8),
        g.node("concat", "concat", [x], FixedPoint(5, 2), axis=2),
        g.node("pad", "pad", [x], S8, padding=(0,) * 6, mode="constant"),
        g.node("slice", "slice", [x], S8, begin=(0, 0, 0), end=(1, 1, 1), step=(3, 3, 3)),
        g.node("max_pool", "max", [x], S8, dilation=(1, 1), **one),
        g.node("average_pool", "average", [x], S8, include_pad=1, **one),
        g.node("mean", "mean", [x], S8, axes=(0, 1, 2), keep_axes=0),
        g.node("table", "table", [x, t], S8),
        g.node("softmax", "softmax", [x, e], FixedPoint(8, 7, False), axis=0),
        g.node("transpose", "transpose", [x], S8, permutation=(2, 1, 0)),
        g.node("resize_nearest", "resize", [x], S8, size=(1, 1)),
        g.node("argmax", "argmax", [x], FixedPoint(1, 0, False), axis=1, keep_axes=1),
    ]
    yield g.build(outs), None


@aimed
def constant_operands() -> Made:
    """Constants on either side of add, sub, mul, matmul and in every place of a concat, broadcast and in floats."""
    for kind in (S8, NAMED["e3m2"]):
        rng = np.random.default_rng(6)
        codes = valid_codes(kind)
        g = GraphBuilder("net")
        x = g.input("x", (3, 4), S8)
        full, row = (g.constant(n, rng.choice(codes, s), kind) for n, s in (("full", (3, 4)), ("row", (4,))))
        column, one = (g.constant(n, rng.choice(codes, s), kind) for n, s in (("column", (3, 1)), ("one", ())))
        grown = g.constant("grown", rng.choice(codes, (2, 3, 1)), kind)
        outs = []
        for op in ("add", "sub", "mul"):
            for value in (full, row, column, one, grown):
                outs += [g.node(op, f"{op}_{value}", [x, value], S8), g.node(op, f"{value}_{op}", [value, x], S16)]
        square = g.constant("square", rng.choice(codes, (4, 4)), kind)
        tall = g.constant("tall", rng.choice(codes, (5, 3)), kind)
        outs += [g.node("matmul", "right", [x, square], S8), g.node("matmul", "left", [tall, x], S8)]
        joins = ((full, x), (x, full), (full, x, full), (x, full, x), (full, x, x, full))
        outs += [g.node("concat", f"join{i}", names, kind, axis=i % 2) for i, names in enumerate(joins)]
        outs += [g.node("concat", "bounded", [full, x], S8, axis=0, lo=-5, hi=6)]
        yield g.build(outs), None


@aimed
def choices_slopes_and_sums() -> Made:
    """maximum, minimum, prelu and sum at the edges of their formats, broadcast, on unequal grids, in floats."""
    rng = np.random.default_rng(8)
    wide = FixedPoint(31, 2)
    for kind in (S8, U8, NAMED["e4m3"], wide):
        g = GraphBuilder("net")
        x, z = g.input("x", (3, 4), kind), g.input("z", (3, 1), S8)
        slope = g.constant("slope", rng.integers(-128, 128, 4), FixedPoint(8, 7))
        coarse = g.constant("coarse", rng.integers(-2, 2, 4), FixedPoint(2, -3))
        outs = []
        for i, out in enumerate((S8, S16, NAMED["e3m2"], FixedPoint(4, -1))):
            attrs: dict[str, Any] = {"rounding": ("half_up", "half_even", "floor")[i % 3]}
            attrs |= {"lo": 0} if i == 1 else {}
            outs += [g.node("maximum", f"maximum{i}", [x, z], out, **attrs)]
            outs += [g.node("minimum", f"minimum{i}", [z, x], out, **attrs)]
            outs += [g.node("prelu", f"prelu{i}", [x, slope], out, **attrs)]
            outs += [g.node("prelu", f"coarse{i}", [x, coarse], out, **attrs)]
            outs += [g.node("prelu", f"computed{i}", [z, x], out, **attrs)] if kind is not wide else []
            outs += [g.node("sum", f"sum{i}", [x], out, axes=(i % 2,), keep_axes=i // 2, **attrs)]
        yield g.build(outs), None


@aimed
def dead_and_extreme_channels() -> Made:
    """Weights all zero, all least, all greatest; binary points per channel far apart; padding wider than the input."""
    rng = np.random.default_rng(7)
    g = GraphBuilder("net")
    x = g.input("x", (3, 3, 4), U8)
    codes = rng.integers(-128, 128, (8, 5, 5, 4))
    codes[0], codes[1], codes[2] = 0, -128, 127
    points = (0, 7, 7, -6, 12, 3, 20, 1)
    w = g.constant("w", codes, FixedPoint(8, points, True, 0))
    b = g.constant("b", rng.integers(-(1 << 15), 1 << 15, (8,)), FixedPoint(16, tuple(p + 2 for p in points), True, 0))
    window = {"stride": (2, 3), "padding": (4, 4, 2, 3), "dilation": (1, 1)}
    c = g.node("conv", "conv", [x, w, b], FixedPoint(8, 1), groups=1, **window)
    v = g.constant("v", rng.integers(-128, 128, (8, 2, 2, 2)), FixedPoint(8, 6))
    stretch = {"stride": (3, 2), "padding": (1, 0, 0, 1), "dilation": (2, 1), "output_padding": (2, 1)}
    up = g.node("conv_transpose", "up", [x, v], S8, groups=2, **stretch)
    yield g.build([c, up]), None


@aimed
def windows_at_the_border() -> Made:
    """Pools and convolutions whose windows lie mostly in the padding, dilated, in one and two dimensions."""
    g = GraphBuilder("net")
    x, y = g.input("x", (4, 3, 3), S8), g.input("y", (5, 3), S8)
    rng = np.random.default_rng(8)
    window = {"kernel": (3, 3), "stride": (1, 2), "padding": (2, 2, 2, 1)}
    w = g.constant("w", rng.integers(-8, 8, (3, 3, 3, 1)), FixedPoint(4, 1))
    v = g.constant("v", rng.integers(-8, 8, (6, 4, 1)), FixedPoint(4, 1))
    dilated = {"stride": (1, 1), "padding": (4, 3, 5, 2), "dilation": (3, 2)}
    line = {"stride": (2,), "padding": (5, 4), "dilation": (3,)}
    outs = [
        g.node("max_pool", "max", [x], S8, dilation=(1, 1), **window),
        g.node("average_pool", "seen", [x], S8, include_pad=0, **window),
        g.node("average_pool", "all", [x], S8, include_pad=1, **window),
        g.node("conv", "depthwise", [x, w], S8, groups=3, **dilated),
        g.node("conv", "line", [y, v], S8, groups=3, **line),
        g.node("max_pool", "line_max", [y], S8, kernel=(2,), stride=(3,), padding=(1, 1), dilation=(2,)),
    ]
    yield g.build(outs), None


@aimed
def choices_at_run_time() -> Made:
    """Conditions at their bounds, selects in selects, sides that share steps or are inputs, outputs within a side."""
    for kind in (S8, U8, S16, NAMED["e4m3"], FixedPoint(4, 2)):
        g = GraphBuilder("net")
        x, z = g.input("x", (3, 4), kind), g.input("z", (3, 4), kind)
        low, high = kind.grid_range
        least, most = (int(kind.round_scalar(Fraction(end, 2), "floor")) for end in (low, high))
        first = g.node("within", "first", [x], BIT, least=least, most=most)
        second = g.node("within", "second", [z], BIT, least=low, most=most)
        shared = g.node("requantise", "shared", [x], kind)
        a = g.node("add", "a", [shared, z], kind)
        b = g.node("sub", "b", [shared, z], kind)
        inner = g.node("select", "inner", [second, a, g.node("requantise", "c", [z], kind)], kind)
        outer = g.node("select", "outer", [first, inner, b], kind)
        same = g.node("select", "same", [second, x, z], kind)
        flat = g.node("reshape", "flat", [g.node("requantise", "d", [outer], kind)], kind, shape=(12,))
        other = g.node("reshape", "other", [g.node("mul", "e", [same, z], kind)], kind, shape=(12,))
        last = g.node("select", "last", [first, flat, other], kind)
        g_out = g.build([outer, b, last])
        inputs = border_inputs(g_out, 24)
        for index, end in enumerate((least, most, low, high)):  # bounds themselves are within
            inputs["x"][index] = kind.from_grid(np.full((3, 4), end))
        yield g_out, inputs
