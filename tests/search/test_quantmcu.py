"""VDPC and VDQS on numbers small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.errors import BudgetError, InputError
from edgeq.search.quantmcu import (
    FeatureMap,
    Gaussian,
    Histogram,
    Moment,
    Quantiser,
    best_quantiser,
    chosen_widths,
    classified,
    entropy,
    gaussian,
    scores,
)


def counted(low: int, *counts: int) -> Histogram:
    return Histogram(low, np.array(counts, dtype=np.int64))


def test_a_gaussian_has_the_mean_and_deviation_of_what_is_counted() -> None:
    found = gaussian(counted(-1, 1, 2, 1))  # -1, 0, 0, 1
    assert (found.mean, found.deviation) == (0.0, 0.5**0.5)
    with pytest.raises(InputError, match="no values"):
        gaussian(counted(0, 0, 0))


def test_patches_beyond_the_threshold_in_most_samples_keep_8_bits() -> None:
    model = Gaussian(10.0, 2.0)  # with phi 3: outliers are below 4 and above 16
    least = np.array([[4, 9, 3], [4, 9, 9]])
    most = np.array([[16, 17, 9], [16, 17, 9]])
    assert classified(model, least, most, 3.0, 0.5) == [False, True, False]
    assert classified(model, least, most, 3.0, 0.4) == [False, True, True]
    assert classified(model, least, most, 2.9, 0.5) == [True, True, False]


def test_entropy_of_codes_and_of_what_rounding_leaves_of_them() -> None:
    even = counted(0, 1, 1, 1, 1)
    assert entropy(even) == 2.0
    assert entropy(even, Quantiser(1, False, 1)) == pytest.approx(-(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75)))
    assert entropy(counted(5, 7)) == 0.0


def test_the_best_binary_point_weighs_rounding_against_clipping() -> None:
    # 0, 1, 2, 3 and one 12; two bits: grid 1 clips 12 to 3 (81), grid 4 rounds 1 -> 0, 2 -> 4, 3 -> 4 (1 + 4 + 1)
    histogram = counted(0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert Quantiser(2, False, 0).error(histogram) == 81
    assert Quantiser(2, False, 2).error(histogram) == 6
    assert best_quantiser(histogram, 2, False) == Quantiser(2, False, 2)
    assert best_quantiser(counted(0, 9, 9, 9, 9), 2, False).drop == 0


def test_scores_by_hand() -> None:
    # 16 equally frequent values: H = 4 bits; with 2 bits codes 0..3 of grid 4 or clipped ones
    flat = FeatureMap("flat", counted(0, *[1] * 16), False, 100)
    still = FeatureMap("still", counted(0, 16), False, 50)
    table = scores([flat, still], (8, 4, 2), 0.5)
    best = best_quantiser(flat.histogram, 2, False)
    lost = (4 - entropy(flat.histogram, best)) / 4
    assert table[0] == pytest.approx([0, 0.5 * 400 / 600, 0.5 - 0.5 * lost])  # 4 bits hold 0..15: no entropy is lost
    assert table[1] == pytest.approx([0, 0.5 * 200 / 600, 0.5 * 300 / 600])
    assert scores([flat], (8, 4, 2), 1.0)[0].argmax() == 0
    assert scores([flat], (8, 4, 2), 0.0)[0].argmax() == 2
    with pytest.raises(InputError, match=r"lambda 2"):
        scores([flat], (8,), 2.0)


def test_widths_fall_where_memory_is_short_and_least_is_lost() -> None:
    table = np.array([[0.5, 0.4, 0.0], [0.5, 0.1, 0.0], [0.9, 0.0, 0.0]])
    moments = [Moment(10, {0: 100, 1: 100}), Moment(0, {2: 150})]
    assert chosen_widths(table, (8, 4, 2), moments, None) == [8, 8, 8]
    assert chosen_widths(table, (8, 4, 2), moments, 210) == [8, 8, 8]
    assert chosen_widths(table, (8, 4, 2), moments, 209) == [4, 8, 8]
    # map 0 at 4: going on to 2 loses 0.4 for 25 bytes, map 1 loses 0.4 for 50
    assert chosen_widths(table, (8, 4, 2), moments, 150) == [4, 4, 8]
    with pytest.raises(BudgetError, match="60 bytes are alive at once"):
        chosen_widths(table, (8, 4, 2), moments, 59)
