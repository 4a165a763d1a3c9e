"""Measured: one choice at a time gets an option, all else stays float, and the answers are compared.

The figure is the mean Kullback–Leibler divergence of the classes' probabilities from those of the float network over
the calibration samples: it needs no labels and is zero only where nothing changes.
"""

from __future__ import annotations

import torch

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.sensitivity._loss import divergence, rows


@torch.no_grad()
def measured(ladder: Ladder) -> list[Array]:
    """Divergence of each option of each choice."""
    choices, count = ladder.space.choices, len(ladder.rungs)
    found = torch.zeros(len(choices), count, dtype=torch.float64)
    total, samples, done = len(ladder.task.batches()) * len(choices) * count, len(ladder.task.calibration), 0
    for x in ladder.task.batches():
        reference = ladder.task.scores(ladder.run(x)[0].double())
        for index, choice in enumerate(choices):
            for k in range(count):
                outputs = ladder.task.scores(ladder.run_with(x, choice, k).double())
                found[index, k] += divergence(outputs, reference) * len(x) / samples
                done += 1
                ladder.progress(done, total)
    return rows(found.clamp_min(0.0))  # rounding may leave a little less than zero
