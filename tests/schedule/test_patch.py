"""Stretches by patches: the output equals the whole-tensor run, and a wrong halo or border is found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference
from edgeq.errors import GraphError
from edgeq.ir import Graph, operator
from edgeq.schedule import Patches, Plan, Stretch, check_plan, make_patches, make_plan, make_stretch, simulate
from tests.schedule.test_plan import random_inputs, sizes_of, stored_of
from tests.schedule.test_stream import S8, Maker, maps, row_bytes


def patched(graph: Graph, grid: tuple[int, int]) -> Plan:
    patches = make_patches(graph, graph.nodes, grid, sizes_of(graph))
    assert isinstance(patches, Patches), patches
    stretch = make_stretch(graph, graph.nodes, row_bytes(graph), fused=[patches])
    assert isinstance(stretch, Stretch), stretch
    plan = make_plan(graph, sizes_of(graph), stretches=[stretch])
    check_plan(plan, graph, sizes_of(graph))
    return plan


def patches_of(plan: Plan) -> Patches:
    """The patches of a plan that has one step."""
    ((patches,),) = (stretch.fused for stretch in plan.stretches)
    return patches


def with_patches(plan: Plan, patches: Patches) -> Plan:
    """The plan with other ones."""
    (stretch,) = plan.stretches
    steps = tuple(dataclasses.replace(step, patches=patches) for step in stretch.steps)
    return dataclasses.replace(plan, stretches=(dataclasses.replace(stretch, steps=steps),))


def equal(graph: Graph, plan: Plan) -> bool:
    inputs = random_inputs(graph)
    want, have = reference(graph, inputs), simulate(graph, plan, stored_of(graph), inputs)
    assert set(have) >= set(graph.outputs)
    return all(np.array_equal(want[name], codes) for name, codes in have.items())


@settings(max_examples=60, deadline=None)
@given(maps(), st.tuples(st.integers(1, 4), st.integers(1, 3)))
def test_patches_of_random_graphs_equal_the_whole_run(graph: Graph, grid: tuple[int, int]) -> None:
    patches = make_patches(graph, graph.nodes, grid, sizes_of(graph))
    if isinstance(patches, str):
        assert "stride" in patches or "codes" in patches
        return
    assert equal(graph, patched(graph, grid))


def block() -> Graph:
    """An inverted residual block between a strided first layer and a pool."""
    m = Maker(1, (12, 12, 2))
    a = m.conv(m.x, 3, 3, 2, (1, 1))
    b = m.depthwise(m.conv(a, 6, 1, 1, (0, 0)), 1, (1, 1))
    join = m.g.node("add", "join", [m.conv(b, 3, 1, 1, (0, 0)), a], S8)
    return m.g.build([m.pool("max_pool", join, 3, 1, (1, 1))])


def test_one_patch_is_the_whole_and_more_compute_their_halo_again() -> None:
    graph = block()
    macs = sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)
    one, four = (patches_of(patched(graph, grid)) for grid in ((1, 1), (2, 2)))
    assert macs < one.macs < four.macs  # even one patch computes what sticks out of the map
    assert four.bytes < one.bytes
    assert (four.grid, four.tile) == ((2, 2), (3, 6))
    assert equal(graph, patched(graph, (3, 2)))


def test_a_shifted_last_patch() -> None:
    graph = block()
    patches = patches_of(patched(graph, (4, 5)))
    assert list(patches.corners())[-1] == (4, 9)
    assert equal(graph, patched(graph, (4, 5)))


@pytest.mark.parametrize("value", ["x", "dw", "join"])
def test_a_wrong_halo_is_found(value: str) -> None:
    graph = block()
    plan = patched(graph, (2, 2))
    patches = patches_of(plan)
    region = patches.regions[value]
    moved = dataclasses.replace(region, rows=dataclasses.replace(region.rows, offset=region.rows.offset + 1))
    takes = {name: moved if taken == region else taken for name, taken in patches.takes.items()}
    wrong = dataclasses.replace(patches, regions={**patches.regions, value: moved}, takes=takes)
    bad = with_patches(plan, wrong)
    with pytest.raises(GraphError, match="needs"):
        check_plan(bad, graph)
    if region.fill is not None:  # where nobody pads, the region's place in the map is not looked at but for the source
        assert not equal(graph, bad)


def test_a_wrong_part_of_the_source_is_found() -> None:
    graph = block()
    plan = patched(graph, (2, 2))
    patches = patches_of(plan)
    name, region = next(iter(patches.takes.items()))
    moved = dataclasses.replace(region, columns=dataclasses.replace(region.columns, offset=region.columns.offset + 1))
    wrong = with_patches(plan, dataclasses.replace(patches, takes={**patches.takes, name: moved}))
    with pytest.raises(GraphError, match="takes"):
        check_plan(wrong, graph)
    assert not equal(graph, wrong)


def test_a_border_without_its_code_is_found() -> None:
    graph = block()
    plan = patched(graph, (2, 2))
    patches = patches_of(plan)
    regions = {n: dataclasses.replace(r, fill=None) for n, r in patches.regions.items()}
    wrong = with_patches(plan, dataclasses.replace(patches, regions=regions))
    with pytest.raises(GraphError, match="needs"):
        check_plan(wrong, graph)
    assert not equal(graph, wrong)


def test_what_does_not_run_by_patches_says_why() -> None:
    m = Maker(0, (6, 4, 2))
    graph = m.g.build([m.g.node("mean", "pool", [m.x], S8, axes=(0, 1), keep_axes=0)])
    found = make_patches(graph, graph.nodes, (2, 2), sizes_of(graph))
    assert isinstance(found, str)
    assert "pool" in found
