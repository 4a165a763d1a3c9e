"""Accuracy of the digits network in one format after another: calibrated, and trained with quantisation.

    python benchmarks/digits_formats.py [seeds]

Prints the table of `docs/quantisation.md`: mean accuracy on the 359 test images over the seeds.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from edgeq.demo import digits
from edgeq.quant import Recipe, calibrate, prepare

EIGHT = {"weights": 8, "activations": 8}
RECIPES = {
    "W8A8": Recipe(),
    "W8A8, statistics": Recipe(binary_point="stats"),
    "W4A4, first and last 8": Recipe(weights=4, activations=4, first=EIGHT, last=EIGHT),
    "W2A4, first and last 8": Recipe(weights=2, activations=4, first=EIGHT, last=EIGHT),
    "W8A16": Recipe(activations=16),
    "E4M3": Recipe(weights="e4m3", activations="e4m3"),
    "E2M1": Recipe(weights="e2m1", activations="e2m1"),
}


def main(seeds: int) -> None:
    """Train and print."""
    data = digits.load()
    models = [digits.train_float(data, seed=seed) for seed in range(1, seeds + 1)]
    share = np.mean([digits.accuracy(m, data.test_x, data.test_y) for m in models])
    print(f"| format | calibrated | trained |\n|---|---|---|\n| float | | {share:.1%} |", flush=True)
    for name, recipe in RECIPES.items():
        found = [_both(m, recipe, data, seed) for seed, m in enumerate(models, start=1)]
        calibrated, trained = np.mean(found, axis=0)
        print(f"| {name} | {calibrated:.1%} | {trained:.1%} |", flush=True)


def _both(model: torch.nn.Module, recipe: Recipe, data: digits.Digits, seed: int) -> tuple[float, float]:
    prepared = calibrate(prepare(model, recipe), [torch.from_numpy(data.train_x[:256])])
    trained = digits.train_quantised(model, recipe, data, seed=seed)
    return digits.accuracy(prepared, data.test_x, data.test_y), digits.accuracy(trained, data.test_x, data.test_y)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
