"""More graphs made by hand: axes up to six, tables of 16 bits, and the edges of kernels that pack lanes into words."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import GraphBuilder
from tests.differential.aimed import S8, S16, U8, Made, aimed, valid_codes

S32 = FixedPoint(32, 8)


@aimed
def six_axes() -> Made:
    """Movement, broadcasting, means and pads over six axes, none of which can be joined with its neighbour."""
    g = GraphBuilder("net")
    shape = (2, 3, 2, 2, 3, 2)
    x, y = g.input("x", shape, S8), g.input("y", (1, 3, 1, 2, 1, 2), S16)
    outs = [
        g.node("transpose", "mixed", [x], S8, permutation=(4, 1, 5, 0, 3, 2)),
        g.node("transpose", "reversed", [x], S8, permutation=(5, 4, 3, 2, 1, 0)),
        g.node("slice", "slice", [x], S8, begin=(0, 1, 0, 1, 0, 0), end=shape, step=(1, 2, 2, 1, 2, 1)),
        g.node("pad", "pad", [x], S8, padding=(1, 0, 0, 1) * 3, mode="constant", value=-7),
        g.node("pad", "reflect", [x], S8, padding=(1, 0, 0, 2, 0, 0, 1, 1, 2, 0, 0, 1), mode="reflect"),
        g.node("add", "broadcast", [x, y], S8),
        g.node("mul", "outer", [y, x], S16),
        g.node("mean", "even_axes", [x], S8, axes=(0, 2, 4), keep_axes=1),
        g.node("mean", "odd_axes", [x], S16, axes=(1, 3, 5), keep_axes=0, rounding="half_even"),
        g.node("argmax", "argmax", [x], FixedPoint(2, 0, False), axis=4, keep_axes=0),
        g.node("concat", "concat", [x, x], S8, axis=3),
        g.node("reshape", "reshape", [x], S8, shape=(6, 2, 12)),
    ]
    yield g.build(outs), None


@aimed
def tables_of_16_bits() -> Made:
    """65,536 entries, signed and not; tables of minifloats from and to fixed point."""
    rng = np.random.default_rng(1)
    codes = np.array([-32768, -32767, -1, 0, 1, 32766, 32767])
    g = GraphBuilder("net")
    x, u, m = g.input("x", (7,), S16), g.input("u", (7,), FixedPoint(16, 8, False)), g.input("m", (16,), NAMED["e2m1"])
    t = g.constant("t", rng.integers(-128, 128, 1 << 16), S8)
    f = g.constant("f", rng.integers(0, 16, 1 << 16), NAMED["e2m1"])
    w = g.constant("w", rng.integers(-(1 << 31), 1 << 31, 16), S32)
    outs = [g.node("table", "signed", [x, t], S8), g.node("table", "unsigned", [u, t], S8)]
    outs += [g.node("table", "to_float", [x, f], NAMED["e2m1"]), g.node("table", "wide", [m, w], S32)]
    yield g.build(outs), {x: codes[None], u: (codes & 0xFFFF)[None], m: np.arange(16)[None]}


@aimed
def operands_of_every_type() -> Made:
    """Concat, add and mul of operands that differ in width, sign, binary point and kind."""
    formats = (S8, U8, FixedPoint(3, -2), FixedPoint(16, 9, False), FixedPoint(32, 4, False), NAMED["e4m3"], S32)
    for rule, out in (("half_up", S8), ("half_even", NAMED["e3m2"]), ("floor", FixedPoint(32, 6))):
        g = GraphBuilder("net")
        names = [g.input(f"x{i}", (3, 4), fmt) for i, fmt in enumerate(formats)]
        c = g.constant("c", valid_codes(NAMED["e2m1"])[:12].reshape(3, 4), NAMED["e2m1"])
        outs = [g.node("concat", "rows", [*names, c], out, axis=0, rounding=rule)]
        outs += [g.node("concat", "columns", [c, *names[::-1]], out, axis=1, rounding=rule)]
        for a, b in pairwise(names):
            outs += [g.node(op, f"{op}_{a}", [a, b], out, rounding=rule) for op in ("add", "sub")]
        outs += [g.node("mul", f"mul_{a}", [a, names[5]], out, rounding=rule) for a in names[:4]]
        yield g.build(outs), None


@aimed
def two_channels_in_a_word() -> Made:
    """Sums of bytes that end at the edge of 24 bits (room for a second channel beside the first) and of 32 bits."""
    codes = np.array([[0, 0, 0, 0, 0], [255] * 5, [255, 0, 255, 0, 255], [1, 254, 255, 128, 127]])
    for op in ("linear", "conv"):
        g = GraphBuilder("net")
        x = g.input("x", (4, 5), FixedPoint(8, 0, False))
        outs = []
        for bits, over, top, sign, odd in product((24, 32), (0, 1), (True, False), (1, -1), (0, 1)):
            weight = np.where(np.arange(8)[:, None] % 2 == odd, sign * 127, np.array([-128, 127, -128, -1, 1]))
            weight[2:4] = -weight[2:4] // 2
            positive, negative = (255 * clip(weight, 0).sum(axis=1) for clip in (np.maximum, np.minimum))
            shift, half = bits - 7, 1 << (bits - 8)
            edge = (1 << (bits - 1)) - 1 + over if top else -(1 << (bits - 1)) - over
            bias = edge - half - int(positive.max()) if top else edge + half - int(negative.min())
            b = g.constant("b", np.full(8, bias), FixedPoint(32, 0))
            out = FixedPoint(8, -shift)
            if op == "linear":
                outs.append(g.node(op, op, [x, g.constant("w", weight, FixedPoint(8, 0)), b], out))
            else:
                w = g.constant("w", weight[:, None], FixedPoint(8, 0))
                outs.append(g.node(op, op, [x, w, b], out, groups=1, stride=(1,), padding=(0, 0), dilation=(1,)))
        yield g.build(outs), {x: codes[None]}


@aimed
def sums_of_many_bytes() -> Made:
    """Means and pools over 1, 2, 255, 256 and 257 bytes, all greatest, all least: lanes of 16 bits fill to the brim."""
    for sign in (True, False):
        fmt = FixedPoint(8, 0, sign)
        lo, hi = fmt.code_range
        for rule in ("half_up", "half_even", "floor"):
            g = GraphBuilder("net")
            outs, inputs = [], {}
            for terms in (1, 2, 128, 255, 256, 257):
                x = g.input(f"x{terms}", (terms, 7), fmt)
                full = np.tile(np.array([lo, hi, hi, lo, 0, hi, lo]), (terms, 1))
                mixed = np.where(np.arange(terms * 7).reshape(terms, 7) % 3, full, full[:, ::-1])
                inputs[x] = np.stack([full, mixed, np.full((terms, 7), hi), np.full((terms, 7), lo)])
                outs.append(g.node("mean", f"mean{terms}", [x], fmt, axes=(0,), keep_axes=0, rounding=rule))
                pool = {"kernel": (terms,), "stride": (1,), "padding": (0, 0)}
                outs.append(g.node("average_pool", f"pool{terms}", [x], fmt, include_pad=1, rounding=rule, **pool))
                outs.append(g.node("max_pool", f"max{terms}", [x], fmt, dilation=(1,), **pool))
            yield g.build(outs), inputs


@aimed
def joins_of_bytes() -> Made:
    """Every pair of bytes added and subtracted, binary points apart by 0 to 9, saturating and not, clipped and not."""
    codes = np.arange(256)
    a, b = np.repeat(codes, 256)[::7], np.tile(codes, 256)[::7]
    for signs in ((True, True), (True, False), (False, False)):
        g = GraphBuilder("net")
        x, y = (g.input(n, (len(a),), FixedPoint(8, 4, s)) for n, s in zip("xy", signs, strict=True))
        z = g.node("requantise", "z", [y], FixedPoint(6, -1, signs[1]))
        outs = [
            g.node(op, f"{op}{i}", [x, v], FixedPoint(8, p, sign), **attrs)
            for i, (op, v, p, sign, attrs) in enumerate(
                [
                    ("add", y, 4, True, {}),
                    ("add", y, 3, False, {"lo": 0, "hi": 96}),
                    ("sub", y, 4, True, {"rounding": "half_even"}),
                    ("add", z, -1, True, {}),
                    ("sub", z, -2, True, {"lo": 0}),
                    ("add", x, 6, True, {}),
                    ("mul", y, 3, True, {}),
                ]
            )
        ]
        inputs = {n: (c - 128 if s else c)[None] for n, c, s in zip((x, y), (a, b), signs, strict=True)}
        yield g.build(outs), inputs
