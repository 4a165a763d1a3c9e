"""Post-training quantisation: each method alone lowers what it minimises, and what it chose is what is exported."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeq.errors import InputError
from edgeq.frontends.torch import export
from edgeq.quant import Recipe, calibrate, prepare
from edgeq.quant.ptq import METHODS, ROUNDING, regions
from edgeq.quant.ptq import suite as ptq_suite
from edgeq.quant.ptq.matrix import patches, rows_of, weight_from
from edgeq.quant.ptq.network import float_twin, in_float, layers_with_weights
from edgeq.quant.ptq.problem import Problem, levels_of
from edgeq.quant.quantizers import binary_point
from edgeq.quant.spec import QuantSpec, power_of_two
from tests.quant.networks import make
from tests.quant.test_equality import differing
from tests.quant.test_spec import MINIFLOATS, finite

KHOT = {"bits": 6, "khot": 2, "digits": "signed"}
WEIGHTS = [2, 4, "e2m1", "e3m0", "e1m2", "e4m3", KHOT]


def options(name: str, iterations: int) -> dict:
    return {name: {"iterations": iterations} if "iterations" in METHODS[name].options else None}


def correlated(samples: int, terms: int, seed: int = 0) -> torch.Tensor:
    """Inputs that depend on each other, without which rounding to the nearest is the best there is."""
    torch.manual_seed(seed)
    return torch.randn(samples, 4) @ torch.randn(4, terms) + 0.1 * torch.randn(samples, terms) + 0.3


# -- the problem of a layer ---------------------------------------------------------------------------------------

LAYERS = {
    "linear": (nn.Linear(6, 5), (7, 6)),
    "linear over time": (nn.Linear(6, 5), (3, 4, 6)),
    "conv": (nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (2, 4, 9, 8)),
    "depthwise": (nn.Conv2d(4, 8, (3, 2), groups=4, padding=(0, 1)), (2, 4, 6, 5)),
    "reflect": (nn.Conv2d(2, 3, 3, padding=2, padding_mode="reflect"), (2, 2, 5, 6)),
    "same": (nn.Conv2d(2, 3, (4, 3), padding="same"), (2, 2, 5, 6)),
    "conv1d": (nn.Conv1d(4, 6, 5, stride=3, padding=2, groups=2), (3, 4, 11)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (2, 4, 3, 5)),
    "transposed1d": (nn.ConvTranspose1d(2, 3, 4, stride=3, dilation=2, padding=4), (2, 2, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_rows_times_its_patches(name: str) -> None:
    torch.manual_seed(1)
    layer, shape = LAYERS[name]
    x = torch.randn(shape)
    expected = (layer(x) - layer(torch.zeros(shape))).detach()
    axis = expected.ndim - 1 if isinstance(layer, nn.Linear) else 1
    made = torch.matmul(patches(layer, x), rows_of(layer, layer.weight).transpose(1, 2)).detach()
    made = made.permute(0, 2, 1).reshape(expected.shape[axis], -1)
    torch.testing.assert_close(made, expected.movedim(axis, 0).reshape(made.shape), rtol=1e-5, atol=1e-5)
    assert torch.equal(weight_from(layer, rows_of(layer, layer.weight)), layer.weight)


@pytest.mark.parametrize("number", [*MINIFLOATS, 2, 5, 8])
def test_levels_are_all_values_of_the_format(number) -> None:
    spec = QuantSpec("w", number, narrow=True)
    fmt = spec.format(0)
    grid = {g for c in range(fmt.code_range[0], fmt.code_range[1] + 1) if (g := finite(fmt, c)) is not None}
    values = sorted(v for g in grid if (v := float(np.ldexp(float(g), -fmt.frac))) >= spec.low)
    assert levels_of(spec).tolist() == values


@pytest.fixture(params=WEIGHTS, ids=str)
def problem(request) -> Problem:
    """A linear layer whose input is not the float one, and has correlated elements."""
    x = correlated(200, 12)
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(12, 5, bias=False)).eval()
    prepared = calibrate(prepare(model, {"weights": request.param, "activations": 8}, x), [x])
    layer = prepared.get_submodule("0")
    found = Problem(layer)
    found.see(x + 0.05 * torch.randn_like(x), x)
    return found


def test_the_quadratic_form_is_the_error_of_the_output(problem: Problem) -> None:
    x, ideal = correlated(90, 12, 5), correlated(90, 12, 6)
    other = Problem(problem.layer)
    other.see(x[:40], ideal[:40])
    other.see(x[40:], ideal[40:])
    rows = other.nearest()
    lacks = ideal.double() @ other.rows[0].t() - x.double() @ rows[0].t()
    torch.testing.assert_close(other.error(rows)[0], lacks.square().mean(dim=0))
    torch.testing.assert_close(other.shift(rows), lacks.mean(dim=0))
    other.centre()
    torch.testing.assert_close(other.error(rows)[0], lacks.var(dim=0, unbiased=False))


def test_neighbours_stand_on_both_sides(problem: Problem) -> None:
    below, above = problem.neighbours()
    assert torch.equal(problem.nearest(below), below)
    assert torch.equal(problem.nearest(above), above)
    scale = torch.exp2(problem.exponents().double())
    inside = problem.rows.abs() < problem.spec.top * scale
    assert ((below <= problem.rows) & (problem.rows < above))[inside].all()
    nearest = problem.nearest()
    assert ((nearest == below) | (nearest == above)).all()


# -- methods ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ROUNDING)
def test_rounding_methods_lower_the_error_that_they_minimise(problem: Problem, method: str) -> None:
    chosen = METHODS[method].options
    given = {key: option.default for key, option in chosen.items()} | (
        {"iterations": 250} if "iterations" in chosen else {}
    )
    made = ptq_suite._ROUNDING[method](problem, given)
    assert torch.equal(problem.nearest(made), made), "on the grid of the layer's own binary point"
    error = problem.own_error if method == "gptq" else problem.error
    plain, got = float(error(problem.nearest()).sum()), float(error(made).sum())
    assert got < 0.97 * plain
    before = problem.error(problem.nearest())
    problem.take(made)
    after = problem.error(rows_of(problem.layer, problem.layer.quantised_weight()).detach().double())
    assert (after <= before).all()
    assert float(after.sum()) < float(before.sum())


def test_adaround_chooses_among_neighbours_and_flexround_need_not(problem: Problem) -> None:
    below, above = problem.neighbours()
    made = ptq_suite._ROUNDING["adaround"](problem, {"iterations": 50, "strength": 1.0, "rate": 0.02})
    assert ((made == below) | (made == above)).all()
    assert not torch.equal(made, problem.nearest())
    made = ptq_suite._ROUNDING["flexround"](problem, {"iterations": 50, "rate": 0.05})
    assert not torch.equal(made, problem.nearest())


def test_clipping_search_looks_at_the_output() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 3)).eval()
    with torch.no_grad():
        model[0].weight[:, 0] = 8.0
    x = torch.randn(100, 8)
    x[:, 0] = 0.0  # The large weights never count.
    found = {}
    for ptq in ([], ["clipping"]):
        prepared = calibrate(prepare(model, {"weights": 3, "activations": 12, "statistics": "max"}, x), x, ptq=ptq)
        found[bool(ptq)] = float((prepared(x) - model(x)).square().mean().detach())
        exponent = binary_point(prepared.get_submodule("0").weight_quant).log2_range
        assert (exponent < 3).all() if ptq else (exponent >= 3).all()
    assert found[True] < found[False] / 10


class Chain(nn.Module):
    """ReLU, depthwise convolution, grouped and transposed ones, residual addition, pool, flatten."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.c, self.up = nn.Conv2d(8, 8, 1, groups=2, bias=False), nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(64, 5)

    def forward(self, x):
        x = torch.relu(self.a(x))
        y = torch.relu(x + self.c(torch.relu(self.b(x))))
        return self.fc(self.pool(torch.relu(self.up(y))).flatten(1))


