"""Learned fixed point for every layer: kept BatchNorm, biases with points of their own, learned widths, K-hot weights.

Gradients are compared with finite differences of the quantiser with its rounding errors held fast, which is what
"straight through" means: q = clip(x / s + e) * s with s = 2**(p - b + 1).
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from edgeq.emulator import encode_inputs, reference
from edgeq.errors import InputError
from edgeq.formats import KHot
from edgeq.fpga import styles
from edgeq.frontends.torch import export
from edgeq.frontends.torch.reference import reference_trace
from edgeq.quant import Recipe, calibrate, prepare, quantisers
from edgeq.quant import widths as cost
from edgeq.quant.batch_norm import BatchNorm
from edgeq.quant.biases import BiasQuant
from edgeq.quant.quantizers import activation_proxy, binary_point
from edgeq.quant.spec import QuantSpec, round_khot
from edgeq.quant.widths import WidthPenalty, freeze_widths, widths
from tests.quant.networks import make


class Vectors(nn.Module):
    """BatchNorm of vectors, with and without a ReLU, and one that has no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.two, self.last = nn.Linear(8, 5, bias=False), nn.BatchNorm1d(5, affine=False, momentum=None)

    def forward(self, x):
        return self.last(self.two(torch.relu(self.norm(self.one(x)))))


RECIPES = {
    "all_layers": {"batch_norm": "keep", "biases": 8, "elementwise": {"activations": 5, "weights": 6}},
    "tensor": {"batch_norm": "keep", "biases": 5, "per_channel": False, "rounding": "half_even", "weights": 4},
    "khot_signed": {"weights": {"bits": 8, "khot": 2, "digits": "signed"}, "batch_norm": "keep"},
    "khot_binary": {"weights": {"bits": 6, "khot": 1, "digits": "binary"}, "biases": 6, "per_channel": False},
    "widths": {"width": "learned", "biases": 10, "batch_norm": "keep", "weights": {"bits": 8, "khot": 3}},
}


