"""Greedy: from the least loss, step by step what costs least loss for each unit that is saved; then back up."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgeq.search.problem import Assignment, Found, Problem


def greedy(problem: Problem) -> Found:
    """Steps down until the budget holds, then steps up that still fit, the greatest gain first.

    Raises BudgetError where no single step brings the cost nearer to the budget.
    """
    now: Assignment = tuple(int(loss.argmin()) for loss in problem.losses)
    while not problem.fits(now):
        now = _down(problem, now)
    return Found(_up(problem, now), exact=False, note="greedy")


def _steps(problem: Problem, now: Assignment) -> Iterator[tuple[Assignment, float]]:
    """Every assignment that differs in one choice, and what it adds to the loss."""
    for i, loss in enumerate(problem.losses):
        for k in range(len(loss)):
            if k != now[i]:
                yield (*now[:i], k, *now[i + 1 :]), float(loss[k] - loss[now[i]])


def _down(problem: Problem, now: Assignment) -> Assignment:
    """The step with the least loss for each unit by which the excess shrinks."""
    excess = problem.excess(now)
    best, least = None, math.inf
    for step, loss in _steps(problem, now):
        saved = excess - problem.excess(step)
        if saved > 0 and loss / saved < least:
            best, least = step, loss / saved
    if best is None:
        raise problem.impossible(problem.cost(now))
    return best


def _up(problem: Problem, now: Assignment) -> Assignment:
    """Take back what still fits, the greatest gain first."""
    while True:
        gains = [(loss, step) for step, loss in _steps(problem, now) if loss < 0 and problem.fits(step)]
        if not gains:
            return now
        now = min(gains)[1]
