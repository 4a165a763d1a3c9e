"""Binary points: the gradient by its equations and by finite differences, statistics, search, state."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from edgeq.errors import InputError
from edgeq.quant.binary_point import BinaryPoint, Observer, covering_exponent, find_range
from edgeq.quant.quantizers import activation_proxy, binary_point
from edgeq.quant.spec import QuantSpec


def quantiser(number, signed: bool = True, **changes) -> nn.Module:
    layer = nn.Module()
    layer.q = activation_proxy(layer, QuantSpec("x", number, signed=signed, **({"steps": 1} | changes)))
    return layer


def gradient_factor(spec: QuantSpec, per_sample: int) -> float:
    return 1 / math.sqrt(per_sample * spec.top)


@pytest.mark.parametrize("number", [4, 8, "e2m1", "e4m3"])
def test_gradient_has_the_straight_through_equations(number) -> None:
    """In range dq/df = ln2 * (x - q); saturated dq/df = -ln2 * q; f = -log2 of the scale (facts of QFX and TQT)."""
    layer = quantiser(number)
    point = binary_point(layer.q)
    point.set(torch.tensor(1.0))
    x = torch.randn(7, 50) * 1.5
    upstream = torch.randn(7, 50)
    scale = 2.0 ** int(point.exponent())
    # What rounds to the greatest value from outside counts as inside: the clip comes after the rounding.
    units = (x / scale).abs()
    border = (units >= point.spec.top) & (units <= -point.spec.low * 1.2 + 1)
    upstream = torch.where(border, 0, upstream)
    q = layer.q(x)
    (q * upstream).sum().backward()
    inside = (x / scale).abs() < point.spec.top
    per_element = torch.where(inside, math.log(2) * (x - q), -math.log(2) * q)
    # The parameter is log2 of the range, so its gradient has the other sign than that of the binary point.
    expected = -(per_element * upstream).sum().item() * gradient_factor(point.spec, 50)
    assert point.log2_range.grad.item() == pytest.approx(expected, rel=1e-4)
    assert (~inside).any()
    assert inside.any()


def test_gradient_against_finite_differences() -> None:
    """The quantiser without its two roundings is smooth in range and scale; there the gradient is the true one."""
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    spec = QuantSpec("x", 4, steps=1)
    rounded = torch.floor(x / 2.0 ** (1 - spec.head) + 0.5)
    # Exactly at the ends of the range the clip has no derivative.
    upstream = torch.where((rounded == spec.top) | (rounded == spec.low), 0, torch.cos(x * 5))

    def smooth(log2_range: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
        scale = torch.exp2(log2_range - spec.head)
        # Straight through: the rounding error is a constant that the scale multiplies.
        error = rounded - x / 2.0 ** (1 - spec.head)
        return (torch.clamp(x / scale + error, spec.low, spec.top) * scale * upstream).sum()

    step = 1e-6
    at = torch.tensor(1.0, dtype=torch.float64)
    numeric = (smooth(at + step, rounded) - smooth(at - step, rounded)) / (2 * step)
    layer = quantiser(4).double()
    binary_point(layer.q).set(at)
    (layer.q(x[None]) * upstream).sum().backward()
    got = binary_point(layer.q).log2_range.grad / gradient_factor(spec, x.numel())
    assert got.item() == pytest.approx(numeric.item(), rel=1e-5)


def test_per_channel_gradients_are_separate() -> None:
    point = BinaryPoint(QuantSpec("w", 4, narrow=True), (3, 1))
    w = torch.tensor([[0.9, -0.4], [3.0, 1.0], [0.1, 0.2]])
    point.fit(w)
    scale = point(w)
    assert scale.shape == (3, 1)
    scale[1].sum().backward()
    assert (point.log2_range.grad != 0).flatten().tolist() == [False, True, False]


def test_training_moves_a_wrong_point_to_where_the_error_is_least() -> None:
    torch.manual_seed(0)
    layer = quantiser(4)
    point = binary_point(layer.q)
    point.set(torch.tensor(5.0))
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(200):
        x = torch.randn(64, 32)
        optimiser.zero_grad()
        (layer.q(x) - x).square().sum().backward()
        optimiser.step()
    best = find_range(torch.randn(64, 32), point.spec, ())
    assert abs(point.log2_range.item() - best.item()) <= 1.0


def test_statistics_come_first_then_the_parameter_learns() -> None:
    layer = quantiser(8, steps=3, statistics="max")
    point = binary_point(layer.q)
    for i, size in enumerate((1.0, 2.0, 4.0)):
        out = layer.q(torch.full((4, 4), size, requires_grad=True))
        assert int(point.steps) == i + 1
        # The scale is a power of two from the first batch on.
        assert math.frexp(2.0 ** int(point.exponent()))[0] == 0.5
        out.sum().backward()
    assert point.log2_range.item() == pytest.approx(1.0)
    layer.q(torch.full((4, 4), 100.0))
    assert point.log2_range.item() == pytest.approx(1.0)


def test_stats_mode_has_no_parameter_and_follows() -> None:
    layer = quantiser(8, steps=2, learned=False, statistics="max")
    assert not list(layer.parameters())
    for size in (1.0, 1.0, 1.0, *[256.0] * 60):
        layer.q(torch.full((4, 4), size))
    assert binary_point(layer.q).log2_range.item() > 7.5


def test_eval_before_any_data_is_an_error() -> None:
    layer = quantiser(8)
    layer.q.eval()
    with pytest.raises(InputError, match=r"x: its binary point is not known yet.*edgeq\.calibrate"):
        layer.q(torch.ones(2, 2))


def test_state_survives_saving_copying_and_an_optimiser_made_before_loading() -> None:
    layer = quantiser(8, steps=4)
    layer.q(torch.randn(8, 8))
    other = quantiser(8, steps=4)
    optimiser = torch.optim.SGD(other.parameters(), lr=1.0)
    other.load_state_dict(layer.state_dict())
    mine, theirs = binary_point(layer.q), binary_point(other.q)
    assert int(theirs.steps) == 1
    assert torch.equal(mine.log2_range, theirs.log2_range)
    assert optimiser.param_groups[0]["params"][0] is theirs.log2_range
    copied = copy.deepcopy(other)
    binary_point(copied.q).set(torch.tensor(9.0))
    assert theirs.log2_range.item() != 9.0
    copied.load_state_dict(layer.state_dict())
    assert torch.equal(binary_point(copied.q).log2_range, mine.log2_range)


def test_fixed_points_stay() -> None:
    layer = quantiser(8, signed=False, fixed=0)
    assert not list(layer.parameters())
    layer.q(torch.rand(9, 9) * 7)
    assert int(binary_point(layer.q).exponent()) == -8


@pytest.mark.parametrize(("most", "exponent"), [(1.0, 0), (1.0001, 1), (0.5, -1), (0.3, -1), (448.0, 9)])
def test_covering_exponent(most: float, exponent: int) -> None:
    assert covering_exponent(most) == exponent


def test_search_finds_the_least_squared_error() -> None:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(np.concatenate([rng.normal(0, 1, 4000), [60.0]]))
    spec = QuantSpec("x", 4)
    errors = {p: (spec.quantise(x, torch.tensor(p - spec.head)) - x).square().sum().item() for p in range(-3, 9)}
    assert find_range(x, spec, ()).item() == min(errors, key=errors.get)
    observer = Observer(spec, "mse")
    for part in x.split(500):
        observer.see(part)
    assert observer.log2_range() == min(errors, key=errors.get)


def test_a_dead_channel_gets_no_needlessly_fine_grid() -> None:
    w = torch.tensor([[1.0, -0.5], [1e-20, 0.0], [0.0, 0.0]])
    found = find_range(w, QuantSpec("w", 8), (3, 1)).flatten().tolist()
    assert found[0] == 1.0, "a range of 1 does not hold 1 itself"
    assert found[1] == found[2]
    assert found[1] >= -16.0


def test_zeros_and_infinities_give_a_point_all_the_same() -> None:
    spec = QuantSpec("x", 8)
    assert find_range(torch.zeros(4), spec, ()).item() == 0.0
    assert math.isfinite(find_range(torch.tensor([1.0, float("inf")]), spec, ()).item())
    observer = Observer(spec, "mse")
    observer.see(torch.zeros(4))
    assert observer.log2_range() == 0.0
