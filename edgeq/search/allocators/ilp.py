"""Integer linear programme, solved by scipy's milp (HiGHS), as in HAWQ-V3 (arXiv 2011.10680), section 3.4.

One binary variable for each option of each choice, of which one is taken; a cost of two choices is linear in further
variables whose sums over either choice are that choice's own. Equal widths at residual joins need no constraint here:
tensors that are joined are one choice (`edgeq.search.space`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgeq.errors import ToolError
from edgeq.search.problem import Found, Problem

#: seconds after which the best that was found is taken
TIME_LIMIT = 60.0


def ilp(problem: Problem) -> Found:
    """The least loss within the budget. Raises BudgetError where nothing fits, ToolError without scipy."""
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
    except ImportError:
        raise ToolError("the ILP allocator needs scipy: pip install 'edgeq[search]'") from None
    program = _Program(problem)
    constraints = [
        LinearConstraint(program.matrix(program.equal), *(program.right(program.equal),) * 2),
        LinearConstraint(program.matrix(program.most), -np.inf, program.right(program.most)),
    ]
    whole = np.zeros(program.count)
    whole[: program.binaries] = 1
    with _stdout_kept_clean():
        found = milp(
            program.objective(), constraints=constraints, integrality=whole, bounds=Bounds(0, 1),
            options={"time_limit": TIME_LIMIT, "mip_rel_gap": 0.0},
        )  # fmt: skip
    if found.x is None:
        if found.status == 2:
            raise problem.impossible()
        raise ToolError(f"the ILP allocator: the solver found nothing in {TIME_LIMIT:.0f} s ({found.message})")
    chosen = tuple(
        int(np.argmax(found.x[begin : begin + size])) for begin, size in zip(program.starts, problem.sizes, strict=True)
    )
    if not problem.fits(chosen):  # the solver allows a small relative error
        raise ToolError(f"the ILP allocator: the solver's answer costs {problem.cost(chosen):,.0f}, above the budget")
    optimal = found.status == 0
    return Found(chosen, optimal, "" if optimal else f"stopped after {TIME_LIMIT:.0f} s")


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Within: what C code prints goes to stderr. HiGHS leaves a line of its own there now and then, and stdout may
    belong to one JSON object."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, TypeError, AttributeError):  # where there is no such C library to ask
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


#: coefficients by variable, and the right side
Line = tuple[dict[int, float], float]


class _Program:
    """Variables and constraints; costs are divided by the budget, since solvers compare with absolute tolerances."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.starts = [int(n) for n in np.cumsum([0, *problem.sizes[:-1]])]
        self.binaries = self.count = sum(problem.sizes)
        self.pairs: dict[tuple[int, int], int] = {}
        self.equal: list[Line] = []
        self.most: list[Line] = []
        for start, size in zip(self.starts, problem.sizes, strict=True):
            self.equal.append(({start + k: 1.0 for k in range(size)}, 1.0))
        for pair in dict.fromkeys(pair for row in problem.rows for pair in row.pairs):
            self._product(*pair)
        scale = max(1.0, abs(problem.budget))
        for row in problem.rows:
            line: dict[int, float] = {}
            for i, cost in row.single.items():
                line |= {self.starts[i] + k: float(c) / scale for k, c in enumerate(cost)}
            for pair, costs in row.pairs.items():
                line |= {self.pairs[pair] + n: float(c) / scale for n, c in enumerate(costs.reshape(-1))}
            self.most.append((line, (problem.budget + problem.slack - row.constant) / scale))

    def _product(self, i: int, j: int) -> None:
        """Variables of each pair of options of two choices."""
        rows, columns = self.problem.sizes[i], self.problem.sizes[j]
        start = self.pairs[i, j] = self.count
        self.count += rows * columns
        for a in range(rows):
            line = {start + a * columns + b: 1.0 for b in range(columns)}
            self.equal.append((line | {self.starts[i] + a: -1.0}, 0.0))
        for b in range(columns):
            line = {start + a * columns + b: 1.0 for a in range(rows)}
            self.equal.append((line | {self.starts[j] + b: -1.0}, 0.0))

    def objective(self) -> Any:
        """Loss of each variable, the greatest being one."""
        losses = np.concatenate(self.problem.losses)
        found = np.zeros(self.count)
        found[: self.binaries] = losses / (np.abs(losses).max() or 1.0)
        return found

    def matrix(self, lines: list[Line]) -> Any:
        """The left sides, sparse."""
        from scipy.sparse import csr_array

        rows = [r for r, (line, _) in enumerate(lines) for _ in line]
        columns = [c for line, _ in lines for c in line]
        values = [v for line, _ in lines for v in line.values()]
        return csr_array((values, (rows, columns)), shape=(len(lines), self.count))

    def right(self, lines: list[Line]) -> Any:
        """The right sides."""
        return np.array([right for _, right in lines])
