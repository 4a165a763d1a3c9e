"""Quantising floats: one exact rounding for every finite float64, saturation for the rest, an error for NaN."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import MINIFLOATS, nearest_code

from edgeq.errors import FormatError
from edgeq.formats import NAMED, RULES, FixedPoint, Minifloat, encode_scalar

FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
NEAR = st.floats(-300, 300, allow_nan=False)
FIXED = st.builds(FixedPoint, st.integers(1, 32), st.integers(-1024, 1024) | st.integers(-8, 40), st.booleans())
RULE = st.sampled_from(sorted(RULES))
LEAST = 5e-324


@settings(max_examples=500, deadline=None)
@given(FIXED, FLOATS | NEAR, RULE)
@example(FixedPoint(8, -1024), -LEAST, "floor")
@example(FixedPoint(8, -100), -1.5 * 2.0**-1000, "floor")
@example(FixedPoint(8, -100), 1.5 * 2.0**-1000, "floor")
@example(FixedPoint(32, 1024), LEAST, "half_up")
@example(FixedPoint(8, 0), 0.5, "half_up")
@example(FixedPoint(8, 0), np.nextafter(0.5, 0), "half_up")
@example(FixedPoint(8, 0), np.nextafter(-0.5, -1), "half_up")
@example(FixedPoint(32, 0), 2147483646.5, "half_even")
@example(FixedPoint(32, 0), np.nextafter(0.5, 1), "half_even")
@example(FixedPoint(32, 0), np.nextafter(-1.5, 0), "half_even")
@example(FixedPoint(32, 0), 1e308, "half_even")
def test_fixed_point_is_exact(fmt: FixedPoint, x: float, rule: str) -> None:
    assert int(fmt.quantize([x], rule)[0]) == encode_scalar(Fraction(x), fmt, rule)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(MINIFLOATS), FLOATS | NEAR, RULE)
@example(Minifloat(5, 2), -LEAST, "floor")
@example(Minifloat(5, 2), np.nextafter(2.0**-17, 1), "half_even")
@example(NAMED["e2m1"], 0.25, "half_up")
@example(NAMED["e2m1"], np.nextafter(0.25, 0), "half_even")
@example(NAMED["e4m3"], -(2.0**-10), "half_up")
@example(NAMED["e4m3"], 464.0, "half_up")
def test_minifloat_is_exact(fmt: Minifloat, x: float, rule: str) -> None:
    assert int(fmt.quantize([x], rule)[0]) == nearest_code(fmt, Fraction(x), rule)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fmt", [FixedPoint(8, 3), FixedPoint(32, 0, False), *NAMED.values()], ids=str)
def test_infinities_saturate(fmt: FixedPoint | Minifloat, rule: str) -> None:
    low, high = fmt.quantize([-np.inf, np.inf], rule)
    assert (int(fmt.to_grid(low)), int(fmt.to_grid(high))) == fmt.grid_range


def test_negative_zero_is_zero() -> None:
    for fmt in (FixedPoint(8, 3), *NAMED.values()):
        assert fmt.quantize([-0.0, 0.0], "floor").tolist() == [0, 0]


def test_nan_names_the_element() -> None:
    x = np.zeros((2, 3, 4))
    x[1, 0, 2] = np.nan
    with pytest.raises(FormatError, match=r"input image: element \(1, 0, 2\) is NaN; remove it before quantising"):
        FixedPoint(8, 3).quantize(x, place="input image")


def test_shapes_and_narrow_floats() -> None:
    fmt = FixedPoint(8, 1)
    assert fmt.quantize(np.float32(0.25)).shape == ()
    assert fmt.quantize(np.zeros((0, 3))).shape == (0, 3)
    assert fmt.quantize(np.array([0.25, 0.75], dtype=np.float16)).tolist() == [1, 2]


def test_decode_then_quantize_is_the_identity() -> None:
    for fmt in (FixedPoint(8, 5), FixedPoint(6, -4, False), *NAMED.values(), Minifloat(4, 3, 30, scale=7)):
        codes = np.array([c for c in range(fmt.code_range[0], fmt.code_range[1] + 1) if _canonical(fmt, c)])
        for rule in RULES:
            assert np.array_equal(fmt.quantize(fmt.decode(codes), rule), codes)


def _canonical(fmt: FixedPoint | Minifloat, code: int) -> bool:
    """Whether a code is a number and not the negative zero."""
    try:
        return fmt.to_grid_scalar(code) != 0 or code == 0
    except FormatError:
        return False
