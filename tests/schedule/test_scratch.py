"""Scratch: bytes that a kernel needs while it runs are in the plan, and a plan that lends them twice is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference
from edgeq.errors import GraphError
from edgeq.ir import Graph
from edgeq.schedule import Plan, check_plan, make_plan, simulate
from tests.schedule.test_plan import elementwise, graphs, random_inputs, sizes_of, stored_of


@st.composite
def scratched(draw: st.DrawFn) -> tuple[Graph, dict[str, int]]:
    """A graph and what its kernels need; some need nothing."""
    graph = draw(graphs())
    computing = [n.name for n in graph.nodes if n.op != "reshape"]
    return graph, {name: draw(st.sampled_from([0, 1, 8, 40, 500])) for name in computing}


@settings(max_examples=80, deadline=None)
@given(scratched())
def test_plans_with_scratch_are_safe(case: tuple[Graph, dict[str, int]]) -> None:
    graph, scratch = case
    sizes, in_place = sizes_of(graph), elementwise(graph)
    plan = make_plan(graph, sizes, in_place, scratch=scratch)
    check_plan(plan, graph, sizes, in_place, scratch)
    assert {n: p.bytes for n, p in plan.scratch.items()} == {n: b for n, b in scratch.items() if b}
    assert plan.arena_bytes >= max(plan.live_bytes(t) for t in range(plan.times))
    assert sum(b for _, b in plan.peak_values()) == plan.live_bytes(plan.peak)
    inputs = random_inputs(graph)
    found, want = simulate(graph, plan, stored_of(graph), inputs), reference(graph, inputs)
    assert all(np.array_equal(found[n], want[n]) for n in graph.outputs)


def planned() -> tuple[Graph, Plan, dict[str, int]]:
    from edgeq.formats import FixedPoint
    from edgeq.ir import GraphBuilder

    g = GraphBuilder("three")
    x = g.input("x", (5, 4), FixedPoint(8, 4))
    y = g.node("requantise", "a", [x], FixedPoint(8, 3))
    z = g.node("requantise", "b", [y], FixedPoint(8, 2))
    graph = g.build([g.node("add", "c", [z, x], FixedPoint(8, 2))])
    scratch = {"b": 10}
    return graph, make_plan(graph, sizes_of(graph), scratch=scratch), scratch


def test_scratch_counts_at_its_own_time_only() -> None:
    graph, plan, _ = planned()
    without = make_plan(graph, sizes_of(graph))
    at = plan.order.index("b") + 1
    for time in range(plan.times):
        assert plan.live_bytes(time) - without.live_bytes(time) == (10 if time == at else 0)
    assert plan.peak == at
    assert ("scratch of b", 10) in plan.peak_values()
    assert "scratch of b" in [row["value"] for row in plan.timeline()]


def test_unsafe_scratch_is_refused() -> None:
    graph, plan, scratch = planned()
    place = plan.scratch["b"]
    bad = {
        "share bytes": {"b": dataclasses.replace(place, offset=plan.buffers["a"].offset)},
        "outside": {"b": dataclasses.replace(place, offset=plan.arena_bytes - 8)},
        "not planned for the time": {"b": dataclasses.replace(place, first=1, last=1)},
        "not what the kernels need": {},
    }
    check_plan(plan, graph, sizes_of(graph), {}, scratch)
    for message, changed in bad.items():
        with pytest.raises(GraphError, match=message):
            check_plan(dataclasses.replace(plan, scratch=changed), graph, sizes_of(graph), {}, scratch)


def test_simulation_spoils_scratch() -> None:
    """A plan whose scratch lies on a value gives other codes than the emulator."""
    graph, plan, _ = planned()
    inputs = random_inputs(graph)
    place = dataclasses.replace(plan.scratch["b"], offset=plan.buffers["x"].offset, bytes=8)
    found = simulate(graph, dataclasses.replace(plan, scratch={"b": place}), stored_of(graph), inputs)
    assert not np.array_equal(found["c"], reference(graph, inputs)["c"])
