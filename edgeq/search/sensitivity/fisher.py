"""Fisher: squared gradients stand for second derivatives, element by element (the diagonal Fisher information).

Classes are drawn from the network's own probabilities, so that it is the Fisher information and needs no labels. Half
of the sum of (mean squared gradient times squared error) is what an option is expected to add to the loss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.sensitivity._loss import rows, squared
from edgeq.search.task import parts

#: samples whose gradients are taken one by one
SAMPLES = 64
SEED = 0


def fisher(ladder: Ladder) -> list[Array]:
    """What each option adds to the loss, for each choice and option."""
    generator = torch.Generator().manual_seed(SEED)
    choices = ladder.space.choices
    added = torch.zeros(len(choices), len(ladder.rungs), dtype=torch.float64)
    x = ladder.task.calibration[:SAMPLES]
    names = ladder.layers("weights")
    weights = [ladder.layer(name).weight for name in names]
    totals = [torch.zeros_like(w, dtype=torch.float64) for w in weights]
    for done, sample in enumerate(parts(x, 1)):
        ladder.progress(done, len(x))
        outputs, seen = ladder.run(sample)
        scores = ladder.task.scores(outputs)
        drawn = torch.multinomial(torch.softmax(scores.detach(), dim=1), 1, generator=generator)[:, 0]
        activations = list(seen.items())
        tensors = [*weights, *(tensor for _, tensor in activations)]
        grads = torch.autograd.grad(F.cross_entropy(scores, drawn), tensors, allow_unused=True)
        for total, grad in zip(totals, grads, strict=False):
            total += 0.0 if grad is None else grad.double().square()
        found = {name: g for (name, _), g in zip(activations, grads[len(weights) :], strict=True) if g is not None}
        _activations(ladder, seen, found, added, len(x))
    means = {name: total / len(x) for name, total in zip(names, totals, strict=True)}
    for index, choice in enumerate(choices):
        if choice.key == "weights":
            for name, (value, options) in zip(choice.layers, ladder.pairs(choice, {}), strict=True):
                added[index] += _expected(means[name], value, options)
    return rows(added)


@torch.no_grad()
def _activations(
    ladder: Ladder, seen: dict[str, Tensor], grads: dict[str, Tensor], added: Tensor, samples: int
) -> None:
    """Take one sample's activations in."""
    for index, choice in enumerate(ladder.space.choices):
        if choice.key == "activations":
            pairs = ladder.pairs(choice, {n: t.detach() for n, t in seen.items()})
            for name, (value, options) in zip(choice.layers, pairs, strict=True):
                if name in grads:
                    added[index] += _expected(grads[name].double().square(), value, options) / samples


def _expected(information: Tensor, value: Tensor, options: list[Tensor]) -> Tensor:
    return torch.stack([0.5 * (information * error).sum() for error in squared(value, options)])
