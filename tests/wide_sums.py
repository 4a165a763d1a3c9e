"""Networks whose sums need more than 63 bits: E5M2 times E5M2, aimed at ties, the least bit and both ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats import FIXED_RULES, NAMED, RULES, FixedPoint, Format, Grouped, Minifloat, minifloat
from edgeq.ir import Graph, GraphBuilder

E5M2 = NAMED["e5m2"]
#: its codes of 1 and 2^31 on the grid; the products are on a grid of 32 places
ONE, BIG = 1, 120
PLACES = 32
#: fixed-point outputs: products of BIG are halves, ones and quarters of a step, or beyond it, or lie far below one
POINTS = (PLACES - 63, PLACES - 62, PLACES - 64, PLACES - 90)
Codes = dict[str, np.ndarray]


def few_codes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, the least numbers, powers of two and the greatest number, of both signs: sums are ties or nearly so."""
    return rng.choice([0, 0, ONE, 2, 3, BIG - 4, BIG, BIG, 123], shape) | rng.choice([0, 128], shape)


def codes_of(rng: np.random.Generator, fmt: Minifloat, shape: tuple[int, ...]) -> np.ndarray:
    """Any numbers of a minifloat."""
    top = int(fmt.from_grid(np.array([fmt.max_magnitude]))[0])
    magnitude = rng.integers(0, top, shape, endpoint=True)
    return magnitude | (rng.integers(1, size=shape, endpoint=True) << (fmt.bits - 1)) * (magnitude > 0)


