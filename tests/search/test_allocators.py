"""Allocators against every assignment of small problems, and what they say where nothing fits."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest

from edgeq.errors import BudgetError, InputError
from edgeq.search.allocators import ALLOCATORS
from edgeq.search.allocators.baselines import random, uniform
from edgeq.search.allocators.pareto import frontier
from edgeq.search.problem import Problem, Row


def problem(seed: int, choices: int = 5, pairs: bool = True, rows: int = 1) -> Problem:
    """Random losses and costs, both mostly falling or rising along the options, and a budget in between."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(2, 4, choices)]
    losses = tuple(np.sort(rng.exponential(1.0, n))[::-1].copy() for n in sizes)
    made = []
    for _ in range(rows):
        single = {i: np.sort(rng.integers(0, 50, n)).astype(float) for i, n in enumerate(sizes) if rng.random() < 0.8}
        joined = {
            (i, j): rng.integers(0, 30, (sizes[i], sizes[j])).astype(float)
            for i in range(choices) for j in range(i + 1, choices) if pairs and rng.random() < 0.4
        }  # fmt: skip
        made.append(Row(float(rng.integers(0, 20)), single, joined))
    found = Problem(losses, tuple(made), 0.0)
    every = [found.cost(a) for a in product(*(range(n) for n in sizes))]
    return Problem(losses, tuple(made), float(np.quantile(every, rng.uniform(0.1, 0.9))))


def brute_force(given: Problem) -> float:
    """The least loss of all assignments that fit."""
    return min(given.loss(a) for a in product(*(range(n) for n in given.sizes)) if given.fits(a))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("pairs", [False, True])
def test_exact_allocators_find_what_trying_everything_finds(seed: int, pairs: bool) -> None:
    given = problem(seed, pairs=pairs)
    for name in ("pareto", "ilp"):
        found = ALLOCATORS[name](given)
        assert given.fits(found.assignment)
        assert found.exact
        assert given.loss(found.assignment) == pytest.approx(brute_force(given), rel=1e-9), name


@pytest.mark.parametrize("seed", range(10))
def test_the_programme_knows_several_rows(seed: int) -> None:
    given = problem(seed, rows=3)
    found = ALLOCATORS["ilp"](given)
    assert given.fits(found.assignment)
    assert given.loss(found.assignment) == pytest.approx(brute_force(given), rel=1e-9)
    with pytest.raises(InputError, match="take ilp or greedy"):
        ALLOCATORS["pareto"](given)


@pytest.mark.parametrize("seed", range(10))
def test_greedy_fits_and_no_single_step_betters_it(seed: int) -> None:
    given = problem(seed, pairs=False)
    found = ALLOCATORS["greedy"](given)
    best = brute_force(given)
    assert given.fits(found.assignment)
    assert given.loss(found.assignment) >= best - 1e-12
    for i, size in enumerate(given.sizes):
        for k in range(size):
            step = (*found.assignment[:i], k, *found.assignment[i + 1 :])
            assert not given.fits(step) or given.loss(step) >= given.loss(found.assignment)


def test_the_frontier_is_that_of_all_assignments() -> None:
    given = problem(3)
    every = [(given.cost(a), given.loss(a)) for a in product(*(range(n) for n in given.sizes)) if given.fits(a)]
    wanted = sorted({(c, min(v for x, v in every if x <= c)) for c, _ in every})
    wanted = [p for i, p in enumerate(wanted) if not i or p[1] < wanted[i - 1][1]]
    costs, losses, assignments, exact = frontier(given)
    assert exact
    assert np.allclose(list(zip(costs, losses, strict=True)), wanted)
    for cost, loss, assignment in zip(costs, losses, assignments, strict=True):
        assert given.cost(assignment) == pytest.approx(cost)
        assert given.loss(assignment) == pytest.approx(loss)


def test_too_many_points_are_thinned_and_said(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(sys.modules["edgeq.search.allocators.pareto"], "LIMIT", 4)
    given = problem(1, choices=7, pairs=False)
    found = ALLOCATORS["pareto"](given)
    assert not found.exact
    assert "classes" in found.note
    assert given.fits(found.assignment)


@pytest.mark.parametrize("name", ["greedy", "pareto", "ilp"])
def test_a_budget_that_nothing_meets_is_an_error(name: str) -> None:
    given = problem(2)
    with pytest.raises(BudgetError, match="no assignment of widths fits the budget"):
        ALLOCATORS[name](Problem(given.losses, given.rows, -1.0))


def test_baselines_fit_or_say_so() -> None:
    given = problem(4, pairs=False)
    assert given.fits(random(given, 1).assignment)
    assert random(given, 1) == random(given, 1)
    groups = ["weights", "weights", "activations", "activations", "activations"]
    same = uniform(Problem(given.losses, given.rows, 1e6), groups)
    assert set(same.assignment) == {min(given.sizes) - 1}
    for baseline in (random, lambda p: uniform(p, groups)):
        with pytest.raises(BudgetError):
            baseline(Problem(given.losses, given.rows, -1.0))


def test_uniform_widths_take_what_costs_nothing_as_wide_as_it_gets() -> None:
    """Under a budget of weights alone activations stay at their widest."""
    losses = (np.array([2.0, 1.0, 0.0]),) * 3
    row = Row(0.0, {0: np.array([2.0, 4.0, 8.0]), 1: np.array([2.0, 4.0, 8.0])})
    found = uniform(Problem(losses, (row,), 9.0), ["weights", "weights", "activations"])
    assert found.assignment == (1, 1, 2)


def test_losses_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        Problem((np.array([1.0, np.nan]),), (Row(),), 1.0)
    with pytest.raises(InputError, match="nothing to choose"):
        Problem((), (Row(),), 1.0)


def test_the_solver_says_nothing_on_stdout(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS prints from C where it likes; stdout may belong to one JSON object."""
    import ctypes

    import scipy.optimize

    real = scipy.optimize.milp

    def talks(*args: object, **kwargs: object) -> object:
        ctypes.CDLL(None).puts(b"a line of C")
        return real(*args, **kwargs)

    monkeypatch.setattr(scipy.optimize, "milp", talks)
    given = problem(5)
    assert given.fits(ALLOCATORS["ilp"](given).assignment)
    caught = capfd.readouterr()
    assert caught.out == ""
    assert "a line of C" in caught.err
