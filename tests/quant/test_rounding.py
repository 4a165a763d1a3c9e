"""Rounding on float tensors: the named rules, exact for every float, with a straight-through gradient."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from edgeq.errors import InputError
from edgeq.formats import round_scalar
from edgeq.quant.recipe import ROUNDINGS
from edgeq.quant.rounding import ROUND_MODULES, round_by, round_ste


def hard_floats(dtype: np.dtype) -> np.ndarray:
    """Ties, their neighbours, the borders of exact integers, tiny and huge numbers, of both signs."""
    ties = np.concatenate([np.arange(-40, 41) / 2, 2.0 ** np.arange(-30, 60), 2.0 ** np.arange(0, 30) + 0.5])
    values = ties.astype(dtype)
    near = [np.nextafter(values, dtype.type(np.inf)), np.nextafter(values, dtype.type(-np.inf))]
    tiny = np.array([np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal, 1e30], dtype=dtype)
    found = np.concatenate([values, *near, tiny])
    return np.concatenate([found, -found])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", ROUNDINGS)
def test_rules_are_exact(rule: str, dtype: str) -> None:
    values = np.concatenate([hard_floats(np.dtype(dtype)), np.random.default_rng(0).normal(0, 9, 5000).astype(dtype)])
    got = round_by(torch.from_numpy(values), rule).numpy()
    assert got.dtype == values.dtype
    expected = [round_scalar(Fraction(float(v)), rule) for v in values]
    assert [int(g) for g in got] == expected


def test_half_up_is_not_floor_of_x_plus_half() -> None:
    below = torch.tensor(np.nextafter(np.float32(0.5), np.float32(0)))
    assert torch.floor(below + 0.5) == 1, "the trap that this guards against"
    assert round_by(below, "half_up") == 0
    odd = torch.tensor(2.0**23 + 1)
    assert round_by(odd, "half_up") == odd


def test_infinities_stay() -> None:
    both = torch.tensor([float("inf"), -float("inf")])
    for rule in ROUNDINGS:
        assert torch.equal(round_by(both, rule), both)


@pytest.mark.parametrize("rule", ROUNDINGS)
def test_gradient_passes_straight_through(rule: str) -> None:
    x = torch.tensor([-1.5, 0.2, 7.5], requires_grad=True)
    weights = torch.tensor([1.0, -2.0, 3.0])
    (round_ste(x, rule) * weights).sum().backward()
    assert torch.equal(x.grad, weights)
    assert torch.equal(ROUND_MODULES[rule]()(x), round_by(x, rule))


def test_unknown_rule() -> None:
    with pytest.raises(InputError, match="half_left"):
        round_by(torch.zeros(1), "half_left")
