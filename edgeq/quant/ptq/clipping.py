"""Clipping search: the binary point of a layer's weights by the least squared error of the layer's output.

Recipes' `statistics` choose by the error of the weights themselves (mse), by the greatest (max) or nearly the greatest
(percentile); here data say which weights matter.
"""

from __future__ import annotations

import torch

from edgeq.quant.binary_point import SEARCH_DEPTH
from edgeq.quant.ptq.problem import Problem
from edgeq.quant.quantizers import binary_point


@torch.no_grad()
def search(problem: Problem) -> None:
    """Set the layer's binary points to the best of those around them; weights stay as they are."""
    point = binary_point(problem.layer.weight_quant)
    now = point.log2_range.detach().round()
    # The point is there already by the weights alone; outputs rarely ask for a coarser one by more than a step.
    moves = [0.0, 1.0, *(-float(i) for i in range(1, SEARCH_DEPTH + 1))]
    errors = [
        problem.by_point(problem.error(problem.nearest(exponents=problem.exponents() + int(move)))) for move in moves
    ]
    # The first of equals is the point as it was.
    best = torch.tensor(moves, device=now.device)[torch.stack(errors).argmin(dim=0)]
    point.set(now + best.reshape(now.shape).to(now))


__all__ = ["search"]