def unbalanced(model: nn.Module, recipe: dict, x: torch.Tensor) -> nn.Module:
    """The network prepared, with channels of very different ranges and still the same float function."""
    prepared = prepare(model, recipe, x)
    found = regions.movable(prepared, (x,), "test")
    assert [(r.makers, r.readers) for r in found] == [(["a", "c"], ["b", "up"]), (["b"], ["c"]), (["up"], ["fc"])]
    for region in found:
        regions.scale(prepared, region, torch.logspace(-1.5, 1.5, region.channels))
    regions.fit_points(prepared, found)
    return prepared


@pytest.mark.parametrize(("method", "weights", "activations"), [("equalise", 5, 12), ("smooth", 8, 6)])
def test_factors_move_without_a_change_of_the_float_network(method: str, weights: int, activations: int) -> None:
    model = Chain().eval()
    torch.manual_seed(6)
    x = torch.randn(16, 3, 4, 4)
    expected = model(x).detach()
    recipe = {"weights": weights, "activations": activations, "per_channel": False, "output": 16}
    errors = []
    for ptq in ([], [method]):
        net = calibrate(unbalanced(model, recipe, x), [x], ptq=ptq)
        with in_float(net), torch.no_grad():
            torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-4)
        errors.append(float((net(x) - expected).square().mean().detach()))
        assert not differing(export(net, x, optimise=False), net, (x,))[0]
    assert errors[1] < 0.2 * errors[0]


