"""Requantise fusion: fires in each legal case, stays away from every other, and gives split graphs back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from equivalence import assert_kept, count, node_of, same_answers

from edgeq.formats import NAMED, RULES, FixedPoint, Format, round_scalar
from edgeq.ir import Graph, GraphBuilder, Node, Value, operator
from edgeq.ir.operator import Arithmetic
from edgeq.passes import optimise
from edgeq.passes._edit import fits
from edgeq.passes.fuse_requantise import fuse_requantise
from edgeq.verify.random_graphs import random_graph


def linear_then(middle: Format, last: Format, first: dict[str, object], second: dict[str, object]) -> Graph:
    """s8.4 -> linear with s8.3 weights (products on grid 7) -> requantise."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("two")
    x = b.input("x", (6,), FixedPoint(8, 4))
    w = b.constant("w", rng.integers(-128, 128, (5, 6)), FixedPoint(8, 3))
    v = b.node("linear", "fc", [x, w], middle, **first)  # type: ignore[arg-type]
    return b.build([b.node("requantise", "relu", [v], last, **second)])  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("middle", "last", "first", "second"),
    [
        (FixedPoint(32, 7), FixedPoint(8, 2), {}, {}),  # exact
        (FixedPoint(32, 9), FixedPoint(8, 2), {}, {"lo": 0}),  # exact on a finer grid, ReLU
        (FixedPoint(12, 7), FixedPoint(8, 2), {}, {}),  # exact grid, but the producer saturates
        (FixedPoint(32, 7), FixedPoint(8, 2), {"lo": -900, "hi": 1000}, {"lo": -20}),  # and clips
        (FixedPoint(12, 7), FixedPoint(16, 9), {"hi": 77}, {}),  # up to a finer grid, after saturating
        (FixedPoint(32, 8), NAMED["e2m1"].per_tensor(-2), {}, {}),  # into a minifloat
    ],
)
def test_exact_producer(rule: str, middle: Format, last: Format, first: dict, second: dict) -> None:
    before = linear_then(middle, last, {**first, "rounding": "half_even"}, {**second, "rounding": rule})
    after = fuse_requantise(before)
    assert [n.op for n in after.nodes] == ["linear"]
    assert_kept(before, after, samples=400)
    assert after.nodes[0].name == "fc"
    assert after.nodes[0].outputs == ("relu",)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("middle", "last", "first", "second"),
    [
        (FixedPoint(8, 2), FixedPoint(8, 2), {}, {"lo": 0}),  # ReLU
        (FixedPoint(8, 2), FixedPoint(8, 2, False), {}, {}),  # ReLU by an unsigned format
        (FixedPoint(8, 2), FixedPoint(4, 2), {"lo": -7}, {"hi": 6}),
        (FixedPoint(8, 2), FixedPoint(16, 2), {"lo": -7, "hi": 100}, {"lo": -50, "hi": 1000}),
        (FixedPoint(8, 2), FixedPoint(8, 2), {"hi": -5}, {"lo": 3}),  # bounds that do not meet
        (NAMED["e2m1"].per_tensor(-2), NAMED["e2m1"].per_tensor(-2), {}, {"lo": 0, "hi": 6}),
    ],
)
def test_same_grid(rule: str, middle: Format, last: Format, first: dict, second: dict) -> None:
    before = linear_then(middle, last, {**first, "rounding": rule}, {**second, "rounding": "half_even"})
    after = fuse_requantise(before)
    assert [n.op for n in after.nodes] == ["linear"]
    assert_kept(before, after, samples=400)


@pytest.mark.parametrize("rule", ["floor", "half_up"])
def test_floor_first(rule: str) -> None:
    before = linear_then(FixedPoint(16, 5), FixedPoint(8, 2), {"rounding": "floor", "hi": 900}, {"rounding": rule})
    after = fuse_requantise(before)
    assert count(after, "requantise") == 0
    assert_kept(before, after, samples=400)


@pytest.mark.parametrize(
    ("middle", "last", "first", "second"),
    [
        (FixedPoint(16, 5), FixedPoint(8, 2), "half_up", "half_up"),
        (FixedPoint(16, 5), FixedPoint(8, 2), "half_even", "half_even"),
        (FixedPoint(16, 5), FixedPoint(8, 2), "floor", "half_even"),
        (FixedPoint(16, 5), FixedPoint(8, 2), "half_up", "floor"),
        (FixedPoint(16, 5), FixedPoint(16, 6), "half_up", "half_up"),
        (FixedPoint(16, 5), NAMED["e2m1"].per_tensor(5), "floor", "floor"),
        (NAMED["e4m3"], FixedPoint(8, 9), "half_up", "half_up"),
        (NAMED["e2m1"], NAMED["e4m3"].per_tensor(1), "half_up", "half_up"),
    ],
)
def test_two_roundings_stay_two(middle: Format, last: Format, first: str, second: str) -> None:
    before = linear_then(middle, last, {"rounding": first}, {"rounding": second})
    assert fuse_requantise(before) is before


def test_double_rounding_would_be_wrong() -> None:
    """Fusing what the pass refuses changes answers: the comparison of these tests can fail."""
    before = linear_then(FixedPoint(16, 5), FixedPoint(8, 2), {}, {})
    fc = before.nodes[0]
    wrong = Node(fc.op, fc.name, fc.inputs, ("relu",), fc.attrs, fc.source)
    values = {k: v for k, v in before.values.items() if k != "fc"}
    assert not same_answers(before, before.replace(nodes=(wrong,), values=values), samples=400)


