"""GPFQ: weights are rounded column by column so that the running sum follows that of the float layer.

Lybrand and Saab, arXiv 2010.11164: with the columns x of the quantised input, those f of the float input and the
deviation u so far, the next weight is Q(x'(u + w f) / x'x), and u grows by w f - q x. Products of columns are all that
this needs, so it runs on the layer's Gram matrices. Brevitas' version of the method needs its own layers and scales.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from edgeq.quant.ptq.problem import Problem


@torch.no_grad()
def rounded(problem: Problem, options: Mapping[str, int | float]) -> Tensor:
    """Weights on the grid, (groups, outputs, terms)."""
    rows, exponents = problem.rows, problem.exponents()
    made = torch.zeros_like(rows)
    for i in range(rows.shape[2]):
        # x'u + x'f w: what the sums lack so far, seen by this column; the columns that follow are zero in `made`.
        wanted = torch.einsum("gt,got->go", problem.cross[:, i, : i + 1], rows[..., : i + 1])
        wanted -= torch.einsum("gt,got->go", problem.hessian[:, i, :i], made[..., :i])
        square = problem.hessian[:, i, i].unsqueeze(1)
        # A column that is always zero says nothing.
        column = torch.where(square > 0, wanted / square.clamp_min(torch.finfo(torch.float64).tiny), rows[..., i])
        made[..., i] = problem.spec.quantise(column.unsqueeze(2), exponents)[..., 0]
    return made


__all__ = ["rounded"]
