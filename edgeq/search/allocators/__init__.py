"""Allocators: which option each choice gets. Registry, one file each; `random` and `uniform` are baselines."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.search.allocators.greedy import greedy
from edgeq.search.allocators.ilp import ilp
from edgeq.search.allocators.pareto import pareto
from edgeq.search.problem import Found, Problem

#: name -> allocator that follows the losses
ALLOCATORS: dict[str, Callable[[Problem], Found]] = {"greedy": greedy, "pareto": pareto, "ilp": ilp}

__all__ = ["ALLOCATORS", "greedy", "ilp", "pareto"]
