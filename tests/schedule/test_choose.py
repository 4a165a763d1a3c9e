"""Choosing schedules: the searches equal trying every path over the cuts, and the choice is what the plan needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings

from edgeq.emulator import reference
from edgeq.errors import BudgetError, GraphError
from edgeq.ir import Graph, operator
from edgeq.schedule import Chooser, Needs, check_plan, make_plan, simulate
from edgeq.schedule.fuse import blocks
from edgeq.schedule.parts import LAYERS, Part, cuts
from edgeq.schedule.patch import Kernels
from tests.schedule.test_plan import random_inputs, sizes_of, stored_of
from tests.schedule.test_stream import S8, Maker, inverted, maps


def paths(chooser: Chooser, limit: int | None, start: int = 0) -> Iterator[tuple[Part, ...]]:
    """Every way from a cut to the last one, with tiles as a limit has them."""
    if start == chooser.last:
        yield ()
        return
    for end in range(start + 1, chooser.last + 1):
        for way in chooser.parts.ways:
            layers = end == start + 1 and not (chooser.fed and start == 0)
            part = chooser.parts.part(start, end, way, limit) if way != LAYERS or layers else None
            if part is not None:
                for rest in paths(chooser, limit, end):
                    yield (part, *rest)


def taken(chooser: Chooser, limit: int | None) -> list[tuple[int, float]]:
    """Bytes and work of every path."""
    return [(max(p.bytes for p in path), sum(p.work for p in path)) for path in paths(chooser, limit)]


@settings(max_examples=25, deadline=None)
@given(maps())
def test_the_searches_equal_trying_everything(graph: Graph) -> None:
    exact(graph, Needs(sizes_of(graph), grids=((2, 2), (3, 1))))


def instructions(graph: Graph) -> dict[str, int]:
    """What a backend might say that nodes take."""
    macs = {n.name: operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes}
    return {name: 300 + 2 * count for name, count in macs.items()}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("width", [5, 24])
def test_the_searches_are_exact_with_fused_blocks(width: int, known: bool) -> None:
    graph = inverted(width, wide=16)
    needs = Needs(sizes_of(graph), tiles=((1, 1), (1, 3), (2, 4)), grids=((2, 2),))
    if known:
        needs = dataclasses.replace(
            needs,
            instructions=instructions(graph),
            lower=lambda small: Kernels({}, sum(instructions(small).values())),
        )
    exact(graph, needs)


def exact(graph: Graph, needs: Needs) -> None:
    for fed in (False, True):
        chooser = Chooser(graph, needs, fed=fed)
        least = chooser.least_ram()
        assert least.bytes == min(size for size, _ in taken(chooser, None))
        front = [(point.bytes, point.work) for point in chooser.front()]
        assert front == sorted(front, key=lambda point: -point[0])
        assert front[-1] == (least.bytes, least.work)
        for limit in (None, *(size + more for size, _ in front for more in (0, 40))):
            found = taken(chooser, limit)
            for size, work in found:  # every path is on the front or beaten by a point of it
                assert any(s <= size and w <= work for s, w in front)
            if limit is not None:
                best = chooser.fitting(limit)
                assert best is not None
                assert best.work == min(work for size, work in found if size <= limit)
        with pytest.raises(BudgetError, match=str(least.bytes)):
            chooser.within(least.bytes - 8)


@settings(max_examples=15, deadline=None)
@given(maps())
def test_a_choice_is_a_plan_that_runs(graph: Graph) -> None:
    sizes = sizes_of(graph)
    for point in Chooser(graph, Needs(sizes, grids=((2, 2), (3, 1)))).front():
        plan = make_plan(graph, sizes, stretches=point.stretches)
        check_plan(plan, graph, sizes)
        assert plan.arena_bytes <= point.bytes + 8 * len(point.parts)
        inputs = random_inputs(graph)
        want, have = reference(graph, inputs), simulate(graph, plan, stored_of(graph), inputs)
        assert all(np.array_equal(want[name], codes) for name, codes in have.items())


def test_fused_blocks_take_less_room_for_more_work() -> None:
    graph = inverted(24, wide=16)
    assert blocks(graph) == [(1, 3), (4, 4)]
    sizes = sizes_of(graph)
    front = list(Chooser(graph, Needs(sizes, tiles=((1, 2), (2, 4), (1, 8))), fed=True).front())
    least = Chooser(graph, Needs(sizes), fed=True).least_ram()
    assert front[-1].bytes < least.bytes
    assert front[-1].macs > 0 == least.macs
    tiles = {step.patches.tile for point in front for s in point.stretches for step in s.steps if step.patches}
    assert len(tiles) > 1
    inputs = random_inputs(graph)
    want = reference(graph, inputs)
    for point in front:
        plan = make_plan(graph, sizes, stretches=point.stretches)
        check_plan(plan, graph, sizes)
        assert plan.arena_bytes <= point.bytes + 8 * len(point.parts)
        have = simulate(graph, plan, stored_of(graph), inputs)
        assert all(np.array_equal(want[name], codes) for name, codes in have.items())
        macs = sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)
        fused = [step.patches for s in point.stretches for step in s.steps if step.patches is not None]
        alone = [n for n in graph.nodes if not any(n.name in p.nodes for p in fused)]
        rest = sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in alone)
        assert macs + point.macs == rest + sum(p.macs for p in fused)


def test_cuts_lie_where_one_value_is_alive() -> None:
    m = Maker(0, (6, 4, 2))
    a = m.conv(m.x, 2, 3, 1, (1, 1))
    b = m.conv(a, 2, 3, 1, (1, 1))
    graph = m.g.build([m.g.node("add", "join", [b, a], S8)])
    assert cuts(graph) == [(0, "x"), (1, "conv"), (3, "join")]


def test_networks_of_several_inputs_and_outputs_have_ends_that_run_by_layers() -> None:
    m = Maker(0, (6, 4, 2))
    y = m.g.input("y", (6, 4, 2), S8)
    a = m.conv(m.g.node("add", "join", [m.x, y], S8), 2, 3, 1, (1, 1))
    b = m.conv(a, 2, 3, 1, (1, 1))
    graph = m.g.build([b, m.g.node("requantise", "relu", [b], S8, lo=0)])
    needs = Needs(sizes_of(graph), tiles=((1, 1),), grids=((2, 2),))
    found = Chooser(graph, needs).least_ram()
    assert [part for path in paths(Chooser(graph, needs), None) for part in path] != []
    assert [n for part in found.parts for n in part.nodes] == ["join", "conv", "conv_2", "relu"]
    assert (found.parts[0].stretch, found.parts[-1].stretch) == (None, None)
    plan = make_plan(graph, sizes_of(graph), stretches=found.stretches)
    assert plan.arena_bytes <= found.bytes + 8 * len(found.parts)
    with pytest.raises(GraphError, match="one input"):
        Chooser(graph, Needs(sizes_of(graph)), fed=True)


def test_an_input_that_cannot_be_pushed_says_why() -> None:
    m = Maker(0, (6, 4, 2))
    graph = m.g.build([m.g.node("mean", "pool", [m.x], S8, axes=(0, 1), keep_axes=0)])
    with pytest.raises(GraphError, match=r"no form by rows|no feature maps"):
        Chooser(graph, Needs(sizes_of(graph)), fed=True).least_ram()
