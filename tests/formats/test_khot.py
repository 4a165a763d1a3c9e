"""K-hot values: the level sets against sums of digits, nearest levels against brute force over every half step."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from edgeq.errors import FormatError
from edgeq.formats import KHot, count_digits, round_scalar
from edgeq.formats.khot import binary_places, digit_masks

CASES = [(bits, k, digits) for bits in (2, 3, 4, 5, 8) for k in (1, 2, 3) for digits in ("signed", "binary")]


def sums_of_digits(bits: int, k: int, digits: str) -> set[int]:
    """Every sum of at most k powers of two, with a sign each or one for all, that the width holds."""
    found = {0}
    for count in range(1, k + 1):
        signs = list(product((1, -1), repeat=count)) if digits == "signed" else [(1,) * count, (-1,) * count]
        # One position more than the width has: no value of the width needs it.
        for shifts in combinations(range(bits + 1), count):
            found |= {sum(s * (1 << p) for s, p in zip(sign, shifts, strict=True)) for sign in signs}
    return {v for v in found if abs(v) < 1 << (bits - 1)}


@pytest.mark.parametrize(("bits", "k", "digits"), CASES)
def test_levels_are_all_sums_of_at_most_k_digits(bits: int, k: int, digits: str) -> None:
    fmt = KHot(bits, k, digits)
    expected = sums_of_digits(bits, k, digits)
    assert fmt.levels.tolist() == sorted(expected)
    every = np.arange(-(1 << bits), (1 << bits) + 1)
    assert fmt.holds(every).tolist() == [int(v) in expected for v in every]


@pytest.mark.sample(10)
@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor"])
@pytest.mark.parametrize(("bits", "k", "digits"), CASES)
def test_nearest_level_against_brute_force(bits: int, k: int, digits: str, rule: str) -> None:
    """Every quarter step over more than the range: all ties, and both sides of each."""
    fmt = KHot(bits, k, digits)
    levels = sorted(sums_of_digits(bits, k, digits))
    quarters = np.arange(-(5 << bits), (5 << bits) + 1)
    got = fmt.nearest(quarters / 4, rule)
    for quarter, level in zip(quarters.tolist(), got.tolist(), strict=True):
        x = Fraction(quarter, 4)
        assert level == fmt.nearest_scalar(x, rule)
        best = min(abs(x - v) for v in levels)
        ties = [v for v in levels if abs(x - v) == best]
        if rule == "floor":
            assert level == max((v for v in levels if v <= x), default=levels[0])
        elif rule == "half_up":
            assert level == max(ties)
        else:
            assert level in ties


def test_with_as_many_digits_as_bits_it_is_ordinary_rounding() -> None:
    fmt = KHot(6, 6, "binary")
    for eighth in range(-300, 301):
        x = Fraction(eighth, 8)
        for rule in ("half_up", "half_even", "floor"):
            assert fmt.nearest_scalar(x, rule) == max(min(round_scalar(x, rule), 31), -31)


def test_nearest_of_floats_beside_a_tie() -> None:
    fmt = KHot(8, 1)
    tie = 48.0  # between 32 and 64
    assert fmt.nearest([np.nextafter(tie, 0), tie, np.nextafter(tie, 99)]).tolist() == [32, 64, 64]
    assert fmt.nearest([tie, -tie], "half_even").tolist() == [64, -64]
    assert fmt.nearest([1.5, 3.0, np.nextafter(1.5, 0)], "half_even").tolist() == [2, 4, 1]
    assert fmt.nearest([1e300, -1e300, 2**60]).tolist() == [64, -64, 64]


def test_digits_are_counted_at_their_fewest() -> None:
    assert count_digits([7, -11, 128, 0, 2**60 - 1], "signed").tolist() == [2, 3, 1, 0, 2]
    assert count_digits([7, -11, 128, 0, 2**60 - 1], "binary").tolist() == [3, 3, 1, 0, 60]


@pytest.mark.parametrize("wrong", [{"bits": 1}, {"bits": 17}, {"khot": 0}, {"khot": True}, {"digits": "octal"}])
def test_wrong_descriptions_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FormatError, match=next(iter(wrong))):
        KHot(**({"bits": 8, "khot": 2, "digits": "signed"} | wrong))


def test_unknown_rule() -> None:
    with pytest.raises(FormatError, match="half_down"):
        KHot(8, 2).nearest([0.5], "half_down")


def test_masks_and_places_are_those_of_the_canonical_digits() -> None:
    values = np.arange(-(1 << 12), 1 << 12)
    ones, minus_ones = digit_masks(values)
    assert np.array_equal(ones - minus_ones, values)
    assert np.array_equal(np.bitwise_count(ones | minus_ones), count_digits(values))
    assert not (ones & minus_ones).any()
    assert not ((ones | minus_ones) & (ones | minus_ones) >> 1).any(), "no two are neighbours"
    assert [binary_places([v]) for v in (0, 1, 2, 3, -3, 85, 86, 127)] == [1, 1, 2, 3, 3, 7, 8, 8]
