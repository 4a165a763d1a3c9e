"""MSE: the squared error that an option makes in a tensor, in proportion to the tensor's power."""

from __future__ import annotations

import torch

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array


@torch.no_grad()
def mse(ladder: Ladder) -> list[Array]:
    """Sum of squared errors over sum of squares, for each choice and option; joined tensors are added up."""
    choices, count = ladder.space.choices, len(ladder.rungs)
    errors = torch.zeros(len(choices), count, dtype=torch.float64)
    for index, choice in enumerate(choices):
        if choice.key == "weights":
            for value, options in ladder.pairs(choice, {}):
                errors[index] += _relative(value, options)
    batches = len(ladder.task.batches())
    for done, tensors in enumerate(ladder.activations()):
        ladder.progress(done, batches)
        for index, choice in enumerate(choices):
            if choice.key == "activations":
                for value, options in ladder.pairs(choice, tensors):
                    errors[index] += _relative(value, options) / batches
    return [row.numpy() for row in errors]


def _relative(value: torch.Tensor, options: list[torch.Tensor]) -> torch.Tensor:
    power = value.double().square().sum().clamp_min(torch.finfo(torch.float32).tiny)
    return torch.stack([(value.double() - option.double()).square().sum() / power for option in options])
