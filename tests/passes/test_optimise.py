"""All passes to their fixed point on random graphs: same answers, never more nodes, borders and names kept."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import answers, assert_kept, user_arrays
from hypothesis import given, settings
from strategies import Case, cases

from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.passes import PASSES, optimise


def kept(case: Case) -> None:
    graph, _ = case
    after = optimise(graph)
    assert_kept(graph, after, samples=4)
    assert len(after.nodes) <= len(graph.nodes)
    assert optimise(after) is after


@settings(max_examples=200, deadline=None)
@given(cases(max_nodes=16))
def test_meaning_is_kept(case: Case) -> None:
    kept(case)


@pytest.mark.heavy
@settings(max_examples=4000, deadline=None)
@given(cases(max_nodes=24))
def test_meaning_of_many_graphs_is_kept(case: Case) -> None:
    kept(case)


@settings(max_examples=60, deadline=None)
@given(cases(max_nodes=12))
def test_each_pass_returns_the_same_object_where_it_finds_nothing(case: Case) -> None:
    after = optimise(case[0])
    assert all(run(after) is after for run in PASSES.values())


@settings(max_examples=60, deadline=None)
@given(cases(max_nodes=12))
def test_a_name_that_survives_in_shape_and_format_holds_the_same_codes(case: Case) -> None:
    """Backends compare tensors by name, and so may a user with the network before."""
    graph, _ = case
    after = optimise(graph)
    if any(graph.layouts.get(n) != after.layouts.get(n) for n in (*graph.inputs, *graph.outputs)):
        return
    arrays = user_arrays(graph, 0, 4)
    inputs = {n: a.transpose(0, *(i + 1 for i in graph.layouts.get(n, range(a.ndim - 1)))) for n, a in arrays.items()}
    first, second = reference(graph, inputs), reference(after, inputs)
    for name in first.keys() & second.keys():
        a, b = graph.values[name], after.values[name]
        if a.shape == b.shape and a.format == b.format:
            assert np.array_equal(first[name], second[name]), name
    assert answers(graph, arrays).keys() == answers(after, arrays).keys()


def exported() -> Graph:
    """Channels-first leftovers, a pad, wide sums, ReLU after the pool, dead channels: one of each, as exporters do."""
    rng = np.random.default_rng(0)
    s8, wide = FixedPoint(8, 4), FixedPoint(32, 9)
    b = GraphBuilder("exported")
    x = b.input("image", (3, 8, 8), s8)
    y = b.node("transpose", "nhwc", [x], s8, permutation=(1, 2, 0))
    y = b.node("pad", "same", [y], s8, padding=(1, 1, 1, 1, 0, 0), mode="constant")
    codes = rng.integers(-16, 16, (6, 3, 3, 3))
    codes[4] = 0
    w = b.constant("conv.weight", codes, FixedPoint(5, 5))
    y = b.node("conv", "conv", [y, w], wide, stride=(1, 1), padding=(0,) * 4, dilation=(1, 1), groups=1)
    y = b.node("requantise", "conv.quant", [y], s8)
    y = b.node("max_pool", "pool", [y], s8, kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(1, 1))
    y = b.node("requantise", "relu", [y], s8, lo=0)
    y = b.node("transpose", "nchw", [y], s8, permutation=(2, 0, 1))
    y = b.node("reshape", "flatten", [y], s8, shape=(96,))
    w = b.constant("fc.weight", rng.integers(-16, 16, (10, 96)), FixedPoint(5, 5))
    y = b.node("linear", "fc", [y, w], wide)
    return b.build([b.node("requantise", "logits", [y], FixedPoint(16, 6))])


def test_an_exported_network_is_four_steps() -> None:
    before = exported()
    after = optimise(before)
    assert [n.op for n in after.nodes] == ["conv", "max_pool", "reshape", "linear"]
    assert after.nodes[0].attrs["padding"] == (1, 1, 1, 1)
    assert after.nodes[0].attrs["lo"] == 0
    assert after.values["conv.weight"].shape == (5, 3, 3, 3)
    assert after.values["fc.weight"].shape == (10, 80)
    assert after.layouts == {"image": (1, 2, 0)}
    assert_kept(before, after, samples=20)
