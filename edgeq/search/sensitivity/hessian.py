"""Hessian: the mean of the loss's second derivatives times the squared error, as in HAWQ-V2 (arXiv 1911.03852).

The trace of the Hessian of each tensor, weights and activations, comes from Hutchinson's estimator: the mean of
v·Hv over random vectors v of ±1. Half of (trace / elements) times the squared error is the second-order estimate of
what an option adds to the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.sensitivity._loss import batches_with_labels, mean_loss, rows, squared

#: random vectors for each batch
VECTORS = 8
#: batches that the trace is taken from
BATCHES = 4
SEED = 0


def hutchinson(loss: Tensor, tensors: list[Tensor], vectors: int, generator: torch.Generator) -> Tensor:
    """Traces of the blocks of the loss's Hessian that belong to each tensor, estimated; float64."""
    grads = torch.autograd.grad(loss, tensors, create_graph=True, allow_unused=True)
    used = [i for i, g in enumerate(grads) if g is not None and g.requires_grad]
    traces = torch.zeros(len(tensors), dtype=torch.float64)
    for _ in range(vectors if used else 0):
        random = [torch.randint(0, 2, tensors[i].shape, generator=generator).to(tensors[i]) * 2 - 1 for i in used]
        products = torch.autograd.grad(
            [grads[i] for i in used], [tensors[i] for i in used], random, retain_graph=True, allow_unused=True
        )
        for i, v, product in zip(used, random, products, strict=True):
            if product is not None:
                traces[i] += (v.double() * product.double()).sum()
    return traces / vectors


def hessian(ladder: Ladder) -> list[Array]:
    """What each option adds to the loss, to second order, for each choice; never below zero."""
    generator = torch.Generator().manual_seed(SEED)
    choices, count = ladder.space.choices, len(ladder.rungs)
    added = torch.zeros(len(choices), count, dtype=torch.float64)
    given = batches_with_labels(ladder)[:BATCHES]
    for done, (x, labels) in enumerate(given):
        ladder.progress(done, len(given))
        outputs, seen = ladder.run(x)
        named = {
            (c.key, n): ladder.layer(n).weight if c.key == "weights" else seen[n] for c in choices for n in c.layers
        }
        loss = mean_loss(ladder.task.scores(outputs), labels)
        traces = hutchinson(loss, list(named.values()), VECTORS, generator)
        curvature = dict(zip(named, traces, strict=True))
        with torch.no_grad():
            for index, choice in enumerate(choices):
                pairs = ladder.pairs(choice, {n: t.detach() for n, t in seen.items()})
                for name, (value, options) in zip(choice.layers, pairs, strict=True):
                    # where the estimate is negative there is no minimum, and no harm is expected
                    mean = max(float(curvature[choice.key, name]), 0.0) / value.numel()
                    errors = torch.stack([error.sum() for error in squared(value, options)])
                    added[index] += 0.5 * mean * errors / len(given)
    return rows(added)
