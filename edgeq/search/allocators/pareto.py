"""Pareto dynamic programme: choice by choice, every (cost, loss) that no other beats; exact for one row of costs.

A state keeps the options of those choices whose pairs are still to come, so costs that multiply two choices (BitOPs:
weights times activations) are exact as well. As the frontier of HAWQ-V2 (arXiv 1911.03852), without listing it by
enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.search.problem import Array, Found, Problem, Row

#: points kept in a state; where more do not beat each other, costs are put into so many classes
LIMIT = 20_000

Points = tuple[Array, Array, npt.NDArray[np.int16]]


def pareto(problem: Problem) -> Found:
    """The least loss within the budget.

    Raises InputError for a cost of several rows (peak RAM: take ilp or greedy), BudgetError where nothing fits.
    """
    costs, losses, assignments, exact = frontier(problem)
    if not len(costs):
        raise problem.impossible()
    best = int(losses.argmin())
    note = "" if exact else f"costs in {LIMIT:,} classes"
    return Found(tuple(int(k) for k in assignments[best]), exact, note)


def frontier(problem: Problem) -> tuple[Array, Array, npt.NDArray[np.int16], bool]:
    """Costs (rising), losses (falling), assignments of all that fit and no other beats; whether that is exact."""
    if len(problem.rows) > 1:
        raise InputError("search: the Pareto allocator adds up one cost, and this has several rows; take ilp or greedy")
    row = problem.rows[0]
    rest = _least_rest(problem, row)
    start = (np.array([row.constant]), np.zeros(1), np.zeros((1, len(problem.losses)), np.int16))
    states: dict[tuple[tuple[int, int], ...], Points] = {(): start}
    exact = True
    for i, loss in enumerate(problem.losses):
        grown: dict[tuple[tuple[int, int], ...], list[Points]] = {}
        for opened, points in states.items():
            for k in range(len(loss)):
                key = tuple(_still_open(row, (*opened, (i, k)), i))
                grown.setdefault(key, []).append(_taken(problem, row, points, dict(opened), i, k))
        room = problem.budget + problem.slack - rest[i]
        states = {}
        for key, parts in grown.items():
            kept, whole = _kept(parts, room)
            exact = exact and whole
            if len(kept[0]):
                states[key] = kept
    return (*(states[()] if states else _empty(problem)), exact)


def _empty(problem: Problem) -> Points:
    return np.zeros(0), np.zeros(0), np.zeros((0, len(problem.losses)), np.int16)


def _still_open(row: Row, opened: tuple[tuple[int, int], ...], i: int) -> Iterator[tuple[int, int]]:
    """Those of the choices so far that have a pair with a later one."""
    waiting = {a for a, b in row.pairs if b > i}
    return (pair for pair in opened if pair[0] in waiting)


def _least_rest(problem: Problem, row: Row) -> list[float]:
    """What the choices after each one cost at least."""
    least = np.zeros(len(problem.losses))
    for i, cost in row.single.items():
        least[i] += cost.min()
    for (_, j), pair in row.pairs.items():
        least[j] += pair.min()
    after = least[::-1].cumsum()[::-1]
    return [*(float(x) for x in after[1:]), 0.0]


def _taken(problem: Problem, row: Row, points: Points, opened: dict[int, int], i: int, k: int) -> Points:
    """All points of a state with option k of choice i."""
    costs, losses, chosen = points
    more = float(row.single[i][k]) if i in row.single else 0.0
    more += sum(float(pair[opened[a], k]) for (a, b), pair in row.pairs.items() if b == i)
    chosen = chosen.copy()
    chosen[:, i] = k
    return costs + more, losses + problem.losses[i][k], chosen


def _kept(parts: list[Points], room: float) -> tuple[Points, bool]:
    """The points that no other beats and that can still fit; and whether none was left out for their number."""
    costs, losses, chosen = (np.concatenate(found) for found in zip(*parts, strict=True))
    order = np.lexsort((losses, costs))
    order = order[costs[order] <= room]
    least = np.minimum.accumulate(losses[order]) if len(order) else losses[order]
    better = np.ones(len(order), bool)
    better[1:] = losses[order][1:] < least[:-1]
    order = order[better]
    whole = len(order) <= LIMIT
    if not whole:
        # Losses fall along the order, so the last of each class of costs is its best.
        classes = np.floor((costs[order] - costs[order[0]]) / (costs[order[-1]] - costs[order[0]]) * LIMIT)
        order = order[np.append(classes[1:] != classes[:-1], True)]
    return (costs[order], losses[order], chosen[order]), whole