def test_floor_composition_in_exact_arithmetic() -> None:
    """The identity that the case `floor` rests on, for every fraction of 1/64 over some range."""
    for rule in ("floor", "half_up"):
        for i in range(-2000, 2000):
            x = Fraction(i, 64)
            assert round_scalar(Fraction(round_scalar(x, "floor"), 8), rule) == round_scalar(x / 8, rule)
    assert round_scalar(Fraction(round_scalar(Fraction(33, 64), "half_up"), 2), "half_up") != 0
    assert round_scalar(Fraction(33, 128), "half_up") == 0


def test_value_that_others_read_stays() -> None:
    b = GraphBuilder("shared")
    x = b.input("x", (4,), FixedPoint(8, 4))
    v = b.node("add", "sum", [x, x], FixedPoint(16, 4))
    r = b.node("requantise", "relu", [v], FixedPoint(8, 2), lo=0)
    graph = b.build([b.node("add", "y", [v, r], FixedPoint(16, 4))])
    assert fuse_requantise(graph) is graph
    as_output = graph.replace(outputs=("sum", "y"))
    assert fuse_requantise(as_output) is as_output


def test_accumulator_that_would_not_fit_is_refused() -> None:
    """The producer saturates to few bits; without that, aligning to the fine last grid would leave 64 bits."""
    b = GraphBuilder("wide")
    x = b.input("x", (4,), FixedPoint(32, 0))
    w = b.constant("w", np.full((1, 4), (1 << 24) - 1), FixedPoint(25, 0))
    v = b.node("linear", "fc", [x, w], FixedPoint(8, 0))
    graph = b.build([b.node("requantise", "r", [v], FixedPoint(16, 8))])
    assert fuse_requantise(graph) is graph


def test_table_takes_the_requantise_into_its_entries() -> None:
    b = GraphBuilder("table")
    x = b.input("x", (9,), FixedPoint(4, 0))
    t = b.constant("t", np.arange(-8, 8) * 9, FixedPoint(8, 3))
    y = b.node("table", "t1", [x, t], FixedPoint(8, 3), function="ramp")
    graph = b.build([b.node("requantise", "r", [y], FixedPoint(4, 0), lo=-2, rounding="half_even")])
    after = fuse_requantise(graph)
    assert [n.op for n in after.nodes] == ["table"]
    assert after.nodes[0].inputs == ("x", "t")
    assert_kept(graph, after, samples=50)


def split_stages(graph: Graph, rng: np.random.Generator) -> Graph:
    """Each output stage of fixed point taken out of its node: exact in 32 bits, then a requantise."""
    nodes, values = [], dict(graph.values)
    for node in graph.nodes:
        out, op = graph.outs(node)[0], operator(node.op)
        wide = _wide(graph, node) if isinstance(op, Arithmetic) and node.op != "softmax" else None
        if wide is None or rng.random() < 0.2:
            nodes.append(node)
            continue
        name = f"{out.name}_exact"
        values[name] = Value(name, out.shape, wide, None, out.source)
        attrs = {k: v for k, v in node.attrs.items() if k not in ("lo", "hi", "rounding")}
        stage = {k: v for k, v in node.attrs.items() if k in ("lo", "hi", "rounding")}
        nodes.append(Node(node.op, node.name, node.inputs, (name,), attrs, node.source))
        nodes.append(Node("requantise", f"{node.name}_stage", (name,), node.outputs, stage, out.source))
    return graph.replace(nodes=tuple(nodes), values=values)


def _wide(graph: Graph, node: Node) -> Format | None:
    """A 32-bit format that holds the node's accumulation exactly."""
    from edgeq.ir import analyse
    from edgeq.ir.ranges import signed_bits

    ranges = analyse(graph).values
    bounds = operator(node.op).bounds(node, graph.ins(node), [ranges[n] for n in node.inputs])
    if bounds is None or bounds.den != (1, 1):
        return None
    fmt = FixedPoint(32, max(bounds.frac))
    shifts = [fmt.point - f for f in bounds.frac]  # type: ignore[operator]
    if max(shifts) > 20:
        return None
    lo = min(b << s for b, s in zip(bounds.lo, shifts, strict=True))
    hi = max(b << s for b, s in zip(bounds.hi, shifts, strict=True))
    return fmt if signed_bits(lo, hi) <= 32 and fits(graph, node, fmt, ranges) else None


def test_split_graphs_come_back() -> None:
    """Fusion undoes the splitting of output stages, whatever they are, and answers stay the same."""
    split_nodes = fused_nodes = 0
    for seed in range(60):
        kind = ("fixed", "mixed")[seed % 2]
        graph = random_graph(np.random.default_rng(seed), formats=kind)
        split = split_stages(graph, np.random.default_rng(seed))
        after = fuse_requantise(split)
        assert_kept(graph, after, seed)
        assert len(after.nodes) <= len(graph.nodes)
        split_nodes += len(split.nodes) - len(graph.nodes)
        fused_nodes += len(split.nodes) - len(after.nodes)
    assert split_nodes > 80
    assert fused_nodes >= split_nodes


def test_frontend_style_chain_becomes_one_node() -> None:
    """conv in 32 bits -> ReLU -> 8 bits, as an exporter writes it."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("chain")
    x = b.input("x", (6, 6, 2), FixedPoint(8, 4))
    w = b.constant("w", rng.integers(-8, 8, (3, 3, 3, 2)), FixedPoint(4, 3))
    y = b.node(
        "conv", "conv", [x, w], FixedPoint(32, 7), stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1), groups=1
    )
    y = b.node("requantise", "relu", [y], FixedPoint(32, 7), lo=0)
    y = b.node("requantise", "quant", [y], FixedPoint(8, 3, False))
    graph = b.build([y])
    after = optimise(graph)
    assert [n.op for n in after.nodes] == ["conv"]
    assert node_of(after, "conv").outputs == ("quant",)
    assert_kept(graph, after)
