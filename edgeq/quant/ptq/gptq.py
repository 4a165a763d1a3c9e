"""GPTQ: weights are rounded column by column; the error of each goes into those that follow (arXiv 2210.17323).

How much of it each takes is the Cholesky factor of the inverse of the layer's Hessian, here of its input in the
quantised network. Columns go in the order of falling diagonal ("act-order"). The paper's blocks of columns only save
memory traffic, and Brevitas' version of the method sets weights through its own scales and layers, where ours have
learned powers of two and exact biases; so these are the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from edgeq.quant.ptq.problem import Problem


@torch.no_grad()
def rounded(problem: Problem, options: Mapping[str, int | float]) -> Tensor:
    """Weights on the grid, (groups, outputs, terms)."""
    made = [
        _group(problem, group, float(options["damping"])) for group in range(problem.rows.shape[0])
    ]  # fmt: skip
    return torch.stack(made)


def _group(problem: Problem, group: int, damping: float) -> Tensor:
    """One group: (outputs, terms)."""
    rows, hessian = problem.rows[group].clone(), problem.hessian[group].clone()
    exponents = problem.exponents()[group]
    diagonal = hessian.diagonal()
    # What is always zero has no error to hand on.
    dead = diagonal <= 0
    diagonal += damping * diagonal.mean() + dead.to(diagonal) + torch.finfo(torch.float32).tiny
    order = torch.argsort(diagonal * ~dead, descending=True, stable=True)
    rows, hessian = rows[:, order], hessian[order][:, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    factor = torch.linalg.cholesky(inverse, upper=True)
    made = torch.empty_like(rows)
    for i in range(rows.shape[1]):
        made[:, i] = problem.spec.quantise(rows[:, i : i + 1], exponents)[:, 0]
        error = (rows[:, i] - made[:, i]) / factor[i, i]
        rows[:, i:] -= torch.outer(error, factor[i, i:])
    return made[:, torch.argsort(order)]


__all__ = ["rounded"]
