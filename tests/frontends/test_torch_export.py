"""export: names, layouts, formats and errors; what the passes do to it; that a comparison finds a fault."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import edgeq
from edgeq.emulator import encode_inputs, trace
from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import FixedPoint, Minifloat
from edgeq.frontends.torch import export
from edgeq.frontends.torch.reference import reference_trace
from edgeq.quant import Recipe, calibrate, prepare
from tests.quant.networks import NETWORKS, make
from tests.quant.test_equality import differing


def calibrated(name: str, recipe: Recipe | None = None):
    model, batch = make(name)
    return calibrate(prepare(model, recipe or Recipe(), batch), [batch]), batch


def outputs(result) -> list[np.ndarray]:
    return [o.detach().numpy() for o in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("name", NETWORKS)
def test_run_takes_and_gives_what_the_module_does(name: str) -> None:
    """Same shapes, same layout, same numbers, through the optimised graph and the fast emulator."""
    prepared, batch = calibrated(name)
    net = edgeq.export(prepared, batch)
    got = net.run([b.numpy() for b in batch])
    got = got if isinstance(got, list) else [got]
    for mine, theirs in zip(got, outputs(prepared(*batch)), strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", NETWORKS)
def test_passes_keep_the_values_that_they_leave(name: str) -> None:
    prepared, batch = calibrated(name, Recipe(weights=4, activations=6))
    net = export(prepared, batch)
    expected = reference_trace(prepared, batch)
    compared = 0
    for value, codes in trace(net, [b.numpy() for b in batch]).items():
        if value in expected and expected[value].shape == codes.shape:
            np.testing.assert_array_equal(net.values[value].format.decode(codes), expected[value])
            compared += 1
    assert compared >= len(net.inputs) + 2


def test_layer_names_and_sources() -> None:
    prepared, batch = calibrated("mobile")
    graph = export(prepared, batch, optimise=False)
    nodes = {n.name: n for n in graph.nodes}
    assert list(nodes)[:3] == ["expand.0", "depthwise.0", "depthwise.2"]
    assert nodes["depthwise.2"].op == "table"
    assert nodes["depthwise.2"].attrs["function"] == "hardswish"
    assert nodes["expand.0"].source == "expand.0"
    assert graph.values["expand.0.weight"].source == "expand.0"
    assert graph.name == "Mobile"
    assert export(prepared, batch, name="net").name == "net"


def test_channels_last_with_the_users_layout_at_the_borders() -> None:
    prepared, batch = calibrated("signal")
    graph = export(prepared, batch, optimise=False)
    assert graph.inputs == ("x",)
    assert graph.values["x"].shape == (33, 3)
    assert graph.layouts["x"] == (1, 0)
    assert not any(n.op == "transpose" for n in graph.nodes), "torch's transposes cost nothing"
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    x = torch.randn(3, 1, 8, 8)
    graph = export(calibrate(prepare(model), [x]), x, optimise=False)
    assert [n.op for n in graph.nodes] == ["conv", "mean", "reshape", "linear"]


def test_flatten_of_a_feature_map_orders_as_torch_does() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3 * 4 * 4, 5)).eval()
    x = torch.randn(4, 2, 6, 6)
    prepared = calibrate(prepare(model), [x])
    graph = export(prepared, x, optimise=False)
    assert [n.op for n in graph.nodes] == ["conv", "transpose", "reshape", "linear"]
    np.testing.assert_array_equal(graph.run(x.numpy()), prepared(x).detach().numpy())


def test_formats_come_from_the_quantisers() -> None:
    prepared, batch = calibrated(
        "residual", Recipe(weights=4, activations="e4m3", layers={"conv1": {"weights": "e2m1"}})
    )
    graph = export(prepared, batch, optimise=False)
    weight = graph.values["conv1.weight"].format
    assert isinstance(weight, Minifloat)
    assert (weight.exponent, weight.mantissa, weight.axis) == (2, 1, 0)
    assert isinstance(graph.values["conv2.weight"].format, FixedPoint)
    assert graph.values["conv2.weight"].format.bits == 4
    assert graph.values["conv1"].format.bits == 8
    node = next(n for n in graph.nodes if n.name == "conv1")
    assert node.attrs["rounding"] == "half_even"
    assert node.attrs["lo"] == 0, "ReLU of a signed format is a bound"


def test_relu6_becomes_a_bound_only_where_it_binds() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU6()).eval()
    for size in (0.1, 100.0):
        x = torch.rand(8, 1, 4, 4) * size
        prepared = calibrate(prepare(model), [x], "max")
        graph = export(prepared, x, optimise=False)
        (node,) = graph.nodes
        fmt = graph.values["0"].format
        assert node.attrs.get("hi", fmt.grid_range[1]) <= 6 * 2**fmt.frac
        assert ("hi" in node.attrs) == (fmt.grid_range[1] > 6 * 2**fmt.frac)
        assert not differing(graph, prepared, (x,))[0]


def test_a_changed_weight_is_seen() -> None:
    prepared, batch = calibrated("residual")
    graph = export(prepared, batch, optimise=False)
    weight = prepared.get_submodule("conv2").weight
    with torch.no_grad():
        weight[0, :, 1, 1] *= -1
    bad, _ = differing(graph, prepared, batch)
    assert bad[0] == "conv2"
    assert "conv1" not in bad


def test_one_sample_and_codes_work() -> None:
    prepared, batch = calibrated("residual")
    net = export(prepared, batch[0][:1])
    one = net.run(batch[0][0].numpy())
    np.testing.assert_array_equal(one, prepared(batch[0][:1]).detach().numpy())
    codes, floats = encode_inputs(net, batch[0].numpy())
    assert floats
    assert codes["x"].dtype == np.int64


def test_a_float64_module() -> None:
    model, batch = make("residual")
    x = batch[0].double()
    prepared = calibrate(prepare(model.double()), [x])
    graph = export(prepared, x, optimise=False)
    assert prepared(x).dtype == torch.float64
    assert not differing(graph, prepared, (x,))[0]


def test_errors() -> None:
    model, batch = make("residual")
    with pytest.raises(InputError, match=r"not prepared: call edgeq\.prepare"):
        export(model, batch)
    prepared = prepare(model)
    with pytest.raises(InputError, match="binary point is not known yet") as caught:
        export(prepared, batch)
    assert "\n" not in str(caught.value)
    calibrate(prepared, [batch])
    with pytest.raises(InputError, match="stem: does not run on the example"):
        export(prepared, torch.zeros(2, 5, 8, 8))
    with torch.no_grad():
        prepared.get_submodule("conv1").weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="conv1: weights hold NaN"):
        export(prepared, batch)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.reshape(-1), "batch is no longer the first"),
        (lambda x: x.permute(1, 0, 2, 3), "batch"),
        (lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bicubic"), "resizes by 'bicubic'; use mode"),
        (lambda x: nn.functional.interpolate(x, size=3, mode="area"), "use adaptive_avg_pool2d"),
        (lambda x: nn.functional.interpolate(x, size=3, mode="bilinear", antialias=True), "bilinear' with antialias"),
        (lambda x: nn.functional.pad(x, (1, 1), value=0.123), "pads with 0.123"),
        (lambda x: x[:1], "batch"),
        (lambda x: torch.cat([x, x], 0), "cat along the batch"),
        (lambda x: nn.functional.adaptive_avg_pool2d(x, 5), "windows of different sizes"),
    ],
)
def test_movements_that_the_device_cannot_do(function, message: str) -> None:
    class Moved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return function(self.conv(x))

    x = torch.randn(2, 2, 6, 6)
    with pytest.raises((UnsupportedError, InputError), match=message):
        export(calibrate(prepare(Moved().eval()), [x]), x)
