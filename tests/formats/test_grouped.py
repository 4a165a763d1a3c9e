"""Grouped: every code of every shift against fractions and gfloat's block formats; rounding, JSON, what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gfloat import decode_block
from gfloat import formats as gf
from oracle import MINIFLOATS, finite

from edgeq.errors import FormatError
from edgeq.formats import MX, MX_GROUP, NAMED, RULES, FixedPoint, Grouped, Minifloat, from_json, grouped

Element = FixedPoint | Minifloat

#: gfloat's description of each MX format
PEERS: dict[str, Any] = {
    "mxfp4": gf.format_info_mxfp4_e2m1,
    "mxfp6_e2m3": gf.format_info_mxfp6_e2m3,
    "mxfp6_e3m2": gf.format_info_mxfp6_e3m2,
    "mxfp8_e4m3": gf.format_info_mxfp8_e4m3,
    "mxfp8_e5m2": gf.format_info_mxfp8_e5m2,
    "mxint8": gf.format_info_mxint8,
}
FIXED = [FixedPoint(bits, 3, sign) for bits in (1, 2, 3, 4, 6, 8) for sign in (True, False)]


def every_code(fmt: Element) -> np.ndarray:
    lo, hi = fmt.code_range
    return np.array([c for c in range(lo, hi + 1) if isinstance(fmt, FixedPoint) or finite(fmt, c)], dtype=np.int64)


@pytest.mark.parametrize("element", [*MINIFLOATS, *FIXED], ids=str)
def test_every_code_of_every_shift_is_the_element_times_a_power_of_two(element: Element) -> None:
    shifts = tuple(range(Grouped.most_spread(element) + 1))
    codes = np.tile(every_code(element), (len(shifts), 1))
    fmt = Grouped(element, codes.shape[1], shifts)
    grid = fmt.to_grid(codes)
    assert isinstance(element.frac, int)
    for place, shift in enumerate(shifts):
        for code, found in zip(codes[place], grid[place], strict=True):
            one = Fraction(element.to_grid_scalar(int(code))) / Fraction(2) ** element.frac
            assert Fraction(int(found)) / Fraction(2) ** element.frac == one * Fraction(2) ** shift
            assert fmt.to_grid_scalar(int(code), place) == found
    assert np.array_equal(fmt.to_grid(fmt.from_grid(grid)), grid)
    lo, hi = fmt.grid_range
    assert lo == grid.min()
    assert hi == grid.max() <= 1 << 33


@pytest.mark.parametrize("name", MX)
def test_blocks_are_those_of_gfloat(name: str) -> None:
    element, info, rng = MX[name], PEERS[name], np.random.default_rng(len(name))
    most = min(Grouped.most_spread(element), 12)
    good = every_code(element)
    exponents = rng.integers(-9, -9 + most, (3, 2), endpoint=True)
    codes = rng.choice(good, (3, 2 * MX_GROUP))
    fmt = grouped(element, MX_GROUP, exponents)
    mine = fmt.decode(codes)
    for channel in range(3):
        for block in range(2):
            part = slice(block * MX_GROUP, (block + 1) * MX_GROUP)
            # An E8M0 scale is its exponent plus 127; codes of integers are bit patterns.
            words = [127 + int(exponents[channel, block]), *(int(c) % 256 for c in codes[channel, part])]
            assert list(mine[channel, part]) == list(decode_block(info, words))


def test_groups_run_along_input_channels_of_each_tap() -> None:
    fmt = Grouped(FixedPoint(4, 0), 3, tuple(range(2 * 2 * 2)))
    # (O, taps, C) with C = 4: a group of three and one of one for each channel and tap.
    grid = fmt.to_grid(np.ones((2, 2, 4), dtype=np.int64))
    assert grid.reshape(4, 4).tolist() == [[1 << 2 * i] * 3 + [2 << 2 * i] for i in range(4)]


def test_one_changed_exponent_changes_its_group_alone() -> None:
    fmt = grouped(NAMED["e2m1"], 2, [[0, 1], [2, 0]])
    codes = np.full((2, 4), 2)
    changed = replace(fmt, shifts=(0, 1, 3, 0))
    different = fmt.to_grid(codes) != changed.to_grid(codes)
    assert different.tolist() == [[False] * 4, [True, True, False, False]]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("element", [NAMED["e2m1"], NAMED["e3m2"], FixedPoint(4, 0), FixedPoint(3, 0, False)], ids=str)
def test_rounding_is_that_of_the_element_in_its_group(element: Element, rule: str) -> None:
    fmt = Grouped(element, 1, (0, 2, 5))
    for place, shift in enumerate(fmt.shifts):
        levels = sorted({element.to_grid_scalar(int(c)) << shift for c in every_code(element)})
        numbers = [Fraction(a + b, 2) for a, b in pairwise(levels)] + [Fraction(v) for v in levels]
        numbers += [Fraction(n.numerator * 8 + d, n.denominator * 8) for n in numbers for d in (-1, 1)]
        for x in numbers:
            want = element.round_scalar(x / 2**shift, rule) << shift
            num, den = np.full((1, 3), x.numerator), np.full((1, 3), x.denominator)
            assert fmt.round_scalar(x, rule, place) == want
            assert fmt.round_grid(num, den, rule)[0, place] == want


def test_reals_are_quantised_in_their_group() -> None:
    fmt = grouped(NAMED["e2m1"], 2, [[-3, 4]])
    x = np.array([[0.26, 9.0, 9.0, -1e30]])
    # In steps of 2^-3 up to 0.75, and of 2^4 up to 96.
    assert fmt.decode(fmt.quantize(x)).tolist() == [[0.25, 0.75, 8.0, -96.0]]
    assert fmt.frac == (4,)


def test_json_reads_back_equal() -> None:
    for element in (FixedPoint(4, 3), NAMED["e4m3"], FixedPoint(5, (1, 2), True, 0)):
        fmt = Grouped(element, 16, (0, 3, 1, 0))
        assert from_json(fmt.to_json()) == fmt


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grouped(NAMED["e2m1"], 0, (0,)), "group must be an int of at least 1"),
        (lambda: Grouped(NAMED["e2m1"], 4, ()), "non-empty tuple"),
        (lambda: Grouped(NAMED["e2m1"], 4, (-1, 0)), r"shifts -1..0 are outside 0..29"),
        (lambda: Grouped(NAMED["e4m3"], 4, (0, 16)), r"shifts 0..16 are outside 0..15"),
        (lambda: Grouped(FixedPoint(4, (1, 2), True, 1), 4, (0,)), "axis 0 only"),
        (lambda: Grouped(NAMED["e2m1"], 4, (0, 1)).to_grid(np.zeros((1, 4), np.int64)), "2 group scales do not fit"),
        (lambda: grouped(NAMED["e4m3"], 4, [[0, 1], [-8, 9]], "fc.weight"), "fc.weight: .* of channel 1 lie 17 powers"),
        (lambda: from_json({"kind": "grouped", "element": {"kind": "affine"}, "group": 1, "shifts": [0]}), "readable"),
        (lambda: from_json({"kind": "grouped", "element": 3, "group": 1, "shifts": [0]}), "not readable"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        make()
