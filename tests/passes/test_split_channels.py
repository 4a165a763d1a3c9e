"""Slices of channels: the same answers, every value's slices are the value, and what cannot be cut stays whole."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, user_arrays

from edgeq.emulator import encode_inputs, reference
from edgeq.formats import NAMED, Affine, FixedPoint, Format
from edgeq.ir import Graph, GraphBuilder
from edgeq.passes.split_channels import split_channels

S8, W8 = FixedPoint(8, 4), FixedPoint(8, 5)


def net(out: int = 48, pool: str = "mean", fmt: Format = S8, groups: int = 1, seed: int = 0) -> Graph:
    """A convolution with a binary point and a bias per channel, a pool, and a layer behind it."""
    rng, b = np.random.default_rng(seed), GraphBuilder("net")
    x = b.input("x", (4, 4, 48), S8)
    per_channel = FixedPoint(8, tuple(int(n) for n in rng.integers(4, 8, out)), True, 0)
    w = b.constant("w", rng.integers(-100, 100, (out, 3, 3, 48 // groups)), per_channel)
    bias = b.constant("b", rng.integers(-1000, 1000, (out,)), FixedPoint(16, 7))
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1)}
    c = b.node("conv", "c", [x, w, bias], fmt, groups=groups, dilation=(1, 1), lo=0, **window)
    if pool == "mean":
        return b.build([b.node("mean", "p", [c], S8, axes=(0, 1), keep_axes=0)])
    if pool == "max_pool":
        return b.build([b.node("max_pool", "p", [c], fmt, kernel=(2, 2), dilation=(1, 1), **window)])
    return b.build([b.node("average_pool", "p", [c], S8, kernel=(2, 2), include_pad=1, **window)])


@pytest.mark.parametrize("pool", ["mean", "average_pool", "max_pool"])
@pytest.mark.parametrize("most", [2, 5])
def test_slices_answer_the_same(pool: str, most: int) -> None:
    graph = net(pool=pool)
    made = split_channels(graph, most)
    assert made.parts == {2: 2, 5: 3}[most]
    assert_kept(graph, made.graph)
    codes = encode_inputs(graph, user_arrays(graph, 1, 4))[0]
    want, have = reference(graph, codes)["c"], reference(made.graph, codes)
    assert np.array_equal(want, np.concatenate([have[name] for name in made.pieces["c"]], axis=-1))
    assert not np.array_equal(want, np.concatenate([have[name] for name in reversed(made.pieces["c"])], axis=-1))


def test_multipliers_go_with_their_channels() -> None:
    rng, b = np.random.default_rng(3), GraphBuilder("scaled")
    x = b.input("x", (3, 3, 4), Affine(8, True, 5, 0.5))
    w = b.constant("w", rng.integers(-127, 128, (16, 1, 1, 4)), Affine(8, True, 0, (0.25,) * 16, 0))
    stage = {"multiplier": tuple(int(n) for n in rng.integers(1 << 29, 1 << 30, 16)), "shift": (36,) * 16}
    window = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
    y = Affine(8, True, -3, 0.75)
    c = b.node("conv", "c", [x, w], y, groups=1, **window, **stage)
    graph = b.build([b.node("mean", "p", [c], y, axes=(0, 1), keep_axes=1)])
    made = split_channels(graph, 2)
    assert made.parts == 2
    assert_kept(graph, made.graph)


def test_what_stays_whole() -> None:
    for graph in (net(12), net(groups=48), net(fmt=NAMED["e4m3"])):
        assert split_channels(graph, 4).graph is graph
    both = net()
    watched = both.replace(outputs=("c", "p"))
    assert split_channels(watched, 4).pieces == {}
