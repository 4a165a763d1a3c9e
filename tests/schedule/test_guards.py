"""Guards: what only the side of a select that is not chosen needs is left out, its bytes are free; and faults show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.errors import GraphError, InputError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.storage import storage, value_bytes
from edgeq.schedule import check_plan, make_plan, simulate
from edgeq.schedule.guards import guarded, guards
from edgeq.verify import compare_traces
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.schedule.test_plan import sizes_of, stored_of

S8, BIT = FixedPoint(8, 4), FixedPoint(1, 0, False)


class Net:
    """Builds graphs of requantises and selects."""

    def __init__(self, size: int = 8) -> None:
        self.g = GraphBuilder("net")
        self.x = self.g.input("x", (size,), S8)

    def step(self, name: str, x: str) -> str:
        return self.g.node("requantise", name, [x], S8, lo=-20 if name.startswith("b") else -100)

    def within(self, name: str, x: str, most: int = 50) -> str:
        return self.g.node("within", name, [x], BIT, least=-128, most=most)

    def select(self, name: str, *operands: str) -> str:
        return self.g.node("select", name, operands, S8)

    def chain(self, name: str, x: str, count: int) -> str:
        for i in range(count):
            x = self.step(f"{name}{i}", x)
        return x


def two_sides(size: int = 8, second: int = 3) -> Graph:
    """A select between two chains, the condition computed after one of them."""
    n = Net(size)
    a = n.chain("a", n.x, 3)
    c = n.within("c", n.x)
    return n.g.build([n.select("y", c, a, n.chain("b", n.x, second))])


def test_each_side_is_needed_under_its_condition() -> None:
    assert guards(two_sides()) == {
        **{f"a{i}": (("c", 1),) for i in range(3)},
        **{f"b{i}": (("c", 0),) for i in range(3)},
    }


def test_what_both_sides_or_somebody_else_needs_always_runs() -> None:
    n = Net()
    c, both = n.within("c", n.x), n.step("both", n.x)
    other = n.step("other", both)
    y = n.select("y", c, n.step("a", both), n.step("b", both))
    z = n.select("z", c, n.step("d", other), both)
    graph = n.g.build([y, n.step("out", other), z])
    assert guards(graph) == {"a": (("c", 1),), "b": (("c", 0),), "d": (("c", 1),)}


def test_conditions_within_a_side_add_up() -> None:
    n = Net()
    c = n.within("c", n.x)
    d = n.within("d", n.step("for_d", n.x), 20)
    inner = n.select("inner", d, n.step("p", n.x), n.step("q", n.x))
    graph = n.g.build([n.select("y", c, inner, n.step("r", n.x))])
    assert guards(graph) == {
        "for_d": (("c", 1),),
        "d": (("c", 1),),
        "inner": (("c", 1),),
        "p": (("c", 1), ("d", 1)),
        "q": (("c", 1), ("d", 0)),
        "r": (("c", 0),),
    }


def test_a_condition_runs_before_what_it_guards() -> None:
    graph = two_sides()
    order = [node.name for node in guarded(graph, guards(graph)).nodes]
    assert order == ["c", "a0", "a1", "a2", "b0", "b1", "b2", "y"]
    assert guarded(graph, {}) is graph


def test_two_sides_take_the_bytes_of_one() -> None:
    graph = two_sides(800, 2)
    over = {"y": ("a2", "b1")}
    plan = make_plan(graph, sizes_of(graph), over)
    check_plan(plan, graph, sizes_of(graph), over)
    # Two steps of one side and the condition: while one side runs, the other has no bytes, and needs not x.
    assert plan.arena_bytes == 2 * 800 + 8
    assert plan.in_place == {"y": "a2"}
    always = graph.replace(outputs=("y", "a0", "b0"))  # both sides run
    assert make_plan(always, sizes_of(always), over).arena_bytes > 3 * 800


def traced(graph: Graph, samples: int = 6, seed: int = 0):  # type: ignore[no-untyped-def]
    plan = make_plan(graph, sizes_of(graph))
    inputs = random_inputs(graph, np.random.default_rng(seed), samples)
    return plan, inputs, reference(graph, inputs)


def test_a_plan_runs_one_side_and_says_which() -> None:
    graph = two_sides()
    plan, inputs, want = traced(graph)
    inputs["x"][::2] = np.minimum(inputs["x"][::2], 50)
    inputs["x"][1::2, 0] = 51
    want = reference(graph, inputs)
    have = simulate(graph, plan, stored_of(graph), inputs)
    result = compare_traces(graph, have, want)
    assert result.equal
    assert result.left_out == {**{f"b{i}": 3 for i in range(3)}, **{f"a{i}": 3 for i in range(3)}}
    assert result.values == 6 * (1 + 8 + 6 * 8) - 3 * 6 * 8
    assert result.line().endswith("(6 tensors left out in samples that do not need them)")
    assert result.to_json()["left_out"]["a0"] == 3
    inputs["x"][:, 0] = 60
    never = compare_traces(graph, simulate(graph, plan, stored_of(graph), inputs), reference(graph, inputs))
    assert never.tensors == result.tensors - 3
    assert never.line().endswith(", 3 of them in all, so not compared)")


def test_a_sample_that_lacks_what_it_needs_is_an_error() -> None:
    graph = two_sides()
    plan, inputs, want = traced(graph)
    have = simulate(graph, plan, stored_of(graph), inputs)
    (at,) = np.flatnonzero(have["c"] == 1)[:1]
    have["a1"][at] = np.ma.masked
    with pytest.raises(InputError, match=rf"does not show the tensor 'a1' of sample {at}, which needs it"):
        compare_traces(graph, have, want)


def test_a_wrong_code_of_a_step_that_ran_is_found() -> None:
    graph = two_sides()
    plan, inputs, want = traced(graph)
    inputs["x"][:] = np.minimum(inputs["x"], 50)
    want = reference(graph, inputs)
    have = simulate(graph, plan, stored_of(graph), inputs)
    have["a1"][2, 3] += 1
    result = compare_traces(graph, have, want)
    assert result.mismatches == 1
    assert result.first_divergence is not None
    assert result.first_divergence.value == "a1"


def test_a_step_that_runs_where_it_must_not_spoils_others() -> None:
    """The bytes of the side that is left out are the other's: without guards the plan gives other codes."""
    graph = two_sides(400, 2)
    plan = make_plan(graph, sizes_of(graph), {"y": ("a2", "b1")})
    inputs = {"x": np.random.default_rng(0).integers(-128, 50, (4, 400))}  # the first side is chosen
    want = reference(graph, inputs)
    assert compare_traces(graph, simulate(graph, plan, stored_of(graph), inputs), want).equal
    blind = dataclasses.replace(plan, guards={})
    have = simulate(graph, blind, stored_of(graph), inputs)
    assert not compare_traces(graph, have, want).equal