def network(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    torch.manual_seed(3)
    return (Vectors(), (torch.randn(9, 6),)) if name == "vectors" else make(name)


def trained(name: str, recipe: dict[str, object], steps: int = 3) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A network after a few steps of training on noise."""
    model, batch = network(name)
    prepared = prepare(model.train(), Recipe.from_dict(recipe | {"collect_stats_steps": 1}), batch)
    optimiser = torch.optim.SGD(prepared.parameters(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        outputs = prepared(*batch)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        sum((o * torch.randn_like(o)).mean() for o in outputs if o.is_floating_point()).backward()
        optimiser.step()
    return prepared, batch


#: all of them with all recipes pass, too; these together have every kind of layer with every option
QUICK = [
    ("mobile", "all_layers"), ("residual", "widths"), ("vectors", "tensor"), ("vectors", "khot_signed"),
    ("vectors", "khot_binary"), ("standalone", "all_layers"),
]  # fmt: skip
ALL = [
    pytest.param(n, r, marks=() if (n, r) in QUICK else pytest.mark.heavy)
    for n in ("residual", "mobile", "signal", "standalone", "vectors")
    for r in RECIPES
]


@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_trained_network_equals_the_graph(name: str, recipe: str) -> None:
    prepared, batch = trained(name, RECIPES[recipe])
    if recipe == "widths":
        for i, point in enumerate(p for p in quantisers(prepared).values() if p.bits is not None):
            with torch.no_grad():
                point.bits.fill_((3.2, 4.6, 8.0, 6.5)[i % 4])
    prepared.eval()
    graph = export(prepared, batch, optimise=False)
    codes, _ = encode_inputs(graph, [b.numpy() for b in batch])
    executed, expected = reference(graph, codes), reference_trace(prepared, batch)
    assert set(executed) == set(expected)
    for value, got in executed.items():
        assert np.array_equal(graph.values[value].format.decode(got), expected[value]), value


@pytest.mark.parametrize(
    "name",
    ["mobile", "branches", *(pytest.param(n, marks=pytest.mark.heavy) for n in ("signal", "greatest", "attention"))],
)
def test_every_layer_has_a_point_that_learns(name: str) -> None:
    """Weights, biases, activations, sums, products, pools, BatchNorm: a gradient arrives at each learned point."""
    prepared, _ = trained(name, {"batch_norm": "keep", "biases": 4, "weights": 4, "activations": 4}, steps=2)
    points = quantisers(prepared)
    known = [n for n, p in points.items() if p.spec.fixed is not None]
    constants = [n for n, p in points.items() if not p.spec.learned]
    assert all("gate" in n or "tanh" in n or "softmax" in n for n in known)
    assert all("constant" in n for n in constants), "numbers in the code do not learn"
    for key, point in points.items():
        if key not in known + constants:
            assert point.log2_range.grad is not None, key
            assert torch.isfinite(point.log2_range.grad).all(), key
    kinds = {key.rpartition(".")[2] for key in points}
    assert {"weight_quant", "output_quant"} <= kinds
    assert ("own_bias" in kinds) == any(getattr(m, "bias", None) is not None for m in prepared.modules())


def smooth(x: torch.Tensor, error: torch.Tensor, p: float, b: float, start: QuantSpec) -> torch.Tensor:
    """The quantiser with its rounding errors held fast, at range 2**p and width b."""
    scale = 2.0 ** (p - b + 1)
    top = 2.0 ** (b - 1) - 1 if start.khot is None else start.top * 2.0 ** (b - start.bits)
    low = -top if start.low == -start.top else -top - 1
    return torch.clamp(x / scale + error, low, top) * scale


@pytest.mark.parametrize(
    "changes",
    [{}, {"narrow": True}, {"khot": KHot(5, 1)}, {"khot": KHot(5, 2, "binary")}],
    ids=["plain", "narrow", "khot", "binary"],
)
def test_gradients_of_point_and_width_against_finite_differences(changes: dict[str, object]) -> None:
    spec = QuantSpec("x", 5, steps=1, width_learned=True, **changes)
    x = torch.linspace(-3.1, 3.1, 257, dtype=torch.float64)
    units = x / 2.0 ** (1 - spec.head)
    khot = spec.khot
    rounded = torch.floor(units + 0.5) if khot is None else round_khot(units, khot, "half_up")
    # K-hot rounding clips first, so only what lies in range has an error to hold fast.
    saturated = units.abs() > spec.top if khot else (rounded > spec.top) | (rounded < spec.low)
    error = torch.where(saturated, 0, rounded - units) if khot else rounded - units
    # Exactly at the ends of the range the clip has no derivative.
    border = ~saturated & ((rounded == spec.top) | (rounded == spec.low))
    upstream = torch.where(border, 0, torch.cos(2 * x + 1))
    assert saturated.any()

    layer = nn.Module()
    layer.q = activation_proxy(layer, spec)
    layer.double()
    point = binary_point(layer.q)
    point.set(torch.tensor(1.0))
    (layer.q(x[None]) * upstream).sum().backward()
    step, lsq = 1e-6, 1 / math.sqrt(x.numel() * spec.top)
    for parameter, dp, db, factor in ((point.log2_range, step, 0.0, lsq), (point.bits, 0.0, step, 1.0)):
        ahead, behind = (smooth(x, error, 1 + s * dp, 5 + s * db, spec) for s in (1, -1))
        numeric = ((ahead - behind) * upstream).sum() / (2 * step)
        assert parameter.grad.item() / factor == pytest.approx(numeric.item(), rel=1e-5)
        assert abs(numeric.item()) > 1e-2


def test_gradients_of_a_bias_against_finite_differences() -> None:
    bias = torch.tensor([0.3, -0.77, 1.9, -3.0], dtype=torch.float64)
    upstream = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    quant = BiasQuant(QuantSpec("b", 4)).double()
    quant.scaling_impl.set(torch.tensor(1.0))
    rounded, exponents = quant(bias, torch.full((4,), -9, dtype=torch.int32))
    assert exponents.tolist() == [-2] * 4
    assert rounded.tolist() == [0.25, -0.75, 1.75, -2.0]
    (rounded * upstream).sum().backward()
    error = torch.tensor([1.0, -3.0, 8.0, -12.0]).double() - bias * 4
    ahead, behind = (smooth(bias, error, 1 + s, 4.0, quant.scaling_impl.spec) for s in (1e-6, -1e-6))
    numeric = ((ahead - behind) * upstream).sum().item() / 2e-6
    factor = 1 / math.sqrt(4 * 7)
    assert quant.scaling_impl.log2_range.grad.item() / factor == pytest.approx(numeric, rel=1e-5)


def test_a_bias_is_no_finer_than_its_products() -> None:
    quant = BiasQuant(QuantSpec("b", 8))
    quant.scaling_impl.set(torch.tensor(-3.0))
    rounded, exponents = quant(torch.tensor([0.3, 0.01]), torch.tensor([-4, -12], dtype=torch.int32))
    assert exponents.tolist() == [-4, -10]
    assert rounded.tolist() == [0.3125, 0.009765625]


def norm_specs(bits: int) -> tuple[QuantSpec, QuantSpec]:
    return QuantSpec("w", bits, narrow=True), QuantSpec("y", bits, steps=1)


def test_kept_batch_norm_is_torchs_up_to_rounding() -> None:
    """Outputs, gradients and running statistics, with so many bits that rounding hardly shows."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    nn.init.uniform_(norm.weight, 0.3, 1.5)
    nn.init.normal_(norm.bias)
    ours = BatchNorm(copy.deepcopy(norm), norm_specs(16)[0], True, norm_specs(16)[1])
    ours.sources = [activation_proxy(nn.Module(), QuantSpec("x", 16))]
    binary_point(ours.sources[0]).set(torch.tensor(4.0))
    for _ in range(3):
        x = torch.randn(8, 3, 5, 4) * 2 + 1
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        upstream = torch.randn(8, 3, 5, 4)
        expected, got = norm(a), ours(b)
        (expected * upstream).sum().backward()
        (got * upstream).sum().backward()
        torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
        torch.testing.assert_close(b.grad, a.grad, atol=1e-3, rtol=0)
    torch.testing.assert_close(ours.gamma.grad, norm.weight.grad, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(ours.beta.grad, norm.bias.grad, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(ours.running_mean, norm.running_mean)
    torch.testing.assert_close(ours.running_var, norm.running_var)
    norm.eval()
    ours.eval()
    torch.testing.assert_close(ours(x), norm(x), atol=1e-3, rtol=0)
    binary_point(ours.weight_quant).set(torch.full((3,), 6.0))
    assert not torch.allclose(ours(x), norm(x), atol=1e-3), "a coarse factor shows"


def test_rounding_the_factor_moves_no_mean() -> None:
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(100.0)
    nn.init.constant_(norm.weight, 0.7)
    ours = BatchNorm(norm.eval(), norm_specs(3)[0], True, norm_specs(16)[1])
    assert float(ours.quantised_weight().detach()[0]) != pytest.approx(0.7, abs=1e-3)
    mean = ours.product(torch.full((1, 2), 100.0), ours.quantised_weight(), ours.bias)
    assert mean.abs().max() < 1e-4


def test_bias_correction_leaves_a_kept_batch_norm_alone() -> None:
    """Its offset is made from the rounded factor already; a second correction would shift the mean."""
    model, batch = network("vectors")
    prepared = calibrate(
        prepare(model.eval(), {"batch_norm": "keep", "weights": 2}, batch), [batch], ptq="bias_correction"
    )
    assert torch.equal(prepared.norm.beta, model.norm.bias)
    assert not torch.equal(prepared.one.bias, model.one.bias)


def test_kept_batch_norm_is_one_node_of_the_graph() -> None:
    prepared, batch = trained("vectors", RECIPES["all_layers"], steps=1)
    graph = export(prepared, batch, optimise=False)
    norm = next(n for n in graph.nodes if n.name == "norm")
    assert norm.op == "conv"
    assert norm.integer("groups") == 8
    assert graph.ins(norm)[1].format.bits == 6
    assert graph.ins(norm)[2].format.bits == 8
    assert graph.outs(norm)[0].format.bits == 5
    assert not any(n.name.startswith("norm") for n in export(trained("vectors", {}, steps=1)[0], batch).nodes)


@pytest.mark.parametrize(("k", "digits"), [(1, "signed"), (1, "binary"), (2, "binary"), (3, "signed")])
def test_exported_weights_are_khot(k: int, digits: str) -> None:
    """After training and after calibration alone; without the option the same network's weights are not."""
    weights = {"bits": 8, "khot": k, "digits": digits}
    model, batch = network("vectors")
    calibrated = calibrate(prepare(model, {"weights": weights}, batch), [batch])
    plain = calibrate(prepare(model, {"weights": 8}, batch), [batch])
    fmt = KHot(**weights)

    def held(prepared: nn.Module) -> list[bool]:
        graph = export(prepared, batch, optimise=False)
        found = [graph.ins(n)[1] for n in graph.nodes if n.op in ("conv", "linear")]
        assert len(found) == 2
        return [bool(fmt.holds(v.data).all()) for v in found]

    assert all(held(calibrated))
    assert all(held(trained("vectors", {"weights": weights})[0]))
    assert not all(held(plain))


def test_export_refuses_weights_that_are_not_khot(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, batch = trained("vectors", {"weights": {"bits": 8, "khot": 1}}, steps=1)
    monkeypatch.setattr("edgeq.quant.quantizers.round_khot", lambda x, fmt, rule: torch.floor(x + 0.5))
    with pytest.raises(InputError, match="one: weights are not K-hot"):
        export(prepared, batch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor"])
def test_torch_rounds_to_levels_as_the_format_does(rule: str, dtype: torch.dtype) -> None:
    for fmt in (KHot(8, 1), KHot(8, 2), KHot(6, 2, "binary")):
        eighths = torch.arange(-1200, 1200, dtype=dtype) / 8
        near = torch.nextafter(eighths, torch.zeros((), dtype=dtype))
        x = torch.cat([eighths, near, -near])
        assert np.array_equal(round_khot(x, fmt, rule).numpy(), fmt.nearest(x.double().numpy(), rule))


def test_penalty_counts_by_hand() -> None:
    prepared, batch = trained("vectors", {"width": "learned", "activations": 6, "biases": 8})
    assert widths(prepared)["one.weight_quant"] == 8
    # x is a border of 8 bits; 6 -> 8 -> 5 features, BatchNorm folded, both layers with a bias.
    expected = {
        "bitops": 6 * 8 * 8 * 8 + 8 * 5 * 6 * 8,
        "luts": 6 * 8 * 8 * (8 + 2.5) + 8 * 5 * 8 * (6 + 2.5),
        "bytes": 6 * 8 + (48 * 8 + 8 * 8 + 8 * 6) / 8 + (40 * 8 + 5 * 8 + 5 * 8) / 8 - 6 * 8 + 6,
    }
    for kind, most in expected.items():
        penalty = WidthPenalty(prepared, batch, kind)
        assert penalty.start == pytest.approx(most)
    penalty = WidthPenalty(prepared, batch)
    assert penalty.kind == "bitops"
    point = quantisers(prepared)["two.weight_quant"]
    with torch.no_grad():
        point.bits.fill_(4.4)
    assert penalty.cost().item() == pytest.approx(6 * 8 * 8 * 8 + 8 * 5 * 6 * 4)
    point.bits.grad = None
    penalty().backward()
    assert point.bits.grad.item() == pytest.approx(8 * 5 * 6 / penalty.start)
    assert styles.LUTS["ecp5"] == (cost.LOGIC, cost.PLANE)


@pytest.mark.parametrize("kind", ["bitops", "luts", "bytes"])
def test_a_penalty_lowers_widths_and_freezing_keeps_them(kind: str) -> None:
    prepared, batch = trained("vectors", {"width": "learned", "width_cost": kind})
    penalty = WidthPenalty(prepared, batch)
    assert penalty.kind == kind
    optimiser = torch.optim.Adam(prepared.parameters(), lr=0.1)
    for _ in range(25):
        optimiser.zero_grad()
        (prepared(*batch).square().mean() * 0.01 + penalty()).backward()
        optimiser.step()
    found = freeze_widths(prepared)
    assert penalty.cost().item() < 0.8 * penalty.start
    assert found["one.weight_quant"] < 8
    assert found["last.output_quant" if "last.output_quant" in found else "two.output_quant"] == 8, "the border stays"
    graph = export(prepared.eval(), batch, optimise=False)
    weight = next(graph.ins(n)[1] for n in graph.nodes if n.op == "linear")
    assert weight.format.bits == found["one.weight_quant"]
    (prepared.train()(*batch).sum() + penalty()).backward()
    assert widths(prepared) == found
    assert all(p.bits is None or p.bits.grad is None for p in quantisers(prepared).values())


def test_widths_stay_between_two_and_the_recipes_and_travel_in_the_state() -> None:
    prepared, batch = trained("vectors", {"width": "weights"})
    assert quantisers(prepared)["one.output_quant"].bits is None
    point = quantisers(prepared)["one.weight_quant"]
    for value, bits in ((-5.0, 2), (99.0, 8), (2.6, 3)):
        with torch.no_grad():
            point.bits.fill_(value)
        prepared.train()(*batch)
        assert point.spec.bits == bits
        assert 2 <= point.bits.item() <= 8
    other = prepare(network("vectors")[0], {"width": "weights"})
    other.load_state_dict(prepared.state_dict())
    assert widths(other) == widths(prepared)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"weights": {"bits": 8}}, "weights: K-hot weights are"),
        ({"weights": {"bits": 8, "khot": 2, "hot": 1}}, "weights: K-hot weights are"),
        ({"weights": {"bits": 9, "khot": 2}}, "weights: bits: must be 2 to 8"),
        ({"weights": {"bits": 8, "khot": 0}}, "khot must be 1 to 16"),
        ({"weights": {"bits": 8, "khot": 2, "digits": "ternary"}}, "signed, binary"),
        ({"biases": 40}, "biases: must be 2 to 32"),
        ({"batch_norm": "merge"}, "batch_norm: must be one of fold, keep"),
        ({"width": "free"}, "width: must be one of"),
        ({"width_cost": "euros"}, "width_cost: must be one of"),
        ({"elementwise": {"batch_norm": "keep"}}, "elementwise: unknown key 'batch_norm'"),
    ],
)
def test_wrong_keys_are_named(recipe: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe.from_dict(recipe)


def test_minifloats_have_no_width_to_learn() -> None:
    with pytest.raises(InputError, match="needs activations of fixed point, and these are e2m1"):
        prepare(network("vectors")[0], {"width": "learned", "activations": "e2m1"})


def test_recipe_reads_back_equal() -> None:
    recipe = Recipe.from_dict(RECIPES["khot_signed"] | {"first": {"weights": {"bits": 4, "khot": 1}}})
    assert recipe.weights == KHot(8, 2, "signed")
    assert recipe.to_dict()["first"] == {"weights": {"bits": 4, "khot": 1, "digits": "signed"}}
    assert Recipe.from_dict(recipe.to_dict()) == recipe
