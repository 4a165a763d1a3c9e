"""FlexRound: learns what each weight is divided by before it is rounded (Lee et al., arXiv 2306.00317).

A weight becomes Q(w / (s * r * c)), with a divisor s of its own, one r of its output channel and one c of its term, all
starting at one; Q is the quantiser of the layer at its binary point. The gradient of s grows with the weight, so that
large weights may move by more than one step, which AdaRound cannot do. Of all steps, the best for each channel stays.
The paper's learned step size is left out: the steps of the device are powers of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edgeq.quant.ptq.problem import Problem


class _Quantise(torch.autograd.Function):
    """Forward: the layer's quantiser. Backward: the identity where it does not saturate."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, problem: Problem) -> Tensor:
        made = problem.nearest(rows)
        scale = torch.exp2(problem.exponents().double())
        ctx.save_for_backward((rows >= problem.spec.low * scale) & (rows <= problem.spec.top * scale))
        return made

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.saved_tensors[0], None


def rounded(problem: Problem, options: Mapping[str, int | float]) -> Tensor:
    """Weights on the grid, (groups, outputs, terms)."""
    rows = problem.rows
    logs = [
        torch.zeros(shape, dtype=rows.dtype, device=rows.device, requires_grad=True)
        for shape in (rows.shape, (*rows.shape[:2], 1), (rows.shape[0], 1, rows.shape[2]))
    ]
    adam = torch.optim.Adam(logs, lr=float(options["rate"]))
    best = problem.nearest()
    least = problem.error(best)
    # Channels weigh the same, however large their outputs are.
    unit = least.clamp_min(least.max() * 1e-6 + torch.finfo(torch.float32).tiny)
    for _ in range(int(options["iterations"])):
        made: Tensor = _Quantise.apply(rows * torch.exp(-sum(logs, torch.zeros_like(rows))), problem)  # type: ignore[no-untyped-call]
        errors = problem.error(made)
        with torch.no_grad():
            better = errors < least
            least = torch.where(better, errors, least)
            best = torch.where(better.unsqueeze(2), made, best)
        adam.zero_grad()
        (errors / unit).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return best


__all__ = ["rounded"]
