"""Hessian: the mean of the loss's second derivatives times the squared error, as in HAWQ-V2 (arXiv 1911.03852).

The trace of the Hessian of each tensor, weights and activations, comes from Hutchinson's estimator: the mean of
v·Hv over random vectors v of ±1. Half of (trace / elements) times the squared error is the second-order estimate of
what an option adds to the loss.

The loss is the divergence from the float network's own probabilities, not the cross-entropy with labels of HAWQ: the
network is at the minimum of it, so no tensor has a negative trace, trained well or not, and no labels are needed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.sensitivity._loss import divergence, rows, squared

#: random vectors for each batch
VECTORS = 4
#: batches that the trace is taken from
BATCHES = 2
SEED = 0


def hutchinson(loss: Tensor, tensors: list[Tensor], vectors: int, generator: torch.Generator) -> Tensor:
    """Traces of the blocks of the loss's Hessian that belong to each tensor, estimated one by one; float64."""
    grads = torch.autograd.grad(loss, tensors, create_graph=True, allow_unused=True)
    traces = torch.zeros(len(tensors), dtype=torch.float64)
    for i, (tensor, grad) in enumerate(zip(tensors, grads, strict=True)):
        for _ in range(vectors if grad is not None and grad.requires_grad else 0):
            v = torch.randint(0, 2, tensor.shape, generator=generator).to(tensor) * 2 - 1
            (product,) = torch.autograd.grad(grad, tensor, v, retain_graph=True, allow_unused=True)
            if product is not None:
                traces[i] += (v.double() * product.double()).sum() / vectors
    return traces


def hessian(ladder: Ladder) -> list[Array]:
    """What each option adds to the loss, to second order, for each choice; never below zero."""
    generator = torch.Generator().manual_seed(SEED)
    choices, count = ladder.space.choices, len(ladder.rungs)
    added = torch.zeros(len(choices), count, dtype=torch.float64)
    batches = ladder.task.batches()[:BATCHES]
    for done, x in enumerate(batches):
        ladder.progress(done, len(batches))
        outputs, seen = ladder.run(x)
        named = {
            (c.key, n): ladder.layer(n).weight if c.key == "weights" else seen[n] for c in choices for n in c.layers
        }
        scores = ladder.task.scores(outputs)
        traces = hutchinson(divergence(scores, scores.detach()), list(named.values()), VECTORS, generator)
        curvature = dict(zip(named, traces, strict=True))
        with torch.no_grad():
            for index, choice in enumerate(choices):
                pairs = ladder.pairs(choice, {n: t.detach() for n, t in seen.items()})
                for name, (value, options) in zip(choice.layers, pairs, strict=True):
                    # rounding of float32 may leave a little less than zero
                    mean = max(float(curvature[choice.key, name]), 0.0) / value.numel()
                    errors = torch.stack([error.sum() for error in squared(value, options)])
                    added[index] += 0.5 * mean * errors / len(batches)
    return rows(added)
