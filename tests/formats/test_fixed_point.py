"""FixedPoint and the rounding rules: the scalar reference, its vector twin and plain definitions agree."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import FormatError
from edgeq.formats import RULES, FixedPoint, encode, encode_scalar, from_json, round_ratio, round_scalar

#: worked by hand, as in docs/arithmetic.md
TIES = {
    "half_up": {-2.5: -2, -1.5: -1, -0.5: 0, 0.5: 1, 1.5: 2, 2.5: 3, 1.25: 1, -1.25: -1, 1.75: 2, -1.75: -2},
    "half_even": {-2.5: -2, -1.5: -2, -0.5: 0, 0.5: 0, 1.5: 2, 2.5: 2, 1.25: 1, -1.25: -1, 1.75: 2, -1.75: -2},
    "floor": {-2.5: -3, -1.5: -2, -0.5: -1, 0.5: 0, 1.5: 1, 2.5: 2, 1.25: 1, -1.25: -2, 1.75: 1, -1.75: -2},
}
WIDE = st.integers(-(1 << 62) + 1, (1 << 62) - 1)
FORMATS = st.builds(FixedPoint, st.integers(1, 32), st.integers(-40, 60), st.booleans())


@pytest.mark.parametrize("rule", RULES)
def test_ties_by_hand(rule: str) -> None:
    for x, expected in TIES[rule].items():
        assert round_scalar(Fraction(x), rule) == expected
        assert int(round_ratio(np.array(int(x * 4)), 4, rule)) == expected


@settings(max_examples=300, deadline=None)
@given(WIDE, st.integers(0, 61), st.integers(1, 1 << 62) | st.integers(1, 100), st.sampled_from(sorted(RULES)))
def test_vector_twin_of_rounding(num: int, shrink: int, den: int, rule: str) -> None:
    num >>= shrink
    assert int(round_ratio(np.array([num]), np.array([den]), rule)[0]) == round_scalar(Fraction(num, den), rule)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(1 << 40), 1 << 40), st.integers(1, 1 << 20), st.sampled_from(sorted(RULES)))
def test_ties_and_their_neighbours(whole: int, half: int, rule: str) -> None:
    """(2k+1)h / 2h is a tie; one more or less in the numerator is none (for h > 1)."""
    for num in ((2 * whole + 1) * half + d for d in (-1, 0, 1)):
        x = Fraction(num, 2 * half)
        got = int(round_ratio(np.array(num), 2 * half, rule))
        assert got == round_scalar(x, rule)
        assert got == math.floor(x) if rule == "floor" else abs(got - x) <= Fraction(1, 2)


def test_unknown_rule() -> None:
    for call in (lambda: round_scalar(Fraction(1), "up"), lambda: round_ratio(np.array(1), 2, "up")):
        with pytest.raises(FormatError, match="rounding rule 'up' is unknown; choose one of half_up"):
            call()


@settings(max_examples=500, deadline=None)
@given(FORMATS, WIDE, st.integers(0, 61), st.integers(-70, 130), st.integers(1, 1000), st.sampled_from(sorted(RULES)))
def test_encode_equals_the_reference(fmt: FixedPoint, num: int, shrink: int, frac: int, den: int, rule: str) -> None:
    num >>= shrink
    shift = fmt.point - frac
    half = (den << min(max(-shift, 0), 62)) >> 1 if den > 1 or shift < 0 else 0
    # Within what the range analysis lets through.
    while (abs(num) << max(shift, 0)) + half >= 1 << 62:
        if half >= 1 << 61:
            den, half = 1, ((1 << min(max(-shift, 0), 62)) >> 1)
        num = int(num / 2)
    expected = encode_scalar(Fraction(num, den) * Fraction(2) ** -frac, fmt, rule)
    assert int(encode(np.array([num]), np.array(frac), fmt, rule, den)[0]) == expected
    lo, hi = fmt.code_range
    assert lo <= expected <= hi


@pytest.mark.parametrize("width", range(1, 33))
@pytest.mark.parametrize("signed", [True, False])
def test_every_width_saturates_at_its_range(width: int, signed: bool) -> None:
    fmt = FixedPoint(width, 3, signed)
    lo, hi = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    assert fmt.code_range == fmt.grid_range == (lo, hi)
    assert (fmt.bits, fmt.frac, fmt.signed, fmt.channel_axis) == (width, 3, signed, None)
    exact = np.array([lo - 1, lo, hi, hi + 1, -(1 << 55), 1 << 55], dtype=np.int64) * 2
    for rule in RULES:
        assert encode(exact, np.array(4), fmt, rule).tolist() == [lo, lo, hi, hi, lo, hi]
        assert fmt.to_grid_scalar(lo) == lo
    for code in (lo - 1, hi + 1):
        with pytest.raises(FormatError, match=f"code {code} is outside {lo}..{hi}"):
            fmt.to_grid_scalar(code)
        with pytest.raises(FormatError, match=f"here: code {code} is outside {lo}..{hi}"):
            fmt.check_codes(np.array([lo, code, hi]), "here")
    fmt.check_codes(np.array([lo, hi]), "here")
    fmt.check_codes(np.array([], dtype=float), "here")
    with pytest.raises(FormatError, match="codes must be integers, not float64"):
        fmt.check_codes(np.array([0.0]), "here")


def test_per_channel() -> None:
    fmt = FixedPoint(8, (0, 4, -2), axis=0)
    num = np.array([[[7], [7], [7]], [[-300], [-300], [-300]]])
    # 7/2 and -150 on grids of 1, 1/16 and 4.
    assert encode(num, np.array(1), fmt, "half_up").tolist() == [[[4], [56], [1]], [[-128], [-128], [-37]]]
    for channel in range(3):
        for row in (0, 1):
            expected = encode_scalar(Fraction(int(num[row, channel, 0]), 2), fmt, "half_up", channel)
            assert encode(num, np.array(1), fmt, "half_up")[row, channel, 0] == expected
    assert fmt.decode(np.full((3, 2), 5)).tolist() == [[5, 5], [0.3125, 0.3125], [20, 20]]
    assert fmt.quantize([[1.5], [1.5], [6.0]]).tolist() == [[2], [24], [2]]
    assert str(fmt) == "s8.[-2..4]"
    assert fmt.per_tensor(3) == FixedPoint(8, 3)


def test_grid_of_the_operand_per_channel() -> None:
    """`frac` may differ along the last axis, as the products of a convolution with weights per channel do."""
    got = encode(np.array([[24, 24, 24]]), np.array([0, 4, 5]), FixedPoint(8, 0), "half_even")
    assert got.tolist() == [[24, 2, 1]]


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ((0,), "width must be 1..32 bits, not 0"),
        ((33,), "width must be 1..32 bits, not 33"),
        ((True,), "width must be 1..32 bits"),
        ((8.0,), "width must be 1..32 bits"),
        ((8, 1.5), "binary point must be an int or a non-empty tuple"),
        ((8, True), "binary point must be an int"),
        ((8, 1025), "is outside -1024..1024"),
        ((8, (), True, 0), "non-empty tuple"),
        ((8, (1, 2)), "a tuple needs an axis"),
        ((8, 1, True, 0), "one int has none"),
        ((8, 1, 1), "sign must be True or False"),
        ((8, (1,), True, "c"), "axis must be None or an int"),
    ],
)
def test_what_is_refused(arguments: tuple[Any, ...], fact: str) -> None:
    with pytest.raises(FormatError, match=fact):
        FixedPoint(*arguments)


@pytest.mark.parametrize("fmt", [FixedPoint(1, -3), FixedPoint(32, 31, False), FixedPoint(4, (1, 2), axis=3)], ids=str)
def test_json(fmt: FixedPoint) -> None:
    assert from_json(fmt.to_json()) == fmt


@pytest.mark.parametrize("obj", [{}, {"kind": "posit"}, {"kind": "fixed"}, {"kind": []}, {"kind": "fixed", "width": 8}])
def test_unreadable_json(obj: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="is not readable"):
        from_json(obj)
