"""Branches: a stretch written out patch by patch gives every value of the whole run, and a wrong border shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference
from edgeq.errors import GraphError
from edgeq.ir import Graph
from edgeq.schedule import make_plan
from edgeq.schedule.branches import Branches, cuts, split_patches
from tests.schedule.test_patch import block
from tests.schedule.test_plan import random_inputs, sizes_of
from tests.schedule.test_stream import S8, Maker, maps


def differing(graph: Graph, found: Branches) -> list[str]:
    """Values of branches and outputs that differ from what the whole run has there."""
    inputs = random_inputs(graph)
    want, have = reference(graph, inputs), reference(found.graph, inputs)
    wrong = [name for name in graph.outputs if not np.array_equal(want[name], have[name])]
    for name, whole in found.origin.items():
        rows, columns = found.regions[name]
        part = want[whole][:, rows.begin : rows.end, columns.begin : columns.end]
        wrong += [] if np.array_equal(part, have[name]) else [name]
    return wrong


@settings(max_examples=60, deadline=None)
@given(maps(), st.tuples(st.integers(1, 4), st.integers(1, 3)))
def test_branches_of_random_graphs_equal_the_whole_run(graph: Graph, grid: tuple[int, int]) -> None:
    try:
        found = split_patches(graph, graph.nodes, grid)
    except GraphError:
        assume(False)  # more patches than rows, or windows that see padding only
    assert differing(graph, found) == []
    assert len(found.nodes) == grid[0] * grid[1]


def test_weights_are_shared_and_the_halo_is_computed_again() -> None:
    graph = block()
    found = split_patches(graph, graph.nodes, (2, 2))
    assert [v.name for v in found.graph.constants()] == [v.name for v in graph.constants()]
    assert found.regions["x@0.0"][0].end > found.regions["x@1.0"][0].begin
    whole = make_plan(graph, sizes_of(graph)).arena_bytes
    assert make_plan(found.graph, sizes_of(found.graph)).arena_bytes < whole


def test_a_wrong_border_is_found() -> None:
    graph = block()
    found = split_patches(graph, graph.nodes, (2, 2))
    nodes = list(found.graph.nodes)
    at = next(i for i, n in enumerate(nodes) if n.op == "conv" and n.ints("padding")[:2] == (1, 0))
    padding = nodes[at].ints("padding")
    nodes[at] = dataclasses.replace(nodes[at], attrs={**nodes[at].attrs, "padding": (0, 1, *padding[2:])})
    wrong = dataclasses.replace(found, graph=found.graph.replace(nodes=tuple(nodes)))
    assert nodes[at].outputs[0] in differing(graph, wrong)


def test_a_stage_ends_where_one_value_leads_on() -> None:
    m = Maker(2, (8, 8, 2))
    first = m.conv(m.x, 3, 3, 1, (1, 1))
    join = m.g.node("add", "join", [m.conv(first, 3, 3, 1, (1, 1)), first], S8)
    graph = m.g.build([m.g.node("mean", "pool", [join], S8, axes=(0, 1), keep_axes=0)])
    assert [name for name, _ in cuts(graph)] == [first, "join"]
    _, nodes = cuts(graph)[-1]
    found = split_patches(graph, nodes, (3, 2))
    assert differing(graph, found) == []
    assert found.graph.nodes[-1].op == "mean"


def test_what_has_no_patches_says_why() -> None:
    m = Maker(0, (6, 4, 2))
    graph = m.g.build([m.g.node("mean", "pool", [m.x], S8, axes=(0, 1), keep_axes=0)])
    with pytest.raises(GraphError, match="mean pool: has no patches"):
        split_patches(graph, graph.nodes, (2, 2))
    graph = block()
    with pytest.raises(GraphError, match="9 x 1 patches of a map of 6 x 12"):
        split_patches(graph, graph.nodes, (9, 1))
    with pytest.raises(GraphError, match="one value to one value"):
        split_patches(graph, [graph.nodes[0], graph.nodes[2]], (2, 1))
