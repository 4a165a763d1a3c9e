"""The loss whose curvature is looked at, the distance from the float network, and what sensitivities share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgeq.search.problem import Array


def divergence(outputs: Tensor, reference: Tensor) -> Tensor:
    """Mean Kullback–Leibler divergence of the classes' probabilities from those of a reference."""
    wanted = torch.log_softmax(reference, dim=1)
    return F.kl_div(torch.log_softmax(outputs, dim=1), wanted, reduction="batchmean", log_target=True)


def squared(value: Tensor, options: list[Tensor]) -> list[Tensor]:
    """Squared errors of each option, element by element."""
    return [(option.double() - value.double()).square() for option in options]


def rows(table: Tensor) -> list[Array]:
    """One array for each choice."""
    return [row.numpy().copy() for row in table.double()]
