"""Overflow: what becomes of a rounded number that a fixed-point format does not hold.

Every format saturates. A node that makes fixed point may say otherwise, as ap_fixed may (AMD UG1399). Each mode exists
twice, as the rounding rules do: `overflow_scalar` to be read beside `docs/arithmetic.md`, and `overflow` on arrays.
"""

from __future__ import annotations

import numpy as np

from edgeq.errors import FormatError
from edgeq.formats.fixed_point import FixedPoint
from edgeq.formats.rounding import Int64Array

#: name -> what it does with a number outside the format
OVERFLOWS = {
    "saturate": "the nearest end of the range",
    "wrap": "the code of its lowest bits: modulo 2^width",
    "zero": "zero",
}
DEFAULT_OVERFLOW = "saturate"
#: overflow modes of ap_fixed -> the mode that is the same. AP_SAT_SYM is no mode of its own: it is `saturate` with the
#: lower bound -(2^(width-1) - 1), which `symmetric_bound` gives.
AP_OVERFLOW = {"AP_WRAP": "wrap", "AP_SAT": "saturate", "AP_SAT_ZERO": "zero", "AP_SAT_SYM": "saturate"}

#: what a node clamps to before its overflow mode acts; None: not at this end
Clamp = tuple[int | None, int | None]


def check_overflow(mode: str) -> str:
    """Return `mode`; raise FormatError if nothing here overflows like that."""
    if mode not in OVERFLOWS:
        raise FormatError(f"overflow mode {mode!r} is unknown; choose one of {', '.join(OVERFLOWS)}")
    return mode


def symmetric_bound(fmt: FixedPoint) -> int:
    """The lower bound with which `saturate` is AP_SAT_SYM: the least code is left out (an unsigned one stays)."""
    lo, hi = fmt.code_range
    return -hi if fmt.sign else lo


def overflow_scalar(q: int, fmt: FixedPoint, mode: str, clamp: Clamp = (None, None)) -> int:
    """Grid integer of the format for a rounded number (the reference): clamp to the bounds given, then the mode."""
    lo, hi = fmt.grid_range
    if clamp[0] is not None:
        q = max(q, clamp[0])
    if clamp[1] is not None:
        q = min(q, clamp[1])
    if lo <= q <= hi:
        return q
    if check_overflow(mode) == "saturate":
        return lo if q < lo else hi
    if mode == "zero":
        return 0
    return (q - lo) % (1 << fmt.width) + lo


def overflow(q: Int64Array, fmt: FixedPoint, mode: str, clamp: Clamp = (None, None)) -> Int64Array:
    """Vector twin of `overflow_scalar`; |q| stays below 2**62."""
    lo, hi = fmt.grid_range
    if clamp[0] is not None:
        q = np.maximum(q, clamp[0])
    if clamp[1] is not None:
        q = np.minimum(q, clamp[1])
    if check_overflow(mode) == "saturate":
        return np.clip(q, lo, hi)
    if mode == "zero":
        return np.where((q < lo) | (q > hi), 0, q)
    wrapped: Int64Array = ((q - lo) & ((1 << fmt.width) - 1)) + lo
    return wrapped


__all__ = [
    "AP_OVERFLOW",
    "DEFAULT_OVERFLOW",
    "OVERFLOWS",
    "Clamp",
    "check_overflow",
    "overflow",
    "overflow_scalar",
    "symmetric_bound",
]