def rounding(
    rules: Sequence[str] = tuple(FIXED_RULES),
    floats: Sequence[str] = tuple(RULES),
    overflow: Sequence[str] = ("wrap", "zero"),
) -> tuple[Graph, Codes]:
    """Four products each: every rule, fixed point and minifloats, bounds, overflow; a bit of 2^-62 decides many."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("rounding")
    x = b.input("x", (4,), E5M2)
    one, least = BIG | 128, ONE | 128
    rows = [[BIG, BIG, ONE, ONE], [BIG, one, ONE, least], [BIG - 4, BIG, 0, ONE], [one, one, least, least],
            [123, 123, 123, 123], [0, BIG, 2, ONE]]  # fmt: skip
    w = b.constant("w", np.array(rows), E5M2)
    outs = []

    def node(name: str, fmt: Format, **attrs: int | str) -> None:
        outs.append(b.node("linear", name, [x, w], fmt, **attrs))

    for rule in rules:
        for point in POINTS:
            node(f"{rule}_{PLACES - point}", FixedPoint(5, point), rounding=rule)
    for rule in floats:
        for name, point in (("e5m2", PLACES - 62), ("e2m1", PLACES - 62), ("e3m0", PLACES - 64), ("e5m2fnuz", 16)):
            fmt = minifloat(name).per_tensor(point)
            node(f"{rule}_{name}", fmt, rounding=rule, lo=-fmt.max_magnitude if rule != "floor" else 0)
    for mode in overflow:
        for point in (PLACES - 63, PLACES - 1, PLACES, PLACES + 8):
            fmt = FixedPoint(7, point, point % 3 > 0)
            for clamp in ({}, {"lo": 0}, {"hi": 9}):
                rule = tuple(FIXED_RULES)[len(outs) % len(FIXED_RULES)]
                node(f"{mode}_{point % 99}_{'_'.join(clamp)}", fmt, rounding=rule, overflow=mode, **clamp)
    node("left", FixedPoint(32, PLACES + 20), rounding="half_up")
    node("all", FixedPoint(32, PLACES - 40), rounding="half_even")
    large, small = (
        rng.choice([0, BIG - 4, BIG, BIG, BIG, 123], (96, 2)),
        rng.choice([0, 0, 0, ONE, ONE, 2, BIG], (96, 2)),
    )
    return b.build(outs), {"x": np.concatenate([large, small], axis=1) | rng.choice([0, 128], (96, 4))}


def operators(kinds: Sequence[str] = ()) -> tuple[Graph, Codes]:
    """Every operator that multiplies, and those that align far grids; scales of channels and of groups, biases, groups.

    kinds: names of the nodes to have; none: all.
    """
    rng = np.random.default_rng(2)
    b = GraphBuilder("operators")
    x = b.input("x", (5, 4, 4), E5M2)
    y = b.input("y", (5, 4, 4), minifloat("e5m2fnuz"))
    each = Minifloat(5, 2, specials="ocp", scale=(-3, 0, 2, 1), axis=0)
    window = {"stride": (1, 1), "padding": (1, 1, 1, 0), "dilation": (1, 1)}
    outs: list[str] = []

    def node(op: str, name: str, ins: list[str], fmt: Format, **attrs: object) -> None:
        if not kinds or name in kinds:
            outs.append(b.node(op, name, ins, fmt, **attrs))  # type: ignore[arg-type]

    def weights(name: str, shape: tuple[int, ...], fmt: Format = each) -> str:
        return b.constant(name, codes_of(rng, E5M2, shape), fmt)

    grouped = Grouped(E5M2, 2, tuple(int(s) for s in rng.integers(0, 2, 4 * 2)))
    bias = b.constant("b", rng.integers(-(1 << 30), 1 << 30, 4), FixedPoint(32, (-10, 0, -20, 9), True, 0))
    node("conv", "conv", [x, weights("w", (4, 3, 2, 4)), bias], E5M2.per_tensor(-2), groups=1, rounding="half_even",
         **window)  # fmt: skip
    node("conv", "pairs", [x, weights("w2", (4, 3, 2, 2)), bias], FixedPoint(16, -16), groups=2, **window)
    node("conv", "depthwise", [x, weights("w1", (4, 2, 2, 1)), bias], FixedPoint(8, -24), groups=4, lo=0, **window)
    node("conv", "scaled", [x, weights("wg", (4, 1, 1, 4), grouped)], E5M2, groups=1, **window)
    node("conv_transpose", "transposed", [x, weights("wt", (4, 2, 2, 4)), bias], E5M2.per_tensor(1), groups=1,
         output_padding=(0, 0), rounding="floor", **{**window, "stride": (2, 2)})  # fmt: skip
    node("linear", "linear", [y, weights("wl", (4, 4)), bias], NAMED["e4m3"].per_tensor(-9))
    node("linear", "groups", [x, weights("wh", (4, 4), grouped)], FixedPoint(8, -27), rounding="half_even")
    rows, turned = b.node("reshape", "rows", [x], E5M2, shape=(5, 16)), None
    if not kinds or "matmul" in kinds:
        turned = b.node("transpose", "turned", [rows], E5M2, permutation=(1, 0))
        node("matmul", "matmul", [rows, turned], E5M2.per_tensor(-4))
    node("mul", "mul", [x, y], FixedPoint(12, -12), rounding="half_even")
    node("mul", "square", [y, y], E5M2.per_tensor(-15))
    node("prelu", "prelu", [y, weights("slope", (4,), E5M2.per_tensor(-18))], FixedPoint(16, 0), rounding="half_even")
    far = b.constant("far", rng.integers(-100, 100, 4), FixedPoint(8, 66))
    for op in ("add", "sub", "maximum", "minimum"):
        node(op, op, [x, far], FixedPoint(8, -8), rounding="half_even")
    node("concat", "concat", [b.constant("c", codes_of(rng, E5M2, (5, 4, 2)), E5M2), x], FixedPoint(9, 55), axis=2)
    node("requantise", "requantise", [y], FixedPoint(32, 52), rounding="floor")
    node("sum", "sum", [y], FixedPoint(16, 50), axes=(0, 1), keep_axes=0)
    shares = {"low": (0, 3, 0, 2), "high": (1, 1, 3, 3), "weight": (1, 2, 1, 3), "bits": 2}
    node("resize_bilinear", "between", [y], FixedPoint(8, 53), size=(2, 2), **shares)
    samples = np.concatenate([codes_of(rng, E5M2, (6, 5, 4, 4)), few_codes(rng, (6, 5, 4, 4))])
    others = few_codes(rng, (12, 5, 4, 4))
    return b.build(outs), {"x": samples, "y": np.where(others == 128, 127, others)}
