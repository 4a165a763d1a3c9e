"""Weights of few digits: where the digits of a layer's weights may stand, and the weights as codes of such digits.

A weight is a sum of at most K signed powers of two (`edgeq.formats.khot`). Hardware has a shifter for each of the K
digits (hls/rtl/eq_dot_khot.v), and a shifter is as large as the range of its shifts, so each gets the range that it
needs: the cheapest ranges with which every weight of the layer can be written. Any form of a weight will do, not only
the canonical one: 96 is 128 - 32, and 64 + 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, reduce
from itertools import combinations_with_replacement, product
from operator import or_
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgeq.formats.khot import count_digits

Codes = npt.NDArray[np.int64]
#: most digits of a weight that there are shifters for
MOST_DIGITS = 3
#: bits of weights up to which all ranges are tried
_SEARCHED = 9


class Place(NamedTuple):
    """Where a digit may stand: it is ±2^(base + shift), shift < shifts, or nothing."""

    base: int
    shifts: int

    def luts(self, x_bits: int) -> int:
        """Look-up tables of its shifter: a bit of each stage each, less those that are zero or the element."""
        stages = range((self.shifts - 1).bit_length())
        return sum(x_bits + min(2 << s, self.shifts) - 1 - (1 << s) for s in stages)

    def ffs(self, x_bits: int) -> int:
        """Flip-flops of its shifter: those behind each stage, sign and shift on their way."""
        stages = (self.shifts - 1).bit_length()
        if not stages:
            return x_bits + 1
        return sum(x_bits + min(2 << s, self.shifts) - 1 for s in range(stages)) + stages * (stages + 1) // 2

    def term_bits(self, x_bits: int) -> int:
        """Width of what the shifter gives."""
        return x_bits + self.shifts - 1


Places = tuple[Place, ...]


def find_places(weight: Codes, x_bits: int) -> Places:
    """The cheapest places for a layer's weights with elements of that width; () where they have too many digits."""
    values = np.unique(np.abs(weight))
    digits = max(1, int(count_digits(values).max()))
    return _find(tuple(values.tolist()), digits, x_bits) if digits <= MOST_DIGITS else ()


@lru_cache(maxsize=256)
def _find(values: tuple[int, ...], digits: int, x_bits: int) -> Places:
    top = min(max(1, values[-1]).bit_length(), 15)  # 127 is 128 - 1
    if top > _SEARCHED:  # canonical digits stand apart by two
        return tuple(Place(2 * i, max(1, top + 1 - 2 * (digits - 1))) for i in range(digits))
    ranges = [Place(base, end - base + 1) for base in range(top + 1) for end in range(base, top + 1)]
    tried = combinations_with_replacement(ranges, digits)
    by_cost = sorted(tried, key=lambda places: sum(p.luts(x_bits) + p.term_bits(x_bits) for p in places))
    wanted = sum(1 << (v + (4 << top)) for v in values)
    return next(places for places in by_cost if wanted & ~_written(places, 4 << top) == 0)


def _written(places: Places, middle: int) -> int:
    """The numbers that digits at the places can be, a bit for each; that of zero is `middle`."""
    found = 1 << middle
    for place in places:
        powers = [1 << (place.base + s) for s in range(place.shifts)]
        found |= reduce(or_, (found << power | found >> power for power in powers))
    return found


def weight_bits(places: Places) -> int:
    """Width of a weight's digits: {used, negative, shift} of one width for all places."""
    return len(places) * (2 + max((p.shifts - 1).bit_length() for p in places))


def packed_places(places: Places) -> int:
    """As the modules read them: {shifts - 1 [3:0], base[3:0]} for each place, the first lowest."""
    return sum(((p.shifts - 1) << 4 | p.base) << (8 * i) for i, p in enumerate(places))


def unpacked_places(packed: int, count: int) -> Places:
    """The inverse of `packed_places`."""
    fields = [packed >> (8 * i) for i in range(count)]
    return tuple(Place(field & 15, (field >> 4 & 15) + 1) for field in fields)


def coded(weight: Codes, places: Places) -> tuple[Codes, Codes]:
    """Weights as codes of their digits, and what a sum lacks for each since -x is taken as ~x: both as `weight`."""
    forms = _forms(places)
    values, where = np.unique(weight, return_inverse=True)
    codes, lacks = (np.array([forms[v][i] for v in values.tolist()], dtype=np.int64) for i in (0, 1))
    return codes[where].reshape(weight.shape), lacks[where].reshape(weight.shape)


@lru_cache(maxsize=256)
def _forms(places: Places) -> Mapping[int, tuple[int, int]]:
    """Each number that digits at the places can be: code and correction of its form with the fewest digits."""
    each = weight_bits(places) // len(places)
    found: dict[int, tuple[int, int]] = {}
    for digits in sorted(
        product(*(_digits(place, each - 2) for place in places)), key=lambda form: sum(n != 0 for n, _ in form)
    ):
        code = sum(field << (i * each) for i, (_, field) in enumerate(digits))
        lacks = sum(1 << place.base for place, (n, _) in zip(places, digits, strict=True) if n < 0)
        found.setdefault(sum(n for n, _ in digits), (code, lacks))
    return found


def _digits(place: Place, shift_bits: int) -> list[tuple[int, int]]:
    """What a digit may be, and its field {used, negative, shift}."""
    found = [(0, 0)]
    for shift in range(place.shifts):
        power = 1 << (place.base + shift)
        found += [(power, 2 << shift_bits | shift), (-power, 3 << shift_bits | shift)]
    return found
