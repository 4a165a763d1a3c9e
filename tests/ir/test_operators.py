"""Every operator equals its second meaning in `oracles.py`, code for code."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ir.oracles import ARITHMETIC, MOVEMENTS, exact_in_float64, expected

from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import OPERATORS, Graph, GraphBuilder, Node, analyse, operator
from edgeq.verify.random_graphs import random_graph, random_inputs

#: graphs for each operator and kind of format
GRAPHS = 20


def compare(graph: Graph, codes: dict[str, np.ndarray], seen: Counter[str]) -> None:
    """Compare every node of a graph with its oracle, each from the reference's own inputs."""
    ranges, trace = analyse(graph), reference(graph, codes)
    for node in graph.nodes:
        ins, outs = graph.ins(node), graph.outs(node)
        if not exact_in_float64(node, ins, [ranges.values[v.name] for v in ins]):
            seen["too wide for float64"] += 1
            continue
        given = [v.data if v.data is not None else trace[v.name] for v in ins]
        want = expected(node, ins, outs, given)
        np.testing.assert_array_equal(trace[node.outputs[0]], want, err_msg=f"{node} in {graph.name}")
        seen[node.op] += want.size
        seen["nodes"] += 1


def test_every_operator_has_an_oracle() -> None:
    assert ARITHMETIC.keys() | MOVEMENTS.keys() == OPERATORS.keys()
    assert not ARITHMETIC.keys() & MOVEMENTS.keys()


def compare_many(op: str, formats: str, seeds: range) -> Counter[str]:
    """Compare graphs of one operator; counts of values by operator, nodes, and nodes left out."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        graph = random_graph(np.random.default_rng([seed, len(formats)]), ops=[op], max_nodes=4, formats=formats)
        compare(graph, random_inputs(graph, np.random.default_rng(seed), 2), seen)
    return seen


@pytest.mark.sample(2)
@pytest.mark.parametrize("formats", ["fixed", "mixed", "minifloat"])
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_random_nodes(op: str, formats: str) -> None:
    seen = compare_many(op, formats, range(GRAPHS))
    assert seen[op] > (80 if op == "within" else 300), seen  # a single code for each sample
    assert seen["too wide for float64"] < 0.35 * seen["nodes"], seen


@pytest.mark.heavy
@pytest.mark.parametrize("formats", ["fixed", "mixed", "minifloat"])
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_many_random_nodes(op: str, formats: str) -> None:
    assert compare_many(op, formats, range(1000, 1000 + 6 * GRAPHS))[op] > (480 if op == "within" else 2000)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int) -> None:
    seen: Counter[str] = Counter()
    graph = random_graph(np.random.default_rng(seed + 500), max_nodes=20, formats=("fixed", "mixed")[seed % 2])
    compare(graph, random_inputs(graph, np.random.default_rng(seed), 2), seen)
    assert seen["nodes"] > 0


@pytest.mark.parametrize("op", sorted(ARITHMETIC))
def test_the_comparison_can_fail(op: str) -> None:
    """Another rounding rule must be seen by some graph of each operator that rounds."""
    for seed in range(60):
        graph = random_graph(np.random.default_rng(seed), ops=[op], max_nodes=3)
        nodes = tuple(
            Node(n.op, n.name, n.inputs, n.outputs, {**n.attrs, "rounding": "floor"}, n.source) if n.op == op else n
            for n in graph.nodes
        )
        codes = random_inputs(graph, np.random.default_rng(seed), 2)
        trace, ranges = reference(graph.replace(nodes=nodes), codes), analyse(graph)
        for node in graph.nodes:
            ins, outs = graph.ins(node), graph.outs(node)
            if node.op == op and exact_in_float64(node, ins, [ranges.values[v.name] for v in ins]):
                given = [v.data if v.data is not None else trace[v.name] for v in ins]
                if not np.array_equal(trace[node.outputs[0]], expected(node, ins, outs, given)):
                    return
    pytest.fail(f"no graph of {op} notices that its rounding rule was changed")


def test_sums_too_wide_for_float64_are_exact() -> None:
    """Python's own integers where float64 gives up: 32-bit inputs and weights, sums near 2**62."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("wide")
    x = b.input("x", (3,), FixedPoint(31))
    w = b.constant("w", rng.integers(-(1 << 29), 1 << 29, (4, 3)), FixedPoint(30))
    y = b.node("linear", "y", (x, w), FixedPoint(32, -28), rounding="half_even")
    graph = b.build([y])
    assert analyse(graph).accumulators["y"].bits > 60
    codes = rng.integers(-(1 << 30), 1 << 30, (50, 3))
    codes[0], codes[1] = -(1 << 30), (1 << 30) - 1
    got = reference(graph, {"x": codes})["y"]
    for row, out in zip(codes, got, strict=True):
        for weights, code in zip(graph.values["w"].data, out, strict=True):
            total = sum(int(a) * int(c) for a, c in zip(row, weights, strict=True))
            down, rest = total >> 28, total & ((1 << 28) - 1)
            down += rest > 1 << 27 or (rest == 1 << 27 and down & 1)
            assert int(code) == max(-(1 << 31), min((1 << 31) - 1, down))


def test_macs_by_hand() -> None:
    b = GraphBuilder("macs")
    x = b.input("x", (8, 6, 4), FixedPoint(8))
    w = b.constant("w", np.ones((10, 3, 3, 2), dtype=int), FixedPoint(2))
    attrs = {"stride": (2, 1), "padding": (1, 1, 0, 0), "dilation": (1, 1), "groups": 2}
    y = b.node("conv", "conv", (x, w), FixedPoint(8), **attrs)
    t = b.constant("t", np.ones((6, 2, 2, 5), dtype=int), FixedPoint(2))
    z = b.node("conv_transpose", "up", (y, t), FixedPoint(8), **attrs, output_padding=(0, 0))
    m = b.node("mul", "mul", (z, z), FixedPoint(8))
    graph = b.build([m])
    found = {n.name: operator(n.op).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes}
    # 4x4 outputs x 10 channels x 3x3x2; each of 4x4 inputs x 10 channels meets 2x2 taps x 3 outputs of its group.
    assert found["conv"] == 4 * 4 * 10 * 18
    assert found["up"] == 4 * 4 * 10 * 2 * 2 * 3
    assert found["mul"] == graph.values["mul"].size