def test_equalised_ranges_are_alike_on_both_sides() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    with torch.no_grad():
        model[0].weight.mul_(torch.logspace(-2, 2, 6).unsqueeze(1))
        model[2].weight[:, 5] = 0.0  # A channel that nothing reads stays.
    x = torch.randn(9, 4)
    prepared = calibrate(prepare(model, {"weights": 6}, x), x, ptq="equalise")
    first, second = (prepared.get_submodule(n).weight.detach().abs() for n in "02")
    torch.testing.assert_close(first.amax(1)[:5], second.amax(0)[:5])
    assert torch.equal(first[5], model[0].weight[5].abs())


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)), "the output of 0 is what 1, Table, reads"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU6(), nn.Linear(4, 2)), "0 clips at 6"),
        (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), "the output of 0 is an output of the network"),
        (nn.ReLU(), "there is no layer with weights"),
    ],
)
def test_scales_say_why_they_cannot_move(model: nn.Module, why: str) -> None:
    x = torch.randn(5, 4)
    prepared = calibrate(prepare(model.eval(), {}, x), x)
    before = copy.deepcopy(prepared.state_dict())
    with pytest.raises(InputError, match=f"ptq: smooth: no pair of layers can be scaled: {why}.*take smooth out"):
        calibrate(prepared, 3 * x, ptq="smooth")
    after = prepared.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_an_error_late_in_the_data_leaves_everything_as_it_was() -> None:
    x = correlated(20, 6)
    prepared = calibrate(prepare(nn.Sequential(nn.Linear(6, 4)).eval(), {"weights": 3}, x), x)
    before = copy.deepcopy(prepared.state_dict())
    for bad, match in ((x[:, :5], "does not take it"), (x * float("nan"), "NaN")):
        with pytest.raises(InputError, match=match):
            calibrate(prepared, [2 * x, bad], ptq=["gptq", "bias_correction"])
        assert all(torch.equal(value, before[key]) for key, value in prepared.state_dict().items())
    with pytest.raises(InputError, match="at least one batch"):
        calibrate(prepared, [], ptq="gptq")
    with pytest.raises(InputError, match="calibrate: ptq: 'best' is unknown"):
        calibrate(prepared, [x], ptq="best")


def test_rounding_with_bias_correction_restores_the_means() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 3)).eval()
    x = torch.rand(40, 3, 8, 8)
    means = model(x).mean((0, 2, 3)).detach()
    found = {}
    for ptq in (["gptq"], ["gptq", "bias_correction"]):
        made = calibrate(prepare(model, {"weights": 3, "activations": 12}, x), [x[:20], x[20:]], ptq=ptq)
        found[len(ptq)] = float((made(x).mean((0, 2, 3)) - means).detach().abs().max())
    assert found[2] < found[1] / 10


# -- what is exported ---------------------------------------------------------------------------------------------

EVERYTHING = ["equalise", "smooth", "clipping", {"adaround": {"iterations": 10}}, "bias_correction"]
SETS = {
    **{name: [options(name, 10)] for name in METHODS},
    "all": EVERYTHING,
    "clipping, gptq, bias": ["clipping", "gptq", "bias_correction"],
}
RECIPES = {
    "e2m1": Recipe(weights="e2m1", activations="e2m1", per_channel=False),
    "mixed": Recipe(
        weights=3,
        activations=7,
        layers={"*conv1": {"weights": "e3m0", "activations": "e4m3-fnuz"}, "classify": {"weights": KHOT}},
    ),
}


