"""KHot: integers with at most K non-zero digits, so that a product is K shifted copies of the other factor.

Two kinds of digits. `signed`: digits -1, 0, 1 in any position (canonical signed digits have the fewest non-zero ones,
so a value is K-hot when its canonical form is; 7 = 8 - 1 takes two). `binary`: the ones of the magnitude, with one sign
for the whole value, which is the plain-binary variant of QFX (arXiv 2401.17544); 7 = 4 + 2 + 1 takes three.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.rounding import Int64Array

#: kinds of digits
DIGITS = ("signed", "binary")
#: rules of `nearest`: between neighbouring levels, as `edgeq.formats.rounding` has them between neighbouring integers
NEAREST_RULES = ("half_up", "half_even", "floor")


@dataclass(frozen=True)
class KHot:
    """The integers of magnitude below 2**(bits - 1) with at most `khot` non-zero digits; symmetric around zero.

    bits:   width of a two's complement code, sign included, 2 to 16.
    khot:   the most non-zero digits, at least 1.
    digits: "signed" or "binary".
    """

    bits: int
    khot: int
    digits: str = "signed"

    def __post_init__(self) -> None:
        for key, least, most in (("bits", 2, 16), ("khot", 1, 16)):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise FormatError(f"KHot {key} must be {least} to {most}, not {value!r}")
        if self.digits not in DIGITS:
            raise FormatError(f"KHot digits must be one of {', '.join(DIGITS)}, not {self.digits!r}")

    @property
    def levels(self) -> Int64Array:
        """Every value, ascending; read-only."""
        return _levels(self)

    @property
    def top(self) -> int:
        """The greatest value; the least is its negative."""
        return int(self.levels[-1])

    def holds(self, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which integers are levels."""
        v = np.asarray(values, dtype=np.int64)
        fits = np.abs(v) < 1 << (self.bits - 1)
        return fits & (count_digits(np.where(fits, v, 0), self.digits) <= self.khot)

    def nearest_scalar(self, x: Fraction, rule: str = "half_up") -> int:
        """The level nearest to `x`, in units of the grid, saturated: the reference for `nearest`.

        Ties between two levels: half_up takes the greater, half_even the one that a greater power of two divides (for
        neighbouring integers the even one; of two alike the greater). floor: the greatest level that is not above.
        """
        _check_rule(rule)
        levels = [int(v) for v in self.levels]
        if rule == "floor":
            return max((v for v in levels if v <= x), default=levels[0])
        least = min(abs(v - x) for v in levels)
        ties = [v for v in levels if abs(v - x) == least]
        return max(ties, key=lambda v: (_twos(v), v)) if rule == "half_even" else max(ties)

    def nearest(self, x: npt.ArrayLike, rule: str = "half_up") -> Int64Array:
        """Levels nearest to numbers in units of the grid, as `nearest_scalar`; exact for every float64 and int64."""
        found: Int64Array = self.levels[np.searchsorted(self.thresholds(rule), np.asarray(x), side="right")]
        return found

    def thresholds(self, rule: str = "half_up") -> npt.NDArray[np.float64]:
        """Where rounding goes from each level to the next: from its threshold on, a number belongs to the greater.

        Half-integers, or, where a tie belongs to the lesser, the next float64 above.
        """
        return _thresholds(self, rule)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as a recipe has it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.bits} bits, {self.khot} {self.digits} digits"


def count_digits(values: npt.ArrayLike, digits: str = "signed") -> Int64Array:
    """Non-zero digits of integers of magnitude below 2**61: the least number that any form needs."""
    v = np.abs(np.asarray(values, dtype=np.int64))
    # The canonical signed digits of v stand where 3v and v differ (Reitwiesner 1960).
    ones = v if digits == "binary" else (3 * v) ^ v
    return np.bitwise_count(ones).astype(np.int64)


def digit_masks(values: npt.ArrayLike) -> tuple[Int64Array, Int64Array]:
    """Canonical signed digits of integers of magnitude below 2**61: where the ones stand, and where the minus ones."""
    v = np.asarray(values, dtype=np.int64)
    half = v >> 1
    sum_ = v + half
    digits = sum_ ^ half
    return sum_ & digits, half & digits


def binary_places(values: npt.ArrayLike) -> int:
    """How many places the canonical signed digits of integers take together, at least one."""
    return max(1, (3 * int(np.abs(np.asarray(values, dtype=np.int64)).max(initial=0))).bit_length() - 1)


@lru_cache(maxsize=256)
def _levels(fmt: KHot) -> Int64Array:
    most = (1 << (fmt.bits - 1)) - 1
    values = np.arange(-most, most + 1, dtype=np.int64)
    found = values[fmt.holds(values)]
    found.setflags(write=False)
    return found


@lru_cache(maxsize=256)
def _thresholds(fmt: KHot, rule: str) -> npt.NDArray[np.float64]:
    _check_rule(rule)
    lower, upper = fmt.levels[:-1], fmt.levels[1:]
    if rule == "floor":
        found = upper.astype(np.float64)
    else:
        found = (lower + upper) / 2.0
        if rule == "half_even":
            down = np.array([_twos(int(a)) > _twos(int(b)) for a, b in zip(lower, upper, strict=True)], dtype=np.bool_)
            found = np.where(down, np.nextafter(found, np.inf), found)
    found.setflags(write=False)
    return found


def _twos(value: int) -> int:
    """How often two divides a value; zero counts as divided most often."""
    return (value & -value).bit_length() if value else 64


def _check_rule(rule: str) -> None:
    if rule not in NEAREST_RULES:
        raise FormatError(f"KHot values are rounded by one of {', '.join(NEAREST_RULES)}, not {rule!r}")


__all__ = ["DIGITS", "KHot", "binary_places", "count_digits", "digit_masks"]
