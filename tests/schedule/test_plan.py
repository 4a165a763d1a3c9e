"""Memory plans: safe by the executable specification, small by comparison with exhaustive search."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference
from edgeq.errors import GraphError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.storage import Storage
from edgeq.schedule import Plan, check_plan, make_plan, simulate
from edgeq.schedule.packing import lower_bound, pack

S8 = FixedPoint(8, 4)
S16 = FixedPoint(16, 8)


def sizes_of(graph: Graph) -> dict[str, int]:
    return {v.name: v.size * (1 if v.format.bits <= 8 else 2) for v in graph.values.values() if not v.constant}


def stored_of(graph: Graph) -> dict[str, Storage]:
    return {v.name: Storage(8 if v.format.bits <= 8 else 16, True, "") for v in graph.values.values() if not v.constant}


def elementwise(graph: Graph) -> dict[str, tuple[str, ...]]:
    """What kernels of equal-sized element-wise operators may overwrite."""
    return {
        n.name: tuple(
            i
            for i in n.inputs
            if not graph.values[i].constant and graph.values[i].shape == graph.values[n.outputs[0]].shape
        )
        for n in graph.nodes
        if n.op in ("add", "requantise")
    }


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Branching graphs of adds, requantisations, slices, concatenations and reshapes."""
    g = GraphBuilder("random")
    names = [g.input("x", (draw(st.integers(1, 5)), 4), draw(st.sampled_from([S8, S16])))]
    if draw(st.booleans()):
        names.append(g.input("y", (draw(st.integers(1, 5)), 4), S8))
    for i in range(draw(st.integers(1, 9))):
        a = draw(st.sampled_from(names))
        op = draw(st.sampled_from(["add", "requantise", "slice", "concat", "reshape"]))
        shape = g.values[a].shape
        fmt = draw(st.sampled_from([S8, S16]))
        same = [n for n in names if g.values[n].shape == shape]
        if op == "add":
            names.append(g.node("add", f"n{i}", [a, draw(st.sampled_from(same))], fmt))
        elif op == "requantise":
            names.append(g.node("requantise", f"n{i}", [a], fmt))
        elif op == "slice" and len(shape) == 2 and shape[0] > 1:
            rows = (0, 0), (shape[0] - 1, shape[1]), (1, 1)
            names.append(g.node("slice", f"n{i}", [a], g.values[a].format, begin=rows[0], end=rows[1], step=rows[2]))
        elif op == "concat" and len(shape) == 2 and shape[0] < 12:
            other = draw(st.sampled_from([n for n in names if g.values[n].shape[1:] == shape[1:]]))
            names.append(g.node("concat", f"n{i}", [a, other], fmt, axis=0))
        elif op == "reshape":
            flat = (g.values[a].size,) if len(shape) == 2 else (g.values[a].size // 4, 4)
            names.append(g.node("reshape", f"n{i}", [a], g.values[a].format, shape=flat))
    outputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return g.build(outputs)


def random_inputs(graph: Graph, seed: int = 0, samples: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(*graph.values[name].format.code_range, (samples, *graph.values[name].shape), endpoint=True)
        for name in graph.inputs
    }


def differing(graph: Graph, plan: Plan, seed: int = 0) -> list[str]:
    inputs = random_inputs(graph, seed)
    want, have = reference(graph, inputs), simulate(graph, plan, stored_of(graph), inputs)
    assert set(want) == set(have)
    return [name for name in want if not np.array_equal(want[name], have[name])]


@settings(max_examples=60, deadline=None)
@given(graphs(), st.booleans(), st.sampled_from([4, 8]))
def test_plans_of_random_graphs_are_safe_and_execute(graph: Graph, overwrite: bool, alignment: int) -> None:
    in_place = elementwise(graph) if overwrite else {}
    plan = make_plan(graph, sizes_of(graph), in_place, alignment=alignment)
    check_plan(plan, graph, sizes_of(graph), in_place)
    assert plan.arena_bytes >= plan.lower_bound
    assert plan.arena_bytes == plan.lower_bound or not plan.optimal or len(plan.buffers) > 1
    assert max(plan.live_bytes(t) for t in range(plan.times)) <= plan.arena_bytes
    assert sum(b for _, b in plan.peak_values()) == plan.live_bytes(plan.peak)
    assert differing(graph, plan) == []
    json.dumps(plan.to_json())


def brute_force(table: list[np.ndarray]) -> int:
    """Least height over all orders, each block as low as it can be: exact for so few blocks."""
    best = 1 << 60
    for order in itertools.permutations(range(len(table))):
        offsets: dict[int, int] = {}
        for b in order:
            spots = sorted({0, *(offsets[c] + int(table[c].max()) for c in offsets)})
            offsets[b] = next(
                o
                for o in spots
                if all(
                    not (table[b][t] and table[c][t]) or o + table[b][t] <= offsets[c] or offsets[c] + table[c][t] <= o
                    for c in offsets
                    for t in range(len(table[b]))
                )
            )
        best = min(best, max(offsets[b] + int(table[b].max()) for b in offsets))
    return best


@st.composite
def rectangles(draw: st.DrawFn) -> list[np.ndarray]:
    table = []
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, 5))
        last = draw(st.integers(first, 5))
        row = np.zeros(6, dtype=np.int64)
        row[first : last + 1] = draw(st.integers(1, 6))
        table.append(row)
    return table


