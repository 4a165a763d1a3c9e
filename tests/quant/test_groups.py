"""Group scales in training and calibration: statistics, gradients, limits, and export equal to the emulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import edgeq
from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import Grouped
from edgeq.ir import Graph
from edgeq.quant import Recipe
from edgeq.quant.binary_point import BinaryPoint, find_range
from edgeq.quant.quantizers import binary_point
from edgeq.quant.spec import QuantSpec


def network() -> nn.Module:
    """Channels whose groups of eight differ by powers of two."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(20, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 5))
    with torch.no_grad():
        net[0].weight[:, :8] *= 16
        net[3].weight[:, 8:16] /= 32
    return net


def exported(recipe: Recipe, steps: int = 0) -> tuple[nn.Module, Graph, torch.Tensor]:
    x = torch.randn(4, 20, 4, 4, generator=torch.Generator().manual_seed(1))
    model = edgeq.prepare(network(), recipe, x)
    edgeq.calibrate(model, [x])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        model.train()
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()
    model.eval()
    return model, edgeq.export(model, x), x


@pytest.mark.parametrize("weights", ["e2m1", "e4m3", 4])
def test_exported_networks_answer_as_the_module(weights: Any) -> None:
    model, net, x = exported(Recipe(weights=weights, group=8), steps=3)
    formats = [v.format for v in net.constants() if isinstance(v.format, Grouped)]
    assert [len(f.shifts) for f in formats] == [6 * 9 * 3, 5 * 12]
    assert all(max(f.shifts) >= 3 and f.group == 8 for f in formats)
    assert np.array_equal(net.run(x.numpy()), model(x).detach().numpy())


def test_groups_are_nearer_to_the_weights_than_channels() -> None:
    def error(group: int | None) -> float:
        model = edgeq.prepare(network(), Recipe(weights="e2m1", group=group), torch.randn(2, 20, 4, 4))
        layers = [m for m in model.modules() if hasattr(m, "quantised_weight")]
        return float(sum((m.quantised_weight() - m.weight).detach().square().sum() for m in layers))

    assert error(8) < 0.75 * error(None)


def test_each_group_has_the_range_of_its_own_weights() -> None:
    spec = QuantSpec("w", 4, narrow=True, group=3, statistics="max")
    x = torch.rand(2, 7, 2) + 0.5
    x *= 2.0 ** torch.randint(-3, 4, (2, 3, 2)).repeat_interleave(3, dim=1)[:, :7]
    found = find_range(x, spec, (2, 3, 2))
    for o in range(2):
        for g in range(3):
            for k in range(2):
                part = x[o, 3 * g : 3 * g + 3, k].reshape(1, -1)
                assert found[o, g, k] == find_range(part, replace(spec, group=None), ())


def test_scales_of_a_channel_stay_as_near_as_the_grid_holds() -> None:
    spec = QuantSpec("w", "e4m3", group=2)
    point = BinaryPoint(spec, (1, 3))
    point.set(torch.tensor([[7.0, -30.0, 2.0]]))
    assert (point.exponent() - point.exponent().max()).tolist() == [[0, -10, -5]]
    assert BinaryPoint(QuantSpec("w", "e5m2", group=2), (1, 3)).spec.group_spread == 1
    assert point(torch.zeros(1, 5)).log2().diff().tolist() == [[0.0, -10.0, 0.0, 5.0]]


def test_training_moves_each_group() -> None:
    model, _, x = exported(Recipe(weights="e2m1", group=8))
    layer = model.get_submodule("3")
    point = binary_point(layer.weight_quant)  # type: ignore[arg-type]
    model.train()
    model(x).square().mean().backward()
    assert isinstance(point.log2_range, nn.Parameter)
    assert point.log2_range.grad is not None
    assert point.log2_range.shape == (5, 12)
    assert int((point.log2_range.grad != 0).sum()) > 30


def test_what_is_refused() -> None:
    x = torch.randn(1, 20, 4, 4)
    with pytest.raises(InputError, match="recipe: group: must be 1 to 65536"):
        Recipe(group=0)
    with pytest.raises(InputError, match="recipe: group: 8 is not for weights of a learned width"):
        edgeq.prepare(network(), Recipe(weights=4, group=8, width="learned"), x)
    with pytest.raises(InputError, match="0: ptq method gptq does not know group scales"):
        edgeq.prepare(network(), Recipe(weights=4, group=8, ptq=["gptq"]), x)
    with pytest.raises(UnsupportedError, match=r"0.weight: a transposed convolution is not trained with group scales"):
        edgeq.prepare(nn.Sequential(nn.ConvTranspose2d(20, 4, 2)), Recipe(weights=4, group=8), x)
