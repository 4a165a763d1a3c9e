"""Constant folding: constants of constants, values that the ranges pin down, tables of tables."""

from __future__ import annotations

import numpy as np
from equivalence import assert_kept, count

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import GraphBuilder
from edgeq.passes.fold_constants import fold_constants
from edgeq.verify.random_graphs import random_graph

S8 = FixedPoint(8, 4)


def test_layer_without_weights_is_its_bias() -> None:
    b = GraphBuilder("zero")
    x = b.input("x", (4, 4, 3), S8)
    w = b.constant("w", np.zeros((2, 3, 3, 3)), S8)
    bias = b.constant("b", [37, -90], FixedPoint(16, 8))
    v = b.node("conv", "conv", [x, w, bias], FixedPoint(8, 6), stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1),
               groups=1, rounding="half_even")  # fmt: skip
    v = b.node(
        "max_pool", "pool", [v], FixedPoint(8, 6), kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(1, 1)
    )
    y = b.node("slice", "part", [x], S8, begin=(0, 0, 0), end=(2, 2, 2), step=(1, 1, 1))
    graph = b.build([b.node("add", "y", [y, v], FixedPoint(12, 6))])
    after = fold_constants(graph)
    assert [n.op for n in after.nodes] == ["slice", "add"]
    assert after.values["pool"].constant
    assert after.values["pool"].data[0, 0].tolist() == [9, -22]  # type: ignore[index]
    assert_kept(graph, after)


def test_value_pinned_by_bounds() -> None:
    b = GraphBuilder("pinned")
    x = b.input("x", (3,), S8)
    v = b.node("requantise", "v", [x], S8, lo=5, hi=5)
    graph = b.build([b.node("mul", "y", [x, v], FixedPoint(16, 8))])
    after = fold_constants(graph)
    assert after.values["v"].data.tolist() == [5, 5, 5]  # type: ignore[union-attr]
    assert_kept(graph, after)


def test_outputs_and_what_would_leave_only_constants_stay() -> None:
    b = GraphBuilder("answer")
    x = b.input("x", (3,), S8)
    graph = b.build([b.node("requantise", "y", [x], S8, lo=5, hi=5)])
    assert fold_constants(graph) is graph
    b = GraphBuilder("answer")
    x = b.input("x", (3,), S8)
    v = b.node("requantise", "v", [x], S8, lo=5, hi=5)
    w = b.node("pad", "w", [v], S8, padding=(1, 1), mode="constant")
    graph = b.build([b.node("requantise", "y", [w], FixedPoint(8, 2))])
    assert fold_constants(graph) is graph


def test_large_constants_are_not_made() -> None:
    b = GraphBuilder("large")
    x = b.input("x", (5000,), S8)
    v = b.node("requantise", "v", [x], S8, lo=5, hi=5)
    graph = b.build([b.node("mul", "y", [x, v], FixedPoint(16, 8))])
    assert fold_constants(graph) is graph


def test_negative_zeros_are_not_a_constant_zero() -> None:
    fmt = NAMED["e2m1"]
    b = GraphBuilder("zeros")
    x = b.input("x", (3,), FixedPoint(4, 0))
    t = b.constant("t", [0, 8] * 8, fmt)
    v = b.node("table", "v", [x, t], fmt)
    graph = b.build([b.node("reshape", "y", [v], fmt, shape=(3, 1)), b.node("concat", "z", [v, x], S8, axis=0)])
    assert fold_constants(graph) is graph


def test_two_tables_are_one() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("tables")
    x = b.input("x", (9,), FixedPoint(4, 0))
    first = b.constant("first", rng.integers(-64, 64, 16), FixedPoint(7, 2))
    second = b.constant("second", rng.integers(0, 16, 128), NAMED["e2m1"])
    v = b.node("table", "v", [x, first], FixedPoint(7, 2), function="tanh")
    graph = b.build([b.node("table", "y", [v, second], NAMED["e2m1"], function="gelu")])
    after = fold_constants(graph)
    assert [(n.op, n.attrs["function"]) for n in after.nodes] == [("table", "gelu of tanh")]
    assert_kept(graph, after, samples=64)


def test_random_graphs() -> None:
    removed = 0
    for seed in range(120):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        ops = ["requantise", "linear", "table", "mul", "concat", "pad", "reshape", "argmax", "conv"]
        graph = random_graph(np.random.default_rng(seed), ops=ops, formats=kind)
        after = fold_constants(graph)
        assert_kept(graph, after, seed)
        removed += len(graph.nodes) - len(after.nodes)
        assert count(after, "table") <= count(graph, "table")
    assert removed >= 8