@pytest.mark.parametrize("methods", SETS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_emulator_and_module_are_equal_in_every_tensor(recipe: str, methods: str) -> None:
    model, batch = make("residual")
    plain = calibrate(prepare(model, RECIPES[recipe], batch), [batch], ptq=[])
    prepared = calibrate(prepare(model, RECIPES[recipe], batch), [batch], ptq=SETS[methods])
    net, before = export(prepared, batch, optimise=False), export(plain, batch, optimise=False)
    bad, count = differing(net, prepared, batch)
    assert not bad
    assert count > 100
    if methods not in ("bias_correction", "clipping"):
        assert codes_of(net) != codes_of(before), "the method has changed the weights"
    for layer in layers_with_weights(prepared).values():
        rounding = set(ROUNDING) & {n for part in SETS[methods] for n in ([part] if isinstance(part, str) else part)}
        if rounding:
            assert torch.equal(layer.quantised_weight(), layer.weight), "rounded weights are values of the format"


@pytest.mark.parametrize("name", ["branches", "signal", "upsampling", "attention", "slopes"])
def test_all_kinds_of_layers_are_rounded(name: str) -> None:
    model, batch = make(name)
    prepared = calibrate(
        prepare(model, {"weights": "e2m1", "activations": 6, "ptq": ["clipping", "gpfq", "bias_correction"]}, batch),
        [batch],
    )
    assert layers_with_weights(prepared)
    for layer in layers_with_weights(prepared).values():
        assert torch.equal(layer.quantised_weight(), layer.weight)
    assert not differing(export(prepared, batch, optimise=False), prepared, batch)[0]


@pytest.mark.parametrize("number", ["e1m1", "e1m6", "e2m5", "e3m0", "e4m3-fnuz", "e4m0"])
def test_any_minifloat_equals_its_graph(number: str) -> None:
    model, batch = make("residual")
    prepared = calibrate(prepare(model, {"weights": number, "activations": number}, batch), [batch])
    assert not differing(export(prepared, batch, optimise=False), prepared, batch)[0]


def test_nothing_is_drawn_by_chance() -> None:
    model, batch = make("residual")
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(calibrate(prepare(model, {"weights": 3}, batch), [batch], ptq=EVERYTHING).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_recipes_statistics_are_those_of_activations_too() -> None:
    model, batch = make("residual")
    found = []
    for recipe, method in (({"statistics": "max"}, None), ({}, "max"), ({}, None)):
        prepared = calibrate(prepare(model, {"activations": 4} | recipe, batch), [batch], method)
        quantised = [m.output_quant for m in prepared.modules() if hasattr(m, "output_quant")]
        found.append([int(binary_point(q).exponent()) for q in quantised])
    own, said, mse = found
    assert own == said != mse


def test_the_float_twin_stays_as_it_is() -> None:
    model, batch = make("residual")
    prepared = prepare(model, {"weights": 2}, batch)
    twin = float_twin(prepared)
    calibrate(prepared, [batch], ptq="gptq")
    with torch.no_grad(), in_float(twin):
        torch.testing.assert_close(twin(*batch), model(*batch), rtol=1e-4, atol=1e-5)


def codes_of(net) -> bytes:
    """All constants of a graph."""
    return b"".join(v.data.tobytes() for v in net.values.values() if v.data is not None)


def test_scale_of_every_row_is_that_of_its_channel() -> None:
    model, batch = make("upsampling")
    prepared = prepare(model, {"weights": 4}, batch)
    for layer in layers_with_weights(prepared).values():
        found = Problem(layer)
        scale = power_of_two(binary_point(layer.weight_quant).exponent()).double().expand(layer.weight.shape)
        assert torch.equal(rows_of(layer, scale), torch.exp2(found.exponents().double()).expand(found.rows.shape))


def test_beside_kept_batch_norm_and_narrow_biases() -> None:
    model, batch = make("residual")
    recipe = {"weights": "e2m1", "activations": 6, "batch_norm": "keep", "biases": 8, "per_channel": False}
    prepared = calibrate(prepare(model, recipe, batch), [batch], ptq=["clipping", "gptq", "bias_correction"])
    assert not differing(export(prepared, batch, optimise=False), prepared, batch)[0]
    model = Chain().eval()
    x = torch.randn(8, 3, 4, 4)
    prepared = calibrate(prepare(model, {"weights": 4, "biases": 8}, x), [x], ptq=["equalise", "gpfq"])
    assert not differing(export(prepared, x, optimise=False), prepared, (x,))[0]


def test_the_page_has_every_method_and_option() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "quantisation.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    shown = {row[0].strip("| `"): row[-1].strip(" |") for row in rows}
    wanted = {
        name: ", ".join(f"`{key}` {option.default:g}" for key, option in method.options.items())
        for name, method in METHODS.items()
    }
    assert {name: shown.get(name) for name in METHODS} == wanted
    order = [name for name in shown if name in METHODS]
    assert order == list(METHODS)
