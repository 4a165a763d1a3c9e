"""Stretches by rows: every row equals the whole-tensor run, and what is too small or wrong is found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference
from edgeq.errors import GraphError
from edgeq.formats import Affine, FixedPoint, Format
from edgeq.ir import Graph, GraphBuilder
from edgeq.schedule import Patches, Plan, check_plan, make_patches, make_plan, simulate
from edgeq.schedule.stream import Stretch, check_stretch, make_stretch
from tests.schedule.test_plan import random_inputs, sizes_of, stored_of

S8, U8, W4 = FixedPoint(8, 4), FixedPoint(8, 4, False), FixedPoint(4, 3)


def row_bytes(graph: Graph) -> dict[str, int]:
    return {name: size // graph.values[name].shape[0] for name, size in sizes_of(graph).items()}


class Maker:
    """A graph of feature maps, node by node, with random weights; fmt: of the maps."""

    fmt: Format = S8

    def __init__(self, seed: int, shape: tuple[int, int, int]) -> None:
        self.g, self.rng = GraphBuilder("rows"), np.random.default_rng(seed)
        self.x = self.g.input("x", shape, S8)

    def conv(self, x: str, out: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int = 1) -> str:
        channels = self.g.values[x].shape[-1]
        w = self.g.constant("w", self.rng.integers(-8, 8, (out, kernel, 3, channels)), W4)
        window = {"stride": (stride, 1), "padding": (*pad, 1, 1), "dilation": (dilation, 1)}
        return self.g.node("conv", "conv", [x, w], self.fmt, groups=1, **window)

    def depthwise(self, x: str, stride: int, pad: tuple[int, int]) -> str:
        channels = self.g.values[x].shape[-1]
        w = self.g.constant("w", self.rng.integers(-8, 8, (channels, 3, 3, 1)), W4)
        window = {"stride": (stride, 1), "padding": (*pad, 1, 1), "dilation": (1, 1)}
        return self.g.node("conv", "dw", [x, w], self.fmt, groups=channels, **window)

    def pool(self, op: str, x: str, kernel: int, stride: int, pad: tuple[int, int]) -> str:
        window = {"kernel": (kernel, 1), "stride": (stride, 1), "padding": (*pad, 0, 0)}
        if op == "max_pool":
            return self.g.node(op, "max", [x], self.g.values[x].format, **window, dilation=(1, 1))
        return self.g.node(op, "mean", [x], self.fmt, **window, include_pad=1)


@st.composite
def maps(draw: st.DrawFn) -> Graph:
    """Chains of windows with skip branches and joins over feature maps."""
    m = Maker(draw(st.integers(0, 999)), (draw(st.integers(5, 12)), draw(st.integers(1, 4)), draw(st.integers(1, 3))))
    x, earlier = m.x, [m.x]
    for _ in range(draw(st.integers(1, 5))):
        height, _, channels = m.g.values[x].shape
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "max", "mean", "table", "join", "concat"]))
        pad = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
        stride, kernel = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 2, 3]))
        dilation = draw(st.sampled_from([1, 2]))
        if height + sum(pad) < 6:
            pad = (3, 3)
        if kind == "conv":
            y = m.conv(x, draw(st.integers(1, 3)), kernel, stride, pad, dilation)
        elif kind == "depthwise":
            y = m.depthwise(x, stride, pad)
        elif kind in ("max", "mean"):
            kernel = min(kernel, height)
            pad = (min(pad[0], kernel - 1), min(pad[1], kernel - 1))
            y = m.pool("max_pool" if kind == "max" else "average_pool", x, kernel, stride, pad)
        elif kind == "table":
            y = m.g.node("requantise", "relu", [x], S8, lo=0)
        else:
            same = [v for v in earlier if m.g.values[v].shape == m.g.values[x].shape]
            branch = m.conv(x, channels, 3, 1, (1, 1))
            other = draw(st.sampled_from(same))
            op, attrs = ("add", {}) if kind == "join" else ("concat", {"axis": 2})
            y = m.g.node(op, kind, [branch, other], S8, **attrs)
        earlier.append(y)
        x = y
    graph = m.g.build([x])
    used = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    assert all(name in used for node in graph.nodes for name in node.outputs)
    return graph


def streamed(graph: Graph, fed: bool) -> Plan:
    stretch = make_stretch(graph, graph.nodes, row_bytes(graph), fed=fed)
    assert isinstance(stretch, Stretch), stretch
    plan = make_plan(graph, sizes_of(graph), stretches=[stretch])
    check_plan(plan, graph, sizes_of(graph))
    return plan


def differing(graph: Graph, plan: Plan) -> list[str]:
    inputs = random_inputs(graph)
    want, have = reference(graph, inputs), simulate(graph, plan, stored_of(graph), inputs)
    assert set(want) == set(have)
    return [name for name in want if not np.array_equal(want[name], have[name])]


@settings(max_examples=60, deadline=None)
@given(maps(), st.booleans())
def test_stretches_of_random_graphs_equal_the_whole_run(graph: Graph, fed: bool) -> None:
    plan = streamed(graph, fed)
    assert differing(graph, plan) == []
    assert not fed or "x" not in plan.buffers
    # Less room anywhere stops it: the capacities are the least of this order.
    (stretch,) = plan.stretches
    for name, rows in stretch.rows.items():
        if rows.offset is not None:
            less = dataclasses.replace(rows, capacity=rows.capacity - 1)
            tight = dataclasses.replace(stretch, rows={**stretch.rows, name: less})
            with pytest.raises(GraphError, match=r"room|stops|hold a window"):
                check_stretch(tight, graph)


def chain() -> Graph:
    m = Maker(0, (9, 4, 2))
    a = m.conv(m.x, 3, 3, 1, (1, 1))
    return m.g.build([m.depthwise(a, 2, (1, 1))])


def test_rows_of_a_chain_are_its_windows() -> None:
    (stretch,) = streamed(chain(), True).stretches
    assert {n: r.capacity for n, r in stretch.rows.items()} == {"x": 3, "conv": 3, "dw": 5}


def test_a_wrong_halo_is_found_by_the_check_and_by_the_values() -> None:
    graph = chain()
    plan = streamed(graph, False)
    (stretch,) = plan.stretches
    first = stretch.steps[0]
    window = dataclasses.replace(first.reads[0], top=0, bottom=2)
    wrong = dataclasses.replace(stretch, steps=(dataclasses.replace(first, reads=(window,)), *stretch.steps[1:]))
    rows = dataclasses.replace(stretch.rows["x"], top=0, bottom=2)
    wrong = dataclasses.replace(wrong, rows={**wrong.rows, "x": rows})
    with pytest.raises(GraphError, match="needs"):
        check_stretch(wrong, graph)
    assert "conv" in differing(graph, dataclasses.replace(plan, stretches=(wrong,)))


def test_a_wrong_code_of_padding_is_found() -> None:
    graph = chain()
    plan = streamed(graph, False)
    (stretch,) = plan.stretches
    rows = {**stretch.rows, "x": dataclasses.replace(stretch.rows["x"], fill=7)}
    wrong = dataclasses.replace(stretch, rows=rows)
    with pytest.raises(GraphError, match="hold a window"):
        check_stretch(wrong, graph)
    assert "conv" in differing(graph, dataclasses.replace(plan, stretches=(wrong,)))


def test_padding_is_the_zero_point_or_what_never_wins() -> None:
    g = GraphBuilder("pads")
    x = g.input("x", (5, 2, 1), Affine(8, True, -7, 0.5))
    window = {"kernel": (3, 1), "stride": (1, 1), "padding": (1, 1, 0, 0), "dilation": (1, 1)}
    graph = g.build([g.node("max_pool", "max", [x], g.values[x].format, **window)])
    plan = streamed(graph, True)
    assert plan.stretches[0].rows["x"].fill == -128
    assert differing(graph, plan) == []


def test_what_does_not_run_by_rows_says_why() -> None:
    m = Maker(0, (6, 4, 2))
    graph = m.g.build([m.g.node("mean", "pool", [m.x], S8, axes=(0, 1), keep_axes=0)])
    found = make_stretch(graph, graph.nodes, {"x": 8, "pool": 2})
    assert isinstance(found, str)
    assert "pool" in found


def inverted(width: int = 7, stride: int = 2, wide: int = 8) -> Graph:
    """Inverted residual blocks behind a first layer: one that strides, one with a skip branch."""
    m = Maker(7, (14, width, 2))
    x = m.conv(m.x, 3, 3, 2, (1, 1))
    x = m.conv(m.depthwise(m.conv(x, wide, 1, 1, (0, 0)), stride, (1, 1)), 3, 1, 1, (0, 0))
    y = m.conv(m.depthwise(m.conv(x, wide, 1, 1, (0, 0)), 1, (1, 1)), 3, 1, 1, (0, 0))
    return m.g.build([m.g.node("add", "join", [x, y], S8)])


def fused(graph: Graph, columns: int, fed: bool = True, tall: int = 1) -> Plan:
    """The plan by rows with both blocks fused, so many rows at a time, and these in so many tiles."""
    blocks = [graph.nodes[1:4], graph.nodes[4:7]]
    patches = []
    for index, block in enumerate(blocks):
        height = -(-graph.outs(block[-1])[0].shape[0] // tall)
        made = make_patches(graph, block, (height, columns), sizes_of(graph), name=f"block_{index}")
        assert isinstance(made, Patches), made
        patches.append(made)
    stretch = make_stretch(graph, graph.nodes, row_bytes(graph), fed=fed, fused=patches)
    assert isinstance(stretch, Stretch), stretch
    plan = make_plan(graph, sizes_of(graph), stretches=[stretch])
    check_plan(plan, graph, sizes_of(graph))
    return plan


def wrong_rows(graph: Graph, plan: Plan) -> list[str]:
    """Values that differ from the whole run, of those that are seen."""
    inputs = random_inputs(graph)
    want, have = reference(graph, inputs), simulate(graph, plan, stored_of(graph), inputs)
    assert set(want) - set(have) == {graph.nodes[i].outputs[0] for i in (1, 2, 4, 5)}
    return [name for name, codes in have.items() if not np.array_equal(want[name], codes)]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("width", "columns"), [(7, 1), (7, 2), (7, 3), (5, 5), (1, 1)])
@pytest.mark.parametrize("tall", [1, 2, 3, 4])
def test_fused_steps_equal_the_whole_run(width: int, columns: int, stride: int, tall: int) -> None:
    graph = inverted(width, stride)
    for fed in (True, False):
        plan = fused(graph, columns, fed, tall)
        assert wrong_rows(graph, plan) == []
        (stretch,) = plan.stretches
        for name, rows in stretch.rows.items():
            if rows.offset is not None:
                less = dataclasses.replace(rows, capacity=rows.capacity - 1)
                with pytest.raises(GraphError, match=r"room|stops|hold a window"):
                    check_stretch(dataclasses.replace(stretch, rows={**stretch.rows, name: less}), graph)


def test_fused_steps_hold_tiles_in_place_of_rows_and_compute_their_halo_again() -> None:
    graph = inverted(24)
    one, many = fused(graph, 1).stretches[0], fused(graph, 6).stretches[0]
    whole = make_stretch(graph, graph.nodes, row_bytes(graph), fed=True)
    assert isinstance(whole, Stretch)
    assert many.bytes < whole.bytes
    assert many.bytes < one.bytes
    assert many.nodes == whole.nodes
    assert many.inside == whole.inside
    assert set(whole.rows) - set(many.rows) == {graph.nodes[i].outputs[0] for i in (1, 2, 4, 5)}
    macs = [sum(p.macs for step in s.steps if (p := step.patches) is not None) for s in (one, many)]
    assert macs[0] < macs[1]


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_a_wrong_halo_in_a_fused_step_is_found(axis: str) -> None:
    graph = inverted()
    plan = fused(graph, 3)
    (stretch,) = plan.stretches
    step = stretch.steps[1]
    assert step.patches is not None
    value = graph.nodes[1].outputs[0]
    region = step.patches.regions[value]
    span = getattr(region, axis)
    moved = dataclasses.replace(region, **{axis: dataclasses.replace(span, offset=span.offset + 1)})
    patches = dataclasses.replace(step.patches, regions={**step.patches.regions, value: moved})
    steps = (stretch.steps[0], dataclasses.replace(step, patches=patches), *stretch.steps[2:])
    wrong = dataclasses.replace(plan, stretches=(dataclasses.replace(stretch, steps=steps),))
    with pytest.raises(GraphError, match="needs"):
        check_plan(wrong, graph)
    assert step.output in wrong_rows(graph, wrong)


def test_a_fused_step_needs_its_rows_and_room() -> None:
    graph = inverted()
    plan = fused(graph, 3)
    (stretch,) = plan.stretches
    tight = dataclasses.replace(stretch, scratch=stretch.scratch - 8)
    with pytest.raises(GraphError, match="no room for a patch"):
        check_plan(dataclasses.replace(plan, stretches=(tight,)), graph)
    first = dataclasses.replace(stretch.steps[1], reads=stretch.steps[2].reads)
    other = dataclasses.replace(stretch, steps=(stretch.steps[0], first, *stretch.steps[2:]))
    with pytest.raises(GraphError, match="needs"):
        check_stretch(other, graph)
