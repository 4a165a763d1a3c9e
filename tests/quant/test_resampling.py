"""Linear resizing: where positions stand, what training computes, and that the device computes the same."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import edgeq
from edgeq.emulator import encode_inputs, reference
from edgeq.errors import UnsupportedError
from edgeq.frontends.torch import export
from edgeq.ir import Graph
from edgeq.ir.coordinates import Line, nearest_places, resize_line, share_bits
from edgeq.quant import Recipe, calibrate, prepare, wide_sums
from edgeq.quant.resampling import TorchResize, resample
from tests.quant.networks import make


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(7, 5), (14, 10), (3, 2), (1, 1), (9, 13), (20, 4)])
def test_sizes_as_torch_has_them(size: tuple[int, int], corners: bool) -> None:
    x = torch.randn(2, 3, 7, 5, dtype=torch.float64)
    rule = TorchResize(size, None, corners, False)
    want = F.interpolate(x, size=size, mode="bilinear", align_corners=corners)
    torch.testing.assert_close(resample(x, rule.places((7, 5), size), None), want, rtol=0, atol=1e-12)
    other = F.interpolate(x, size=size, mode="bilinear", align_corners=not corners)
    assert size in [(7, 5)] or (want - other).abs().max() > 1e-3


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("factor", [2.0, 1.7, 0.5, 0.37, (1.3, 2.9), 3.0])
def test_factors_as_torch_has_them(factor: float | tuple[float, float], recompute: bool) -> None:
    x = torch.randn(2, 3, 7, 5, dtype=torch.float64)
    for corners in (False, True):
        rule = TorchResize(None, factor, corners, recompute)
        want = F.interpolate(
            x, scale_factor=factor, mode="bilinear", align_corners=corners, recompute_scale_factor=recompute
        )
        assert rule.size((7, 5)) == want.shape[2:]
        got = resample(x, rule.places((7, 5), rule.size((7, 5))), None)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


def test_lines_and_shares() -> None:
    quarter = Fraction(1, 4)
    assert resize_line("half_pixel", 2, 4) == Line(
        (0, 0, 0, 1), (1, 1, 1, 1), (Fraction(0), quarter, 3 * quarter, Fraction(0))
    )
    assert resize_line("asymmetric", 2, 4).share == (0, Fraction(1, 2), 0, 0)
    assert resize_line("align_corners", 3, 2).low == (0, 2)
    assert resize_line("pytorch_half_pixel", 9, 1).low == (0,)
    assert resize_line("half_pixel", 9, 1).low == (4,)
    assert share_bits([resize_line("half_pixel", 2, 4)]) == 2
    assert share_bits([resize_line("half_pixel", 2, 2)]) == 0
    assert share_bits([resize_line("half_pixel", 2, 6), resize_line("half_pixel", 2, 4)]) == 8
    assert resize_line("align_corners", 2, 4).weights(8) == (0, 85, 171, 0)
    # In float32 the factor is 0.60000002 and the second position 1.9999999.
    assert nearest_places("half_pixel", "floor", 6, 3, float(np.float32(0.6))) == (0, 2, 3)
    assert resize_line("asymmetric", 3, 5, 5 / 3).share[3] == Fraction(4, 5)
    with pytest.raises(UnsupportedError, match="rounding up; round_prefer_floor, "):
        nearest_places("half_pixel", "up", 6, 3)
    with pytest.raises(UnsupportedError, match="coordinates tf_crop_and_resize; align_corners"):
        resize_line("tf_crop_and_resize", 2, 4)


def outputs(graph: Graph, batch: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    """Real values that the emulator gives for the graph's outputs, in the module's layout."""
    codes, _ = encode_inputs(graph, [b.numpy() for b in batch])
    values = reference(graph, codes)
    found = []
    for name in graph.outputs:
        real = graph.values[name].format.decode(values[name])
        layout = graph.layouts.get(name, tuple(range(real.ndim - 1)))
        found.append(real.transpose(0, *(layout.index(i) + 1 for i in range(len(layout)))))
    return found


@pytest.mark.parametrize("number", [3, 8, 12, 16, "e4m3", "e5m2"])
def test_a_training_step_computes_what_the_device_computes(number: int | str) -> None:
    class Resized(nn.Module):
        def forward(self, x):
            up = F.interpolate(x, size=(11, 9), mode="bilinear", align_corners=True)
            return F.interpolate(torch.relu(up), scale_factor=0.7, mode="bilinear"), up

    torch.manual_seed(3)
    batch = (torch.randn(4, 3, 6, 7) * 3,)
    recipe = Recipe(activations=number, input=number, output=number)
    prepared = calibrate(prepare(Resized(), recipe, batch), [batch])
    graph = export(prepared, batch)
    assert [n.op for n in graph.nodes].count("resize_bilinear") == 2
    assert not {"interpolate", "interpolate_2"} & wide_sums(graph).keys()
    prepared.train()
    trained = [t.detach().double().numpy() for t in prepared(*batch)]
    for got, want in zip(trained, outputs(graph, batch), strict=True):
        assert np.array_equal(got, want)
        assert len(np.unique(want)) > 4
        assert not np.array_equal(got, np.roll(want, 1, axis=-1))


def test_training_moves_what_stands_before_and_stays_equal() -> None:
    model, batch = make("resizing")
    prepared = prepare(model.train(), Recipe(collect_stats_steps=2), batch)
    start = {n: p.detach().clone() for n, p in prepared.named_parameters()}
    optimiser = torch.optim.SGD(prepared.parameters(), lr=0.05)
    losses = []
    for _ in range(12):
        loss = sum((y - 0.3).square().mean() for y in prepared(*batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not [n for n, p in prepared.named_parameters() if n.endswith("weight") and torch.equal(p, start[n])]
    trained = [t.detach().double().numpy() for t in prepared(*batch)]
    for got, want in zip(trained, outputs(export(prepared, batch), batch), strict=True):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(weights=4, activations=5), Recipe(activations=16)])
def test_the_program_in_c_computes_the_same(recipe: Recipe) -> None:
    model, batch = make("resizing")
    net = export(calibrate(prepare(model, recipe, batch), [batch]), batch)
    result = edgeq.verify(net, "host", random=8)
    assert result.equal
    assert result.values > 1000


def test_shares_of_wide_activations_are_finer() -> None:
    model, batch = make("resizing")
    found = {}
    for bits in (8, 16):
        graph = export(calibrate(prepare(model, Recipe(activations=bits), batch), [batch]), batch)
        found[bits] = {n.name: n.integer("bits") for n in graph.nodes if n.op == "resize_bilinear"}
    assert found[8]["twice"] == found[16]["twice"] == 2
    assert (found[8]["interpolate_2"], found[16]["interpolate_2"]) == (8, 14)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: F.interpolate(x, size=3, mode="bicubic"), "interpolate: resizes by 'bicubic'; use mode bilinear"),
        (lambda x: F.interpolate(x, size=3, mode="area"), "use adaptive_avg_pool2d"),
        (lambda x: F.interpolate(x, size=3, mode="bilinear", antialias=True), "with antialias; use mode bilinear"),
        (lambda x: F.interpolate(x, scale_factor=x.shape[2] / 6, mode="bilinear"), "a computed factor; give it as a"),
    ],
)  # fmt: skip
def test_other_resizes_are_refused(function, message: str) -> None:
    class Moved(nn.Module):
        def forward(self, x):
            return function(x)

    with pytest.raises(UnsupportedError, match=message):
        prepare(Moved())
