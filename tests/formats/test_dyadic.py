"""Multipliers: the rules on exact products, the two roundings of TensorFlow Lite, and the vector twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.errors import FormatError
from edgeq.formats import DYADIC_RULES, scale, scale_scalar
from edgeq.formats.dyadic import check_dyadic


def gemmlowp(x: int, multiplier: int, exponent: int) -> int:
    """MultiplyByQuantizedMultiplier as the paper on integer inference describes it, step by step on 32 bits."""
    left, right = max(exponent, 0), max(-exponent, 0)
    product = x * (1 << left) * multiplier
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    high = abs(product + nudge) // (1 << 31) * (1 if product + nudge >= 0 else -1)
    mask = (1 << right) - 1
    rest, threshold = high & mask, (mask >> 1) + (1 if high < 0 else 0)
    return (high >> right) + (1 if rest > threshold else 0)


@given(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(1 << 30, (1 << 31) - 1),
    st.integers(-31, 8),
)
def test_tflite_is_the_rule_of_gemmlowp(x: int, multiplier: int, exponent: int) -> None:
    x >>= max(exponent, 0)
    assert scale_scalar(x, multiplier, 31 - exponent, "tflite") == gemmlowp(x, multiplier, exponent)


def test_ties_of_both_roundings() -> None:
    # One half at 31 bits goes up; one half of what is left goes away from zero.
    half = 1 << 30
    assert [scale_scalar(x, half, 31, "tflite") for x in (1, -1, 3, -3)] == [1, 0, 2, -1]
    assert [scale_scalar(x, half, 32, "tflite") for x in (2, -2, 6, -6)] == [1, -1, 2, -2]
    # Twice rounded: 0.4999… goes to one half, and that to one.
    once = (1 << 31) - 1
    assert scale_scalar(1, once, 32, "tflite") == 1
    assert scale_scalar(1, once, 32, "half_up") == 0


@pytest.mark.parametrize("rule", DYADIC_RULES)
def test_vector_twin(rule: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        bits, shift = int(rng.integers(1, 32)), int(rng.integers(0, 63))
        multiplier = int(rng.choice([0, 1, 3, 1 << 30, (1 << 31) - 1, rng.integers(1 << 31)]))
        x = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), 40)
        # Products that are ties, and their neighbours.
        x = np.concatenate([x, np.arange(-6, 7), [-(1 << 31) + 1, (1 << 31) - 1] if shift < 62 else [0]])
        want = [scale_scalar(int(v), multiplier, shift, rule) for v in x]
        assert scale(x, multiplier, shift, rule).tolist() == want


def test_multipliers_broadcast_over_channels() -> None:
    x = np.array([[5, -5], [7, 9]])
    found = scale(x, (1 << 30, 1 << 29), (30, 30), "half_up")
    assert found.tolist() == [[5, -2], [7, 5]]


@pytest.mark.parametrize(("multiplier", "shift"), [(-1, 0), (1 << 31, 0), (1, -1), (1, 63)])
def test_what_is_refused(multiplier: int, shift: int) -> None:
    with pytest.raises(FormatError, match="is outside"):
        check_dyadic(multiplier, shift)
