"""Baselines that look at no loss: the widest equal widths that fit, and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from edgeq.search.problem import Assignment, Found, Problem


def uniform(problem: Problem, groups: Sequence[str]) -> Found:
    """One option for all choices of a group (weights, activations): of those that fit the most costly, then the widest.

    groups: of each choice. Options of all choices must mean the same, in rising width.
    Raises BudgetError where none fits.
    """
    names = list(dict.fromkeys(groups))
    fitting: list[tuple[float, int, Assignment]] = []
    least = np.inf
    for options in product(range(min(problem.sizes)), repeat=len(names)):
        of = dict(zip(names, options, strict=True))
        assignment = tuple(of[group] for group in groups)
        least = min(least, problem.cost(assignment))
        if problem.fits(assignment):
            fitting.append((problem.cost(assignment), sum(options), assignment))
    if not fitting:
        raise problem.impossible(float(least))
    return Found(max(fitting)[2], exact=False, note="uniform")


def random(problem: Problem, seed: int = 0) -> Found:
    """Random options, then random steps towards the budget until it holds.

    Raises BudgetError where none leads there.
    """
    rng = np.random.default_rng(seed)
    now = tuple(int(rng.integers(size)) for size in problem.sizes)
    while not problem.fits(now):
        now = _towards(problem, now, rng)
    return Found(now, exact=False, note=f"seed {seed}")


def _towards(problem: Problem, now: Assignment, rng: np.random.Generator) -> Assignment:
    """One random step that brings the cost nearer to the budget."""
    excess = problem.excess(now)
    for i in rng.permutation(len(now)):
        for k in rng.permutation(problem.sizes[i]):
            step = (*now[:i], int(k), *now[i + 1 :])
            if problem.excess(step) < excess:
                return step
    raise problem.impossible(problem.cost(now))
