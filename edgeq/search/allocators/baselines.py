"""Baselines that look at no loss: the widest uniform assignment that fits, and a random one."""

from __future__ import annotations

import numpy as np

from edgeq.search.problem import Assignment, Found, Problem


def uniform(problem: Problem) -> Found:
    """The same option everywhere, the most costly that fits. Options of all choices must mean the same, in one order.

    Raises BudgetError where none fits.
    """
    fitting: list[tuple[float, Assignment]] = []
    least = np.inf
    for k in range(min(problem.sizes)):
        assignment = (k,) * len(problem.losses)
        least = min(least, problem.cost(assignment))
        if problem.fits(assignment):
            fitting.append((problem.cost(assignment), assignment))
    if not fitting:
        raise problem.impossible(float(least))
    return Found(max(fitting)[1], exact=False, note="uniform")


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
