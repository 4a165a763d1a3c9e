"""Carriers: how the fast emulator holds a value, as floats that are exactly the integers of its grid.

A float32 holds every integer up to 2**24 in magnitude and a float64 every one up to 2**53, so as long as the range
analysis proves that bound, float arithmetic *is* integer arithmetic, and BLAS may do it. A minifloat fits float32 on
any grid, because it has few significant bits; its negative zero is carried as the float's negative zero.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.ir import Interval

#: array of exact integers in float32 or float64, batch first
Carried = npt.NDArray[Any]
#: np.float32 or np.float64
FloatType = type[Any]

#: largest magnitude up to which a float type holds every integer
FLOAT32_BITS = 24
FLOAT32_LIMIT = 1 << FLOAT32_BITS
FLOAT64_LIMIT = 1 << 53


def carrier_type(fmt: Format, interval: Interval) -> FloatType:
    """The narrowest float type that carries every grid integer of `interval` exactly."""
    if isinstance(fmt, Minifloat) or max(-interval.lo, interval.hi) <= FLOAT32_LIMIT:
        return np.float32
    return np.float64


def code_type(fmt: Format) -> npt.DTypeLike:
    """The narrowest integer type that holds every code of `fmt`."""
    lo, hi = fmt.code_range
    types = (np.int8, np.int16, np.int32) if lo < 0 else (np.uint8, np.uint16, np.uint32)
    return next(t for t in types if np.iinfo(t).min <= lo and hi <= np.iinfo(t).max)


def to_carrier(codes: npt.NDArray[Any], fmt: Format, dtype: FloatType) -> Carried:
    """Codes to carried grid integers."""
    if isinstance(fmt, FixedPoint):
        return codes.astype(dtype)
    if isinstance(fmt, Affine):
        # A code may be beyond what float32 holds where its distance from the zero point is not.
        shifted: npt.NDArray[Any] = codes.astype(np.float64 if fmt.width > FLOAT32_BITS else dtype)
        shifted -= shifted.dtype.type(fmt.zero_point)
        return shifted.astype(dtype, copy=False)
    assert isinstance(fmt, Minifloat)
    found: npt.NDArray[Any] = _decode_table(fmt.exponent, fmt.mantissa, fmt.specials)[codes].astype(dtype, copy=False)
    return found


def from_carrier(x: Carried, fmt: Format, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """Carried grid integers to codes, of the narrowest integer type unless `dtype` says otherwise."""
    want = code_type(fmt) if dtype is None else dtype
    if isinstance(fmt, FixedPoint):
        return x.astype(want)
    if isinstance(fmt, Affine):
        if fmt.width > FLOAT32_BITS:
            x = x.astype(np.float64, copy=False)
        coded: npt.NDArray[Any] = (x + x.dtype.type(fmt.zero_point)).astype(want)
        return coded
    assert isinstance(fmt, Minifloat)
    magnitude = np.abs(x).astype(np.float32, order="C")
    mantissa = fmt.mantissa
    # The upper bits of an IEEE float count up as the codes of a minifloat do; only the exponent's origin differs.
    normal = (magnitude.view(np.int32) >> (23 - mantissa)) - ((126 + mantissa) << mantissa)
    # Below the least normal number codes are the integers themselves, and there `normal` is never greater.
    code = np.maximum(normal, np.minimum(magnitude, float(1 << mantissa)).astype(np.int32))
    found: npt.NDArray[Any] = (code | (np.signbit(x).astype(np.int32) << (fmt.bits - 1))).astype(want)
    return found


@lru_cache(maxsize=64)
def _decode_table(exponent: int, mantissa: int, specials: str) -> npt.NDArray[np.float32]:
    """Grid integer of every code, the negative zero as such; codes that are no number are never looked up."""
    fmt = Minifloat(exponent, mantissa, specials=specials)
    codes = np.arange(1 << fmt.bits)
    negative, rest = codes >> (fmt.bits - 1) > 0, codes & ((1 << (fmt.bits - 1)) - 1)
    e, m = rest >> mantissa, rest & ((1 << mantissa) - 1)
    normal = np.ldexp((m + (1 << mantissa)).astype(np.float64), np.maximum(e - 1, 0))
    magnitude = np.where(e > 0, normal, m)
    return np.where(negative, -magnitude, magnitude).astype(np.float32)
