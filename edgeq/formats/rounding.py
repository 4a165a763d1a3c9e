"""Rounding rules: which integer stands for an exact rational number.

Each rule exists twice: `round_scalar` on `fractions.Fraction`, to be read beside `docs/arithmetic.md`, and
`round_ratio` on int64 arrays. They are tested against each other on ties, extremes and random ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError

Int64Array = npt.NDArray[np.int64]

#: name -> what it does with a number exactly between two integers (floor: with any number)
RULES = {
    "half_up": "nearest; a tie goes up, towards plus infinity: floor(x + 1/2)",
    "half_even": "nearest; a tie goes to the even neighbour (IEEE 754 roundTiesToEven)",
    "floor": "down, towards minus infinity (ap_fixed TRN)",
}
DEFAULT_RULE = "half_up"
#: part of the rules of imported networks (`affine`, `dyadic`) as well
HALF_AWAY = "half_away"

#: rules of nodes that make fixed point without a multiplier: those above, and what else ap_fixed knows
FIXED_RULES = {
    **RULES,
    "half_down": "nearest; a tie goes down, towards minus infinity: ceil(x - 1/2)",
    HALF_AWAY: "nearest; a tie goes away from zero",
    "half_to_zero": "nearest; a tie goes towards zero",
    "to_zero": "towards zero: the fraction is dropped from the magnitude",
}
#: quantisation modes of ap_fixed (AMD UG1399) -> the rule that is the same
AP_QUANTIZATION = {
    "AP_TRN": "floor",
    "AP_TRN_ZERO": "to_zero",
    "AP_RND": "half_up",
    "AP_RND_ZERO": "half_to_zero",
    "AP_RND_INF": HALF_AWAY,
    "AP_RND_MIN_INF": "half_down",
    "AP_RND_CONV": "half_even",
}


def check_rule(rule: str) -> str:
    """Return `rule`; raise FormatError if nothing here rounds by it."""
    if rule not in _VECTOR:
        raise FormatError(f"rounding rule {rule!r} is unknown; choose one of {', '.join(FIXED_RULES)}")
    return rule


def round_scalar(x: Fraction, rule: str) -> int:
    """Round one exact number to an integer by a named rule (the reference)."""
    if rule == "floor":
        return math.floor(x)
    if rule == "half_up":
        return math.floor(x + Fraction(1, 2))
    if rule == "half_even":
        return round(x)
    if rule == HALF_AWAY:
        return math.floor(x + Fraction(1, 2)) if x > 0 else math.ceil(x - Fraction(1, 2))
    if rule == "half_down":
        return math.ceil(x - Fraction(1, 2))
    if rule == "half_to_zero":
        return math.ceil(x - Fraction(1, 2)) if x > 0 else math.floor(x + Fraction(1, 2))
    if rule == "to_zero":
        return math.trunc(x)
    raise FormatError(f"rounding rule {rule!r} is unknown; choose one of {', '.join(FIXED_RULES)}")


def _half_up(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    return q + (r >= d - r).astype(np.int64)


def _half_even(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    rounded: Int64Array = q + ((r > d - r) | ((r == d - r) & ((q & 1) == 1))).astype(np.int64)
    return rounded


def _half_away(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    # q is the floor: a negative number that is a tie is already away from zero there.
    rounded: Int64Array = q + ((r > d - r) | ((r == d - r) & (q >= 0))).astype(np.int64)
    return rounded


def _half_down(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    return q + (r > d - r).astype(np.int64)


def _half_to_zero(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    rounded: Int64Array = q + ((r > d - r) | ((r == d - r) & (q < 0))).astype(np.int64)
    return rounded


def _to_zero(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    rounded: Int64Array = q + ((q < 0) & (r > 0)).astype(np.int64)
    return rounded


def _floor(q: Int64Array, r: Int64Array, d: Int64Array) -> Int64Array:
    return q


_VECTOR: dict[str, Callable[[Int64Array, Int64Array, Int64Array], Int64Array]] = {
    "half_up": _half_up,
    "half_even": _half_even,
    "floor": _floor,
    HALF_AWAY: _half_away,
    "half_down": _half_down,
    "half_to_zero": _half_to_zero,
    "to_zero": _to_zero,
}


def round_ratio(num: Int64Array, den: Int64Array | int, rule: str) -> Int64Array:
    """Round num/den (den > 0) to integers; arrays broadcast, and nothing inside exceeds the range of int64."""
    d = np.asarray(den, dtype=np.int64)
    q: Int64Array = np.floor_divide(num, d)
    r = num - q * d
    return _VECTOR[check_rule(rule)](q, r, d)