@settings(max_examples=60, deadline=None)
@given(rectangles())
def test_packing_is_optimal_for_few_blocks(table: list[np.ndarray]) -> None:
    found = pack(table)
    assert found.optimal
    assert lower_bound(table) == found.bound <= found.height == brute_force(table)
    for (a, x), (b, y) in itertools.combinations(enumerate(table), 2):
        for t in np.flatnonzero((x > 0) & (y > 0)):
            p, q = found.offsets[a], found.offsets[b]
            assert p + x[t] <= q or q + y[t] <= p


def test_search_beats_every_greedy_order_on_some_problems() -> None:
    gained = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = []
        for _ in range(14):
            a, b = sorted(rng.integers(0, 14, 2))
            row = np.zeros(14, dtype=np.int64)
            row[a : b + 1] = rng.integers(1, 40)
            table.append(row)
        found = pack(table)
        assert found.optimal
        gained += found.method == "depth-first search"
    assert gained > 0


def test_large_problems_end_and_stay_near_the_bound() -> None:
    rng = np.random.default_rng(1)
    table = []
    for _ in range(150):
        a = int(rng.integers(0, 190))
        row = np.zeros(200, dtype=np.int64)
        row[a : a + int(rng.integers(1, 10))] = rng.integers(1, 100) * 8
        table.append(row)
    found = pack(table)
    assert found.bound <= found.height <= found.bound * 1.2


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_with_scratch_that_fills_every_step_reaches_the_bound(seed: int) -> None:
    """Values of a network by rows: each meets its neighbours only, and scratch takes what both leave."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, 41) * 8
    height = int((sizes[1:] + sizes[:-1]).max()) + 80
    table = []
    for time, (a, b) in enumerate(itertools.pairwise(sizes.tolist())):
        value, scratch = np.zeros((2, 40), dtype=np.int64)
        value[max(time - 1, 0) : time + 1] = a
        scratch[time] = height - a - b
        table += [value, scratch]
    table.append(np.where(np.arange(40) == 39, sizes[-1], 0))
    found = pack(table)
    assert len(table) > 64
    assert found.height == found.bound == height
    assert found.optimal


def test_a_deep_network_of_residual_blocks_reaches_the_bound() -> None:
    g = GraphBuilder("deep")
    rows = {1: (8, 4), 6: (48, 4)}
    x = g.input("x", rows[1], S8)
    for i in range(24):
        wide = g.node("concat", f"expand{i}", [x] * 6, S8, axis=0)
        wide = g.node("requantise", f"act{i}", [wide], S16)
        narrow = g.node("slice", f"project{i}", [wide], S16, begin=(0, 0), end=rows[1], step=(1, 1))
        x = g.node("add", f"add{i}", [narrow, x], S8)
    graph = g.build([x])
    plan = make_plan(graph, sizes_of(graph), elementwise(graph))
    assert len(graph.nodes) == 96
    assert plan.arena_bytes == plan.lower_bound == 32 + 192 + 2 * 192
    check_plan(plan, graph, sizes_of(graph), elementwise(graph))


def branches() -> Graph:
    """Two branches: one grows first, the other shrinks at once. The given order runs the worse one first."""
    g = GraphBuilder("branches")
    x = g.input("x", (8, 4), S8)
    a = g.node("concat", "wide_a", [x, x, x, x], S8, axis=0)
    b = g.node("concat", "wide_b", [x, x, x, x], S8, axis=0)
    small_a = g.node("slice", "small_a", [a], S8, begin=(0, 0), end=(1, 4), step=(1, 1))
    small_b = g.node("slice", "small_b", [b], S8, begin=(0, 0), end=(1, 4), step=(1, 1))
    return g.build([g.node("add", "sum", [small_a, small_b], S8)])


def test_another_order_is_taken_where_it_needs_less() -> None:
    graph = branches()
    fixed = make_plan(graph, sizes_of(graph), reorder=False)
    free = make_plan(graph, sizes_of(graph))
    assert fixed.order == tuple(n.name for n in graph.nodes)
    assert fixed.arena_bytes == 32 + 128 + 128
    assert free.arena_bytes == 32 + 128 + 8
    check_plan(free, graph, sizes_of(graph))
    assert differing(graph, free) == []


def test_overwriting_and_aliases_share_bytes() -> None:
    g = GraphBuilder("chain")
    x = g.input("x", (16, 4), S8)
    r = g.node("reshape", "flat", [x], S8, shape=(64,))
    y = g.node("requantise", "relu", [r], S8, lo=0)
    graph = g.build([g.node("requantise", "out", [y], S8)])
    plan = make_plan(graph, sizes_of(graph), elementwise(graph))
    assert plan.arena_bytes == 64
    assert plan.in_place == {"relu": "flat", "out": "relu"}
    assert plan.aliases == {"flat": "x"}
    assert make_plan(graph, sizes_of(graph)).arena_bytes == 128
    assert differing(graph, plan) == []


def test_a_view_read_twice_is_not_overwritten() -> None:
    g = GraphBuilder("views")
    x = g.input("x", (4, 4), S8)
    t = g.node("reshape", "view", [x], S8, shape=(4, 4))
    graph = g.build([g.node("add", "sum", [x, t], S8)])
    assert make_plan(graph, sizes_of(graph), elementwise(graph)).in_place == {}


def test_an_output_and_a_value_still_needed_are_not_overwritten() -> None:
    g = GraphBuilder("kept")
    x = g.input("x", (4, 4), S8)
    a = g.node("requantise", "a", [x], S8)
    b = g.node("requantise", "b", [a], S8, lo=0)
    graph = g.build([a, g.node("add", "c", [b, x], S8)])
    plan = make_plan(graph, sizes_of(graph), elementwise(graph))
    assert plan.in_place == {"c": "b"} or plan.in_place == {"c": "x"}
    check_plan(plan, graph, sizes_of(graph), elementwise(graph))
    assert differing(graph, plan) == []


def _moved(plan: Plan, name: str, offset: int) -> Plan:
    place = dataclasses.replace(plan.buffers[name], offset=offset)
    return dataclasses.replace(plan, buffers={**plan.buffers, name: place})


def test_a_corrupted_plan_is_refused_and_gives_a_difference() -> None:
    graph = branches()
    plan = make_plan(graph, sizes_of(graph))
    first = min("small_a", "small_b", key=plan.order.index)
    # The input is read once more after the first branch has ended: its second half is destroyed.
    bad = _moved(plan, first, plan.buffers["x"].offset + 16)
    with pytest.raises(GraphError, match="share bytes"):
        check_plan(bad, graph)
    assert differing(graph, bad)


@pytest.mark.parametrize("change", ["order", "outside", "unaligned", "lifetime", "size", "missing", "overwrite"])
def test_each_rule_of_the_specification_can_fail(change: str) -> None:
    graph = branches()
    plan = make_plan(graph, sizes_of(graph))
    bad = {
        "order": dataclasses.replace(plan, order=tuple(reversed(plan.order))),
        "outside": _moved(plan, "sum", plan.arena_bytes),
        "unaligned": _moved(plan, "sum", 1),
        "lifetime": dataclasses.replace(
            plan, buffers={**plan.buffers, "x": dataclasses.replace(plan.buffers["x"], last=1)}
        ),
        "size": dataclasses.replace(
            plan, buffers={**plan.buffers, "sum": dataclasses.replace(plan.buffers["sum"], bytes=3)}
        ),
        "missing": dataclasses.replace(plan, buffers={k: v for k, v in plan.buffers.items() if k != "sum"}),
        "overwrite": dataclasses.replace(plan, in_place={"sum": "small_a"}),
    }[change]
    check_plan(plan, graph, sizes_of(graph), {})
    with pytest.raises(GraphError):
        check_plan(bad, graph, sizes_of(graph), {})
