"""Carriers: codes to floats and back, for every code of every minifloat and at the ends of fixed point."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.emulator.carrier import carrier_type, code_type, from_carrier, to_carrier
from edgeq.formats import NAMED, Affine, FixedPoint, Minifloat
from edgeq.ir import Interval
from edgeq.verify.random_formats import all_codes

MINIFLOATS = [
    *NAMED.values(),
    *(Minifloat(e, m, specials=s) for e in range(1, 6) for m in range(max(0, 2 - e), 8 - e) for s in ("none", "fnuz")),
    Minifloat(4, 3, bias=-5),
]


@pytest.mark.parametrize("fmt", MINIFLOATS, ids=str)
def test_every_minifloat_code_survives(fmt: Minifloat) -> None:
    codes = all_codes(fmt)
    carried = to_carrier(codes, fmt, np.float32)
    assert np.array_equal(carried.astype(np.int64), fmt.to_grid(codes))
    assert np.array_equal(from_carrier(carried, fmt), codes)


@pytest.mark.parametrize("fmt", MINIFLOATS, ids=str)
def test_computed_grid_numbers_get_the_code_that_the_format_gives(fmt: Minifloat) -> None:
    grid = np.unique(fmt.to_grid(all_codes(fmt)))
    assert np.array_equal(from_carrier(grid.astype(np.float32), fmt, np.int64), fmt.from_grid(grid))


def test_negative_zero_is_carried() -> None:
    fmt = NAMED["e2m1"]
    carried = to_carrier(np.array([8, 0]), fmt, np.float32)
    assert np.signbit(carried).tolist() == [True, False]
    assert from_carrier(carried, fmt).tolist() == [8, 0]


@pytest.mark.parametrize("sign", [True, False])
@pytest.mark.parametrize("width", range(1, 33))
def test_fixed_point_ends_survive(width: int, sign: bool) -> None:
    fmt = FixedPoint(width, 3, sign)
    lo, hi = fmt.code_range
    codes = np.array([lo, 0, hi, max(hi - 1, lo)])
    dtype = carrier_type(fmt, Interval(lo, hi))
    back = from_carrier(to_carrier(codes, fmt, dtype), fmt)
    assert np.array_equal(back, codes)
    assert back.dtype == code_type(fmt)
    assert np.iinfo(back.dtype).bits == (8 if width <= 8 else 16 if width <= 16 else 32)


def test_type_changes_where_float32_ends() -> None:
    fmt = FixedPoint(32)
    assert carrier_type(fmt, Interval(-(1 << 24), 1 << 24)) is np.float32
    assert carrier_type(fmt, Interval(0, (1 << 24) + 1)) is np.float64
    assert carrier_type(fmt, Interval(-(1 << 24) - 1, 0)) is np.float64


@pytest.mark.parametrize("zero", [-(1 << 31), 0, (1 << 31) - 1])
def test_numbers_near_a_far_zero_point_survive(zero: int) -> None:
    """Grid integers that float32 holds, of codes that it does not."""
    fmt = Affine(32, True, zero, 0.5)
    grid = np.array([0, 1, 3, (1 << 20) + 1]) * (-1 if zero > 0 else 1)
    carried = to_carrier(fmt.from_grid(grid), fmt, np.float32)
    assert carried.dtype == np.float32
    assert np.array_equal(carried.astype(np.int64), grid)
    assert np.array_equal(from_carrier(carried, fmt, np.int64), grid + zero)
