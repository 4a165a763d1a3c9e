"""Dyadic requantisation: an exact integer times multiplier / 2**shift, rounded to an integer by a named rule.

It stands where a scale is no power of two. The rules of `rounding` round once; `tflite` is the two roundings of
TensorFlow Lite's reference kernels for sums of 32 bits (gemmlowp's SaturatingRoundingDoublingHighMul, which is
`half_up` at 31 bits, and RoundingDivideByPOT, ties away from zero, for what is left of the shift).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.rounding import RULES, Int64Array, round_ratio, round_scalar

#: a multiplier is below 2**31, a shift at most this
MULTIPLIER_LIMIT = 1 << 31
MOST_SHIFT = 62
#: where `tflite` rounds first
FIRST_SHIFT = 31

#: rules of nodes with a multiplier
DYADIC_RULES = {
    **RULES,
    "tflite": "twice, as TensorFlow Lite does: half_up at 31 bits of the shift, then half away from zero for the rest",
}


def check_dyadic(multiplier: int, shift: int) -> None:
    """Raise FormatError unless 0 <= multiplier < 2**31 and 0 <= shift <= 62."""
    if not 0 <= multiplier < MULTIPLIER_LIMIT or not 0 <= shift <= MOST_SHIFT:
        raise FormatError(f"multiplier {multiplier} / 2**{shift} is outside 0..2**31 - 1 and shifts of 0..{MOST_SHIFT}")


def scale_scalar(x: int, multiplier: int, shift: int, rule: str) -> int:
    """x * multiplier / 2**shift, rounded (the reference)."""
    if rule != "tflite":
        return round_scalar(Fraction(x * multiplier, 1 << shift), rule)
    first = min(shift, FIRST_SHIFT)
    once = round_scalar(Fraction(x * multiplier, 1 << first), "half_up")
    return round_scalar(Fraction(once, 1 << (shift - first)), "half_away")


def scale(x: Int64Array, multiplier: npt.ArrayLike, shift: npt.ArrayLike, rule: str) -> Int64Array:
    """Vector twin of `scale_scalar`; multiplier and shift broadcast, and |x * multiplier| stays below 2**62."""
    m, s = np.asarray(multiplier, dtype=np.int64), np.asarray(shift, dtype=np.int64)
    one = np.ones((), dtype=np.int64)
    product: Int64Array = x * m
    if rule != "tflite":
        return round_ratio(product, one << s, rule)
    first = np.minimum(s, FIRST_SHIFT)
    once = round_ratio(product, one << first, "half_up")
    return round_ratio(once, one << (s - first), "half_away")
