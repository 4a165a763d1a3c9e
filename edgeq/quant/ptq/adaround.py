"""AdaRound: learns for each weight which of its two neighbours gives the better output (Nagel et al., 2004.10568).

Between the neighbours a weight is below + h(v) * (above - below) with the rectified sigmoid h; a term that grows
during training drives each h to 0 or 1. The neighbours are those of the weight's own format, so the steps of a
minifloat are wide where its values are. Unlike in the paper the function that follows a layer is not part of the
error, which is what makes the error a quadratic form.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from edgeq.quant.ptq.problem import Problem

#: ends of the rectified sigmoid before it is clipped
LOW, HIGH = -0.1, 1.1
#: share of the steps without the term, and the exponents of the term from then to the end
WARM_UP, FIRST_BETA, LAST_BETA = 0.2, 20.0, 2.0


def rounded(problem: Problem, options: Mapping[str, int | float]) -> Tensor:
    """Weights on the grid, (groups, outputs, terms)."""
    below, above = problem.neighbours()
    width = (above - below).clamp_min(torch.finfo(torch.float32).tiny)
    start = ((problem.rows - below) / width).clamp(0.0, 1.0)
    v = _inverse(start).requires_grad_()
    # Relative to the error of the nearest values, and so a number of the size of one for every layer.
    unit = problem.error(problem.nearest()).sum().clamp_min(torch.finfo(torch.float32).tiny)
    adam = torch.optim.Adam([v], lr=float(options["rate"]))
    iterations = int(options["iterations"])
    for step in range(iterations):
        h = _rectified(v)
        loss = problem.error(below + h * (above - below)).sum() / unit
        beta = _beta(step / iterations)
        if beta is not None:
            loss = loss + float(options["strength"]) * (1 - (2 * h - 1).abs().pow(beta)).mean()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    with torch.no_grad():
        return torch.where(_rectified(v) >= 0.5, above, below)


def _rectified(v: Tensor) -> Tensor:
    return (torch.sigmoid(v) * (HIGH - LOW) + LOW).clamp(0.0, 1.0)


def _inverse(h: Tensor) -> Tensor:
    """The v of h."""
    return torch.logit((h - LOW) / (HIGH - LOW))


def _beta(progress: float) -> float | None:
    """Exponent of the term; None while it does not act."""
    if progress < WARM_UP:
        return None
    return FIRST_BETA + (LAST_BETA - FIRST_BETA) * (progress - WARM_UP) / (1 - WARM_UP)


__all__ = ["rounded"]
