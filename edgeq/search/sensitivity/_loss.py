"""The loss whose curvature is looked at: cross-entropy with the classes, or the distance from the float network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.task import parts


def batches_with_labels(ladder: Ladder) -> list[tuple[Tensor, Tensor | None]]:
    """Calibration batches, with their classes where those are known."""
    batches = ladder.task.batches()
    labels = ladder.task.calibration_labels
    if labels is None:
        return [(x, None) for x in batches]
    return list(zip(batches, parts(labels), strict=True))


def mean_loss(outputs: Tensor, labels: Tensor | None) -> Tensor:
    """Cross-entropy; without classes, Kullback–Leibler divergence from the outputs as they are (zero, but curved)."""
    if labels is not None:
        return F.cross_entropy(outputs, labels)
    return divergence(outputs, outputs.detach())


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
