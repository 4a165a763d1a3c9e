"""The prepared module in eval mode and the integer graph give the same numbers, for every tensor, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeq.emulator import encode_inputs, reference
from edgeq.frontends.torch import export
from edgeq.frontends.torch.reference import reference_trace
from edgeq.ir import Graph
from edgeq.quant import Recipe, calibrate, prepare
from tests.quant.networks import NETWORKS, make

RECIPES = {
    "w8a8": Recipe(),
    "w8a8_tensor": Recipe(per_channel=False, binary_point="stats", statistics="max"),
    "w4a4": Recipe(weights=4, activations=4, first={"weights": 8}, last={"weights": 8}),
    "w2a3": Recipe(weights=2, activations=3, statistics="percentile"),
    "w6a10": Recipe(weights=6, activations=10, rounding="half_even"),
    "w3a5_floor": Recipe(weights=3, activations=5, rounding="floor", output=12),
    "e2m1": Recipe(weights="e2m1", activations="e2m1"),
    "e4m3": Recipe(weights="e4m3", activations="e4m3", output=16),
    "mixed": Recipe(weights="e2m3", activations=8, layers={"*[a-m]*": {"weights": 5, "activations": "e3m2"}}),
}


def differing(graph: Graph, prepared: torch.nn.Module, batch: tuple[torch.Tensor, ...]) -> tuple[list[str], int]:
    """Values that are not equal in every element, and how many elements were compared."""
    codes, _ = encode_inputs(graph, [b.numpy() for b in batch])
    executed = reference(graph, codes)
    expected = reference_trace(prepared, batch)
    bad, count = [], 0
    for name, got in executed.items():
        if name not in expected:
            assert name.endswith(".pad"), f"{name} has nothing to be compared with"
            continue
        real = graph.values[name].format.decode(got)
        count += real.size
        if real.shape != expected[name].shape or not np.array_equal(real, expected[name]):
            bad.append(name)
    return bad, count


@pytest.mark.sample(2)
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_calibrated_network_equals_the_graph(name: str, recipe: str) -> None:
    model, batch = make(name)
    prepared = prepare(model, RECIPES[recipe], batch)
    calibrate(prepared, [batch], method=RECIPES[recipe].statistics)
    graph = export(prepared, batch, optimise=False)
    bad, count = differing(graph, prepared, batch)
    assert not bad
    assert count > 100


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("name", NETWORKS)
def test_other_weights_and_drawn_recipes(name: str, seed: int) -> None:
    model, batch = make(name, seed)
    rng = np.random.default_rng(seed)
    numbers = [*range(2, 9), "e2m1", "e2m3", "e3m2", "e4m3"]
    wide = [*range(2, 13), "e2m1", "e2m3", "e3m2", "e4m3"]
    layers = {p: {"weights": numbers[i], "activations": wide[j]} for p, i, j in
              zip(("*[a-g]*", "*[h-p]*"), rng.integers(0, 11, 2), rng.integers(0, 15, 2), strict=True)}  # fmt: skip
    recipe = Recipe(
        per_channel=bool(rng.integers(2)),
        rounding=[None, "half_up", "half_even", "floor"][rng.integers(4)],
        layers=layers,
    )
    prepared = calibrate(prepare(model, recipe, batch), [batch], ["mse", "max", "percentile"][rng.integers(3)])
    bad, _ = differing(export(prepared, batch, optimise=False), prepared, batch)
    assert not bad
