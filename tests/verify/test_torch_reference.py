"""The trained torch module against the emulator: every tensor by its name, through all passes, and faults are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import edgeq
from edgeq.errors import InputError
from edgeq.ir import Graph


class Net(nn.Module):
    """A residual block, then a flatten whose order the passes change."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.block = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8 * 16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.stem(x)))
        x = self.act(self.block(x) + x)
        return self.head(self.pool(x).flatten(1))


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, Graph, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(16, 3, 8, 8)
    model = Net()
    model(x)  # gives the norm its statistics
    prepared = edgeq.prepare(model.eval(), edgeq.Recipe(weights=4, activations=8), x)
    edgeq.calibrate(prepared, [x])
    prepared.eval()
    return prepared, edgeq.export(prepared, x), x


def test_the_emulator_is_the_trained_network(trained: tuple[nn.Module, Graph, torch.Tensor]) -> None:
    prepared, net, x = trained
    result = edgeq.verify(net, prepared, x.numpy())
    assert result.equal, result.line()
    assert result.sides == ("float reference", "emulator")
    assert result.tensors >= 4
    assert set(result.skipped) <= {n for n in net.values if "transposed" in n}
    assert edgeq.verify(net, "host", x.numpy(), against=prepared).equal


def test_a_wrong_weight_is_found_and_its_layer_named(trained: tuple[nn.Module, Graph, torch.Tensor]) -> None:
    prepared, net, x = trained
    name = next(n.inputs[1] for n in net.nodes if n.source == "block")
    weight = net.values[name]
    assert weight.data is not None
    data = weight.data.copy()
    data[3, 1, 1, 0] -= 2 if data[3, 1, 1, 0] > 0 else -2
    faulty = net.replace(values={**net.values, name: replace(weight, data=data)})
    result = edgeq.verify(faulty, "emulator", x.numpy(), against=prepared)
    assert not result.equal
    assert result.first_divergence is not None
    assert result.first_divergence.layer == "block"
    assert result.first_divergence.index[-1] == 3


def test_another_network_is_not_equal(trained: tuple[nn.Module, Graph, torch.Tensor]) -> None:
    prepared, net, x = trained
    state = {k: v.clone() for k, v in prepared.state_dict().items()}
    with torch.no_grad():
        prepared.get_submodule("head").weight.mul_(-1)
    try:
        result = edgeq.verify(net, prepared, x.numpy())
    finally:
        prepared.load_state_dict(state)
    assert result.first_divergence is not None
    assert result.first_divergence.layer == "head"
    assert edgeq.verify(net, prepared, x.numpy()).equal


def test_a_plain_module_is_refused(trained: tuple[nn.Module, Graph, torch.Tensor]) -> None:
    with pytest.raises(InputError, match=r"edgeq\.prepare"):
        edgeq.verify(trained[1], Net(), np.zeros((1, 3, 8, 8)))
