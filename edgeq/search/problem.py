"""Problem: which option each choice gets, as plain numbers: losses to be added up, costs to stay under a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgeq.errors import BudgetError, InputError

Array = npt.NDArray[np.float64]
#: the index of an option for each choice
Assignment = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One cost that is a sum over choices, and over pairs of them.

    constant: what does not depend on any choice; single: choice -> cost of each of its options;
    pairs: (i, j) with i < j -> cost of each pair of their options, an array (options of i, options of j).
    """

    constant: float = 0.0
    single: Mapping[int, Array] = field(default_factory=dict)
    pairs: Mapping[tuple[int, int], Array] = field(default_factory=dict)

    def of(self, assignment: Sequence[int]) -> float:
        """The cost of an assignment."""
        total = self.constant + sum(float(cost[assignment[i]]) for i, cost in self.single.items())
        return total + sum(float(cost[assignment[i], assignment[j]]) for (i, j), cost in self.pairs.items())


@dataclass(frozen=True)
class Problem:
    """Minimise the sum of losses, with no row of costs above the budget.

    losses: for each choice an array with the loss of each option. Several rows: what counts is the greatest, as of a
    memory whose contents change over time.
    """

    losses: tuple[Array, ...]
    rows: tuple[Row, ...]
    budget: float

    def __post_init__(self) -> None:
        if not self.losses or not self.rows:
            raise InputError("search: there is nothing to choose; the network has no layer whose width may change")
        for index, loss in enumerate(self.losses):
            if not len(loss) or not np.isfinite(loss).all():
                raise InputError(f"search: choice {index} has losses {loss}; each must be a finite number")
        if not math.isfinite(self.budget):
            raise InputError(f"search: budget {self.budget}; give a finite number")

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many options each choice has."""
        return tuple(len(loss) for loss in self.losses)

    def loss(self, assignment: Sequence[int]) -> float:
        """The sum of losses of an assignment."""
        return float(sum(loss[k] for loss, k in zip(self.losses, assignment, strict=True)))

    def cost(self, assignment: Sequence[int]) -> float:
        """The greatest row of an assignment."""
        return max(row.of(assignment) for row in self.rows)

    def excess(self, assignment: Sequence[int]) -> float:
        """By how much all rows together are above the budget."""
        return sum(max(0.0, row.of(assignment) - self.budget) for row in self.rows)

    def fits(self, assignment: Sequence[int]) -> bool:
        """Whether no row is above the budget."""
        return self.cost(assignment) <= self.budget + self.slack

    @property
    def slack(self) -> float:
        """What the sum of floats may be off."""
        return 1e-9 * max(1.0, abs(self.budget))

    def impossible(self, least: float | None = None) -> BudgetError:
        """The error of a budget that no assignment meets."""
        known = "" if least is None else f"; the least that was found is {least:,.0f}"
        return BudgetError(
            f"search: no assignment of widths fits the budget of {self.budget:,.0f}{known}; raise the budget, or allow "
            "narrower options"
        )


@dataclass(frozen=True)
class Found:
    """What an allocator chose. exact: whether no assignment within the budget has less loss; note: where not, why."""

    assignment: Assignment
    exact: bool
    note: str = ""
