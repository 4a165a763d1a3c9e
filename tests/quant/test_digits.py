"""The digits network, trained in fixed point and minifloats: it learns, and graph and module stay equal."""

from __future__ import annotations

import pytest
import torch

from edgeq.demo import digits
from edgeq.frontends.torch import export
from edgeq.quant import Recipe
from tests.quant.test_equality import differing

EIGHT = {"weights": 8, "activations": 8}


@pytest.fixture(scope="module")
def data() -> digits.Digits:
    return digits.load()


@pytest.fixture(scope="module")
def model(data: digits.Digits) -> torch.nn.Module:
    return digits.train_float(data, seed=1, epochs=8)


def test_data_are_fixed_and_apart(data: digits.Digits) -> None:
    assert data.train_x.shape == (1438, 1, 8, 8)
    assert data.test_x.shape == (359, 1, 8, 8)
    assert ((data.test_x * 16) % 1 == 0).all()
    again = digits.load()
    assert (again.test_y == data.test_y).all()


def test_shifting_moves_pixels() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(digits.shifted(image, 1, 0)[0, 0, 1:], image[0, 0, :-1])
    assert torch.equal(digits.shifted(image, 0, -1)[0, 0, :, :-1], image[0, 0, :, 1:])
    assert torch.equal(digits.shifted(image, 0, 0), image)


@pytest.mark.parametrize(
    ("recipe", "least"),
    [
        (Recipe(), 0.96),
        (Recipe(weights=4, activations=4, first=EIGHT, last=EIGHT), 0.95),
        (Recipe(weights="e2m1", activations="e2m1"), 0.94),
        (Recipe(weights="e4m3", activations="e4m3"), 0.96),
    ],
    ids=["w8a8", "w4a4", "e2m1", "e4m3"],
)
def test_trained_networks(data: digits.Digits, model: torch.nn.Module, recipe: Recipe, least: float) -> None:
    assert digits.accuracy(model, data.test_x, data.test_y) >= 0.96
    seen: list[tuple[int, int]] = []
    prepared = digits.train_quantised(
        model, recipe, data, seed=1, epochs=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]
    assert digits.accuracy(prepared, data.test_x, data.test_y) >= least
    images = torch.from_numpy(data.test_x)
    graph = export(prepared, images, optimise=False)
    bad, count = differing(graph, prepared, (images[:100],))
    assert not bad
    assert count > 200_000
    answers = graph.run(data.test_x).argmax(axis=1)
    assert (answers == data.test_y).mean() == digits.accuracy(prepared, data.test_x, data.test_y)