def test_damaged_plans_are_refused() -> None:
    graph = two_sides()
    plan = make_plan(graph, sizes_of(graph))
    guard = {**plan.guards, "a0": (("c", 0),)}
    with pytest.raises(GraphError, match="a0 runs where"):
        check_plan(dataclasses.replace(plan, guards=guard), graph)
    free = {**plan.idle, "x": frozenset({1})}
    with pytest.raises(GraphError, match="the bytes of x are not free"):
        check_plan(dataclasses.replace(plan, idle=free), graph)
    with pytest.raises(GraphError, match="share bytes and are both needed"):
        check_plan(dataclasses.replace(plan, idle={}), graph)


OPS = ["select", "select", "within", "requantise", "add", "slice", "concat", "reshape", "max_pool", "linear"]


@pytest.mark.parametrize("part", range(4))
def test_random_graphs_give_the_same_codes(part: int) -> None:
    left_out = 0
    for seed in range(40 * part, 40 * part + 40):
        graph = random_graph(np.random.default_rng([seed, 7]), ops=OPS, max_nodes=18, formats="fixed")
        sizes = {v.name: value_bytes(v) for v in graph.values.values() if not v.constant}
        stored = {name: storage(graph.values[name].format) for name in sizes}
        plan = make_plan(graph, sizes)
        check_plan(plan, graph, sizes)
        inputs = random_inputs(graph, np.random.default_rng(seed), 6)
        result = compare_traces(graph, simulate(graph, plan, stored, inputs), reference(graph, inputs))
        assert result.equal, (seed, result.line())
        left_out += sum(result.left_out.values())
    assert left_out > 60
