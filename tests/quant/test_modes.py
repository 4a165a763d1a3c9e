"""Rounding rules and overflow modes in training: exact forward, the function's own gradient, and the graph has them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import FIXED_RULES, OVERFLOWS, RULES, FixedPoint, overflow_scalar, round_scalar
from edgeq.frontends.torch import export
from edgeq.quant import Recipe, calibrate, prepare
from edgeq.quant.overflow import overflow
from edgeq.quant.quantizers import activation_proxy, binary_point
from edgeq.quant.spec import QuantSpec
from tests.quant.networks import make
from tests.quant.test_equality import differing

#: each rule with each mode once, on networks with joins, pools, and functions
MODES = [
    ("half_down", "wrap"),
    ("half_away", "zero"),
    ("half_to_zero", "symmetric"),
    ("to_zero", "wrap"),
    ("half_even", "zero"),
]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("mode", OVERFLOWS)
def test_overflow_is_exact(mode: str, signed: bool) -> None:
    fmt = FixedPoint(5, 0, signed)
    lo, hi = fmt.grid_range
    for dtype, far in ((torch.float32, 1 << 23), (torch.float64, 1 << 51)):
        numbers = [*range(-100, 101), far, -far, far - 17, 17 - far]
        x = torch.tensor(numbers, dtype=dtype)
        assert overflow(x, float(lo), float(hi), mode).tolist() == [overflow_scalar(n, fmt, mode) for n in numbers]


@pytest.mark.parametrize(("mode", "slopes"), [("saturate", (1, 0)), ("zero", (1, 0)), ("wrap", (1, 1))])
def test_gradient_of_overflow(mode: str, slopes: tuple[int, int]) -> None:
    x = torch.tensor([-3.0, 2.0, 40.0, -90.0], requires_grad=True)
    overflow(x, -16.0, 15.0, mode).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [slopes[0], slopes[0], slopes[1], slopes[1]]


@pytest.mark.parametrize("mode", OVERFLOWS)
@pytest.mark.parametrize("rule", FIXED_RULES)
def test_fake_quantiser(rule: str, mode: str) -> None:
    """The Brevitas module in training and `QuantSpec.quantise` are the format's rounding and overflow."""
    spec = QuantSpec("x", 4, rounding=rule, overflow=mode, learned=True, steps=1)
    proxy = activation_proxy(nn.Module(), spec)
    proxy.train()
    proxy(torch.linspace(-1, 1, 33))
    exponent = binary_point(proxy).exponent()
    fmt = spec.format(int(exponent))
    assert isinstance(fmt, FixedPoint)
    step = 2.0 ** int(exponent)
    grid = np.arange(-160, 161) / 8
    x = torch.tensor(grid * step, dtype=torch.float32, requires_grad=True)
    want = [overflow_scalar(round_scalar(g, rule), fmt, mode) * step for g in map(Fraction, grid.tolist())]
    assert spec.quantise(x.detach(), exponent).tolist() == want
    y = proxy(x)
    assert y.tolist() == want
    y.sum().backward()
    lo, hi = fmt.grid_range
    inside = np.array([lo <= round_scalar(Fraction(g), rule) <= hi for g in grid.tolist()])
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy(), np.where(inside | (mode == "wrap"), 1.0, 0.0))
    assert binary_point(proxy).log2_range.grad is not None


@pytest.mark.parametrize(("rule", "mode"), MODES)
@pytest.mark.parametrize("name", ["residual", "slopes"])
def test_network_equals_the_graph(name: str, rule: str, mode: str) -> None:
    """Binary points two bits too fine make outputs overflow; every value of the exported graph is the module's."""
    model, batch = make(name)
    prepared = prepare(model, Recipe(weights=5, activations=6, rounding=rule, overflow=mode), batch)
    calibrate(prepared, [batch])
    outputs = []
    for module in prepared.modules():
        if hasattr(module, "output_quant"):
            point = binary_point(module.output_quant)
            if point.spec.fixed is None:
                with torch.no_grad():
                    point.log2_range -= 2
            outputs.append(point.spec)
    graph = export(prepared, batch, optimise=False)
    bad, count = differing(graph, prepared, batch)
    assert not bad
    assert count > 100
    stages = [n.attrs for n in graph.nodes]
    assert any(a.get("rounding") == rule for a in stages)
    if mode == "symmetric":
        assert any(spec.narrow for spec in outputs)
        assert not any("overflow" in a for a in stages)
    else:
        assert any(a.get("overflow") == mode for a in stages)


def test_a_clip_beyond_the_format_is_refused() -> None:
    """ReLU6 into a format that ends below 6: what lies between both would wrap, and a node has no such bound."""
    model, batch = nn.Sequential(nn.Linear(4, 3), nn.ReLU6()), (torch.randn(8, 4),)
    prepared = prepare(model, Recipe(overflow="wrap"), batch)
    calibrate(prepared, [batch])
    with pytest.raises(UnsupportedError, match=r"its clip to 6 lies beyond u8.*with overflow wrap.*use saturate"):
        export(prepared, batch)


def test_what_is_refused() -> None:
    model, batch = make("residual")
    with pytest.raises(InputError, match="overflow: must be one of saturate, wrap, zero, symmetric"):
        Recipe(overflow="clip")
    with pytest.raises(InputError, match="overflow wrap is of fixed point only, not of e2m1"):
        prepare(model, Recipe(activations="e2m1", overflow="wrap"), batch)
    with pytest.raises(InputError, match="rounding to_zero is of fixed point only, not of e2m1"):
        prepare(model, Recipe(activations="e2m1", rounding="to_zero"), batch)
    assert Recipe(rounding="half_even").layer("x").rule("e2m1") == "half_even"
    assert set(RULES) < set(FIXED_RULES)
