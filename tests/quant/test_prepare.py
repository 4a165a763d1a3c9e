"""prepare and calibrate: structure, names, formats, folding, training, state, and errors with a way out."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import edgeq
from edgeq.errors import InputError, UnsupportedError
from edgeq.frontends.torch import export
from edgeq.quant import Recipe, calibrate, is_prepared, prepare, quantisers
from edgeq.quant.fold import fold_batch_norm
from edgeq.quant.layers import FLOAT32_EXACT
from edgeq.quant.quantizers import binary_point
from edgeq.quant.tracing import trace
from tests.quant.networks import NETWORKS, make
from tests.quant.test_equality import differing


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_keeps_the_float_network(name: str) -> None:
    model, batch = make(name)
    model = model.double()
    batch = tuple(b.double() for b in batch)
    folded = trace(model)
    fold_batch_norm(folded)
    assert not any("BatchNorm" in type(m).__name__ for m in folded.modules())
    for got, want in zip(_tuple(folded(*batch)), _tuple(model(*batch)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


def _tuple(x):
    return x if isinstance(x, tuple) else (x,)


@pytest.mark.parametrize("name", NETWORKS)
def test_sixteen_bits_are_close_to_float(name: str) -> None:
    model, batch = make(name)
    prepared = calibrate(prepare(model, Recipe(activations=16)), [batch], "max")
    got, want = _tuple(prepared(*batch))[0], _tuple(model(*batch))[0]
    assert (got - want).abs().max() < 0.05 * want.abs().max() + 0.01


def test_the_model_is_not_changed_and_names_stay() -> None:
    model, _ = make("residual")
    before = copy.deepcopy(model.state_dict())
    prepared = prepare(model, Recipe())
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())
    assert is_prepared(prepared)
    assert not is_prepared(model)
    names = list(quantisers(prepared))
    assert "shortcut.0.weight_quant" in names
    assert "conv1.output_quant" in names
    assert not prepared.training
    assert prepare(model.train()).training


def test_slopes_learn_and_stay_equal_to_the_graph() -> None:
    model, batch = make("slopes")
    prepared = prepare(model.train(), Recipe(collect_stats_steps=2), batch)
    names = {n for n, _ in prepared.named_parameters() if n.endswith("value")}
    assert names == {"one_slope.value", "block.1_slope.value", "each_slope.value", "slope_constant.value"}
    before = {n: prepared.get_parameter(n).detach().clone() for n in names}
    optimiser = torch.optim.SGD([p for n, p in prepared.named_parameters() if "log2" not in n], lr=0.05)
    for _ in range(6):
        loss = sum((y - 0.3).square().mean() for y in prepared(*batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert not [n for n in names if torch.equal(before[n], prepared.get_parameter(n))]
    graph = export(prepared, batch, optimise=False)
    assert [n.op for n in graph.nodes].count("prelu") == 4
    assert not differing(graph, prepared, batch)[0]
    assert edgeq.verify(export(prepared, batch), "host", random=6).equal


def test_first_last_and_borders() -> None:
    model, batch = make("residual")
    recipe = Recipe(
        weights=4, activations=4, first={"weights": 8}, last={"weights": 6}, layers={"conv2": {"weights": 3}}
    )
    points = quantisers(prepare(model, recipe, batch))
    bits = {name: point.spec.bits for name, point in points.items()}
    assert bits["stem.weight_quant"] == 8
    assert bits["classify.weight_quant"] == 6
    assert bits["conv2.weight_quant"] == 3
    assert bits["conv1.weight_quant"] == 4
    assert bits["x.output_quant"] == 8
    assert bits["classify.output_quant"] == 8
    assert bits["conv1.output_quant"] == 4
    assert points["stem.weight_quant"].log2_range.shape == (8, 1, 1, 1)


def test_a_clip_moves_in_front_of_pools_and_reshapes() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.MaxPool2d(2, padding=1), nn.Flatten(), nn.ReLU6(), nn.Linear(18, 2)
    ).eval()
    x = torch.randn(4, 1, 6, 6) * 9
    prepared = calibrate(prepare(model, Recipe(activations=16)), [x], "max")
    torch.testing.assert_close(prepared(x), model(x), rtol=0.01, atol=0.05)
    graph = export(prepared, x, optimise=False)
    assert not any(n.op == "requantise" for n in graph.nodes)
    assert not graph.values["0"].format.signed
    assert not differing(graph, prepared, (x,))[0]
    twice = module(lambda m, x: (lambda p: torch.relu(p) + p)(F.max_pool2d(m.conv(x), 2)))
    assert binary_point(prepare(twice).get_submodule("conv").output_quant).spec.signed, "read before the ReLU, too"


def test_logits_have_eight_bits() -> None:
    four = Recipe(weights=4, activations=4, output=6)
    for last in (lambda y: y.softmax(1), lambda y: torch.sigmoid(y).flatten(1), lambda y: y.argmax(1, keepdim=True)):
        points = quantisers(prepare(module(lambda m, x, last=last: last(m.conv(torch.tanh(x)))), four))
        assert points["conv.output_quant"].spec.bits == (6 if "argmax" in last.__code__.co_names else 8)
        assert points["tanh.output_quant"].spec.bits == 4


def test_signs_follow_the_network() -> None:
    model, batch = make("mobile")
    signed = {name: point.spec.signed for name, point in quantisers(prepare(model, Recipe(), batch)).items()}
    assert signed["x.output_quant"]
    assert not signed["expand.0.output_quant"], "ReLU6 is fused"
    assert not signed["gate.output_quant"]
    assert signed["depthwise.2.output_quant"], "hard-swish goes below zero"
    positive = prepare(model, Recipe(), tuple(b.abs() for b in batch))
    assert not quantisers(positive)["x.output_quant"].spec.signed
    said = prepare(model, Recipe(input="u8"), batch)
    assert not quantisers(said)["x.output_quant"].spec.signed


def test_parameters_learn_and_stay_equal_to_the_graph() -> None:
    torch.manual_seed(1)
    model, (x,) = make("residual")
    prepared = prepare(model.train(), Recipe(weights=4, activations=4, collect_stats_steps=2))
    start = {n: p.detach().clone() for n, p in prepared.named_parameters()}
    optimiser = torch.optim.SGD(prepared.parameters(), lr=0.3, momentum=0.9)
    target = torch.arange(6) % 5
    losses = []
    for _ in range(25):
        loss = F.cross_entropy(prepared(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    still = [n for n, p in prepared.named_parameters() if torch.equal(p, start[n])]
    assert not still, f"{still} never moved"
    graph = export(prepared, x, optimise=False)
    assert prepared.training, "export leaves the mode"
    bad, _ = differing(graph, prepared, (x,))
    assert not bad


def test_training_forward_is_the_eval_forward() -> None:
    """What is trained is what is deployed, tables and softmax included."""
    for name in ("mobile", "views", "functional"):
        model, batch = make(name)
        prepared = calibrate(prepare(model, Recipe(), batch), [batch])
        evaluated = _tuple(prepared(*batch))[0]
        for module in prepared.modules():
            if not isinstance(module, nn.Dropout):
                module.training = True
        assert torch.equal(_tuple(prepared(*batch))[0], evaluated)


def test_state_dict_round_trip() -> None:
    model, batch = make("mobile")
    prepared = calibrate(prepare(model, Recipe(weights=5)), [batch])
    other = prepare(NETWORKS["mobile"][0](), Recipe(weights=5)).eval()
    other.load_state_dict(prepared.state_dict())
    assert torch.equal(other(*batch), prepared(*batch))
    copied = copy.deepcopy(prepared)
    assert torch.equal(copied(*batch), prepared(*batch))
    with torch.no_grad():
        binary_point(copied.get_submodule("x").output_quant).log2_range += 3
    assert not torch.equal(copied(*batch), prepared(*batch)), "the copy has points of its own"
    assert torch.equal(other(*batch), prepared(*batch))


@pytest.mark.parametrize("method", ["mse", "max", "percentile"])
def test_calibration_methods(method: str) -> None:
    model, batch = make("residual")
    prepared = prepare(model, Recipe(activations=6))
    loader = [(b, torch.zeros(len(b))) for b in batch[0].split(2)]
    assert calibrate(prepared, loader, method) is prepared
    points = quantisers(prepared)
    assert all(p.ready for p in points.values())
    if method == "max":
        seen = float(batch[0].abs().max())
        assert 2.0 ** points["x.output_quant"].log2_range.item() >= seen


def test_float_means_float_while_calibrating() -> None:
    """Activations are not quantised while they are looked at, so that order does not matter."""
    model, batch = make("residual")
    prepared = prepare(model, Recipe(weights=8, activations=2))
    calibrate(prepared, [batch], "max")
    points = {n: p.log2_range.item() for n, p in quantisers(prepared).items() if "output" in n}
    calibrate(prepared, [batch], "max")
    assert points == {n: p.log2_range.item() for n, p in quantisers(prepared).items() if "output" in n}


def test_sums_beyond_float32_are_computed_in_float64() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 3))
    prepared = prepare(model.eval(), Recipe(activations=16, input="s16", output=16))
    x = torch.randn(4, 512)
    calibrate(prepared, [x])
    layer = prepared.get_submodule("0")
    assert layer.largest_sum(layer.weight_quant(layer.weight).value) >= FLOAT32_EXACT
    graph = edgeq.export(prepared, x, optimise=False)
    from edgeq.quant import float32_exact, wide_sums

    assert wide_sums(graph)["0"] >= FLOAT32_EXACT
    assert not float32_exact(graph)
    bad, _ = differing(graph, prepared, (x,))
    assert not bad
    eight = calibrate(prepare(nn.Sequential(nn.Linear(32, 3)).eval()), [x[:, :32]])
    assert float32_exact(edgeq.export(eight, x[:, :32]))


def test_float32_would_have_been_wrong() -> None:
    """The same sums in float32 differ: the switch to float64 is needed, and the comparison can fail."""
    torch.manual_seed(0)
    x = torch.rand(2000, 512)
    model = nn.Sequential(nn.Linear(512, 8)).eval()
    model[0].weight.data.abs_()
    prepared = calibrate(prepare(model, Recipe(activations=16)), [x])
    layer = prepared.get_submodule("0")
    exact = prepared(x)
    layer.largest_sum = lambda weight: 0.0
    assert not torch.equal(prepared(x), exact)


def test_biases_hold_32_bits() -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1e-6] * 4, [1.0] * 4]))
        model[0].bias.copy_(torch.tensor([3000.0, -0.5]))
    for recipe in (Recipe(), Recipe(weights="e4m3", activations="e4m3"), Recipe(per_channel=False)):
        x = torch.randn(16, 4)
        prepared = calibrate(prepare(model.eval(), recipe), [x])
        graph = export(prepared, x, optimise=False)
        bias = graph.values["0.bias"]
        assert np.abs(bias.data).max() < 1 << 31
        np.testing.assert_allclose(bias.format.decode(bias.data), [3000.0, -0.5], rtol=1e-5, atol=1e-3)
        bad, _ = differing(graph, prepared, (x,))
        assert not bad


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(Chooser())

    def forward(self, x):
        return self.inner(x)


class Chooser(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x


def module(function) -> nn.Module:
    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return function(self, x)

    return Made()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branching(), r"cannot be traced in module inner\.0 at .*test_prepare\.py:\d+ \(if x\.sum\(\) > 0:\)"),
        (module(lambda m, x: m.conv(m.conv(x))), "conv: the layer is called twice"),
        (module(lambda m, x: F.log_softmax(m.conv(x), 1)), "log_softmax is not supported; leave it to the loss"),
        (module(lambda m, x: m.conv(x).sum()), "sum over everything"),
        (module(lambda m, x: m.conv(x) / m.conv(x)), "twice|division"),
        (module(lambda m, x: F.softmax(m.conv(x))), "softmax without dim"),
        (module(lambda m, x: m.conv(x).mean()), "mean over everything"),
        (module(lambda m, x: F.conv2d(x, m.conv.weight)), "conv2d is not supported; use the module"),
        (module(lambda m, x: F.avg_pool2d(m.conv(x), 3, ceil_mode=True)), "ceil_mode"),
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.LayerNorm(8)), "1: LayerNorm is not supported; use BatchNorm"),
        (nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.BatchNorm1d(3)), "2: BatchNorm of vectors .* right after"),
        (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)), "track_running_stats"),
        (nn.LSTM(3, 3), "LSTM"),
    ],
)
def test_what_is_not_supported_names_the_layer_and_the_way_out(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message) as caught:
        prepare(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(0, 3, 8, 8), r"{place}: is empty, of shape \(0, 3, 8, 8\)"),
        (torch.full((2, 3, 8, 8), math.nan), "{place}: holds NaN or infinity"),
        (torch.full((2, 3, 8, 8), math.inf), "{place}: holds NaN or infinity"),
        ("cat.png", "give a tensor"),
        (np.array([{}]), "give a tensor"),
        (torch.zeros(2, 5, 8, 8), "the network does not take"),
    ],
)
def test_data_that_tells_nothing_is_refused(batch: object, message: str) -> None:
    model, good = make("residual")
    with pytest.raises(InputError, match=message.format(place="example 0")):
        prepare(model, example=batch)
    prepared = prepare(model)
    calibrate(prepared, [good])
    before = {name: point.exponent().tolist() for name, point in quantisers(prepared).items()}
    with pytest.raises(InputError, match=message.format(place="batch 1")) as caught:
        calibrate(prepared, [good[0] * 64, batch])
    assert "\n" not in str(caught.value)
    assert before == {name: point.exponent().tolist() for name, point in quantisers(prepared).items()}


def test_a_lost_binary_point_names_its_layer() -> None:
    model, (x,) = make("residual")
    prepared = calibrate(prepare(model), [x])
    with torch.no_grad():
        quantisers(prepared)["conv1.output_quant"].log2_range.fill_(math.nan)
    with pytest.raises(InputError, match="conv1: its binary point is not a finite number; the training has diverged"):
        export(prepared, x)


def test_arrays_are_data_too_and_one_is_one_batch() -> None:
    model, (x,) = make("residual")
    one = calibrate(prepare(model, example=x), [x])
    other = calibrate(prepare(model, example=x.numpy()), x.numpy())
    assert torch.equal(one(x), other(x))


def test_wrong_use() -> None:
    model, batch = make("residual")
    with pytest.raises(UnsupportedError, match=r"takes a torch\.nn\.Module"):
        prepare(lambda x: x)
    with pytest.raises(InputError, match="unknown key 'bits'"):
        prepare(model, {"bits": 8})
    with pytest.raises(InputError, match=r"'con\*v' matches no layer; there are .*conv1"):
        prepare(model, {"layers": {"con*v": {"weights": 4}}})
    with pytest.raises(InputError, match="prepared already"):
        prepare(prepare(model))
    with pytest.raises(InputError, match="does not take the example"):
        prepare(model, example=torch.zeros(2, 5, 8, 8))
    with pytest.raises(InputError, match="at least one batch"):
        calibrate(prepare(model), [])
    for nothing in (5, "abc", None):
        with pytest.raises(InputError, match="takes batches of data") as error:
            calibrate(prepare(model), nothing)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="'median' is unknown"):
        calibrate(prepare(model), [batch], "median")
    with pytest.raises(InputError, match=r"that edgeq\.prepare returned"):
        calibrate(model, [batch])
    with torch.no_grad():
        model.conv1.weight[0] = float("nan")
    with pytest.raises(InputError, match=r"conv1\.weight: holds NaN"):
        prepare(model)


def test_bias_correction_restores_the_means_of_channels() -> None:
    torch.manual_seed(2)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 5, 3, groups=1)).eval()
    x = torch.rand(40, 3, 8, 8)
    means = model(x).mean((0, 2, 3))

    def shift(correct: bool) -> float:
        made = calibrate(
            prepare(model, {"weights": 3, "activations": 12}, x),
            [x[:20], x[20:]],
            ptq="bias_correction" if correct else None,
        )
        return float((made(x).mean((0, 2, 3)) - means).detach().abs().max())

    plain, corrected = shift(False), shift(True)
    assert corrected < plain / 4
    prepared = prepare(model, {"weights": 3}, x)
    before = prepared.get_submodule("0").bias.detach().clone()
    with pytest.raises(InputError, match="NaN"):
        calibrate(prepared, [x, x * float("nan")], ptq="bias_correction")
    assert torch.equal(before, prepared.get_submodule("0").bias)


def test_average_pools_that_reach_beyond_the_end() -> None:
    torch.manual_seed(4)
    model = torch.nn.Sequential(torch.nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)).eval()
    x = torch.randn(6, 3, 7, 5)
    prepared = calibrate(prepare(model, example=x), [x])
    from edgeq import export

    graph = export(prepared, x)
    assert graph.nodes[-1].ints("padding") == (0, 1, 0, 1)
    assert torch.equal(torch.from_numpy(graph.run(x.numpy())).float(), prepared(x))
    with pytest.raises(UnsupportedError, match="counts padding"):
        prepare(torch.nn.Sequential(torch.nn.AvgPool2d(2, ceil_mode=True)), example=x)
