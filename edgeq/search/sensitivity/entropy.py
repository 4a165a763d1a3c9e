"""Entropy: the share of a tensor's information that an option loses against the widest one.

The normalised change of entropy of QuantMCU (arXiv 2401.13714, section 3.3), of the histogram of quantised values.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array

#: elements of a tensor of activations that are counted in each batch
ELEMENTS = 1 << 18

#: how often each value occurs
Histogram = dict[float, int]


@torch.no_grad()
def entropy(ladder: Ladder) -> list[Array]:
    """(H of the widest - H of the option) / H of the widest, for each choice and option; joined tensors add up."""
    counted: dict[tuple[int, str, int], Histogram] = {}
    choices = ladder.space.choices
    for index, choice in enumerate(choices):
        if choice.key == "weights":
            for name in choice.layers:
                for k in range(len(ladder.rungs)):
                    _count(counted.setdefault((index, name, k), {}), ladder.weight(name, k))
    batches = len(ladder.task.batches())
    for done, tensors in enumerate(ladder.activations()):
        ladder.progress(done, batches)
        for index, choice in enumerate(choices):
            for name in choice.layers if choice.key == "activations" else ():
                for k in range(len(ladder.rungs)):
                    rounded = ladder.activation(name, k, _sampled(tensors[name]))
                    _count(counted.setdefault((index, name, k), {}), rounded)
    return [
        sum((_lost([counted[index, name, k] for k in range(len(ladder.rungs))]) for name in choice.layers), np.zeros(1))
        for index, choice in enumerate(choices)
    ]


def _sampled(x: Tensor) -> Tensor:
    flat = x.reshape(-1)
    return flat[:: max(1, len(flat) // ELEMENTS | 1)]


def _count(histogram: Histogram, values: Tensor) -> None:
    found, counts = torch.unique(values, return_counts=True)
    for value, count in zip(found.tolist(), counts.tolist(), strict=True):
        histogram[value] = histogram.get(value, 0) + count


def bits(histogram: Histogram) -> float:
    """Shannon entropy in bits for each element."""
    share = np.array(list(histogram.values()), dtype=np.float64)
    share /= share.sum()
    return float(-(share * np.log2(share)).sum())


def _lost(histograms: list[Histogram]) -> Array:
    found = np.array([bits(h) for h in histograms])
    most = found[-1]
    return np.maximum(most - found, 0.0) / most if most > 0 else np.zeros(len(found))
