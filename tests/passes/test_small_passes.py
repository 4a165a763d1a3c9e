"""Dead code, bypassed and hoisted requantises: they fire where they may, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, count

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.passes.bypass_requantise import bypass_requantise
from edgeq.passes.dead_code import remove_dead_code
from edgeq.passes.hoist_requantise import hoist_requantise
from edgeq.verify.random_graphs import random_graph

S8 = FixedPoint(8, 4)
POOL: dict[str, Attr] = {"kernel": (2,), "stride": (2,), "padding": (0, 1), "dilation": (1,)}


def test_dead_code_goes_and_inputs_stay() -> None:
    b = GraphBuilder("dead")
    x, unused = b.input("x", (3,), S8), b.input("unused", (3,), S8)
    b.node("add", "dead", [x, b.constant("c", [1, 2, 3], S8)], S8)
    b.node("mul", "deader", ["dead", unused], S8)
    graph = b.build([b.node("requantise", "y", [x], S8, lo=0)])
    after = remove_dead_code(graph)
    assert [n.name for n in after.nodes] == ["y"]
    assert set(after.values) == {"x", "unused", "y"}
    assert_kept(graph, after)
    assert remove_dead_code(after) is after


def widened(fmt: FixedPoint, reader: str, **attrs: Attr) -> Graph:
    b = GraphBuilder("wide")
    x, other = b.input("x", (4, 3), S8), b.input("other", (4, 3), FixedPoint(16, 9))
    v = b.node("requantise", "v", [x], fmt, **attrs)
    if reader == "table":
        names = [v, b.constant("t", np.arange(1 << fmt.bits) % 256 - 128, S8)]
    elif reader == "linear":
        w = b.constant("w", [[1, 2, 3], [4, 5, 6]], S8)
        names = [v, w, b.constant("bias", [300, -300], FixedPoint(16, 12))]
    else:
        names = [v, other] if reader in ("add", "concat") else [v]
    more: dict[str, dict[str, Attr]] = {"concat": {"axis": 0}, "mean": {"axes": (0,), "keep_axes": 1}}
    return b.build([b.node(reader, "y", names, S8, **more.get(reader, {})), other])


@pytest.mark.parametrize("reader", ["add", "concat", "mean", "requantise"])
def test_widening_is_bypassed(reader: str) -> None:
    before = widened(FixedPoint(16, 9), reader)
    after = bypass_requantise(before)
    assert [n.op for n in after.nodes] == [reader]
    assert_kept(before, after)


@pytest.mark.parametrize(
    "before",
    [
        widened(FixedPoint(10, 5), "table"),  # reads codes
        widened(FixedPoint(16, 3), "add"),  # rounds
        widened(FixedPoint(8, 5), "add"),  # saturates
        widened(FixedPoint(16, 9, False), "add"),  # a ReLU
        widened(FixedPoint(16, 9), "add", hi=1000),  # a clip
        widened(FixedPoint(16, 9), "linear"),  # the bias would be finer than the products
    ],
    ids=["codes", "rounds", "saturates", "relu", "clip", "bias"],
)
def test_requantise_that_matters_stays(before: Graph) -> None:
    assert bypass_requantise(before) is before


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("max_pool", POOL),
        ("reshape", {"shape": (2, 10)}),
        ("transpose", {"permutation": (1, 0)}),
        ("pad", {"padding": (1, 2, 0, 1), "mode": "constant", "value": 37}),
        ("pad", {"padding": (1, 2, 0, 1), "mode": "constant"}),
        ("resize_nearest", {"size": (7,)}),
        ("slice", {"begin": (1, 0), "end": (4, 4), "step": (2, 3)}),
    ],
)
@pytest.mark.parametrize("last", [FixedPoint(4, 1, False), FixedPoint(5, 2), NAMED["e2m1"].per_tensor(1)], ids=str)
def test_requantise_moves_up_into_the_arithmetic(op: str, attrs: dict[str, Attr], last: FixedPoint) -> None:
    b = GraphBuilder("hoist")
    x = b.input("x", (5, 4), S8)
    y = b.node("mul", "v", [x, b.constant("c", [3, -5, 7, 9], S8)], FixedPoint(16, 8))
    y = b.node(op, "moved", [y], FixedPoint(16, 8), **attrs)
    before = b.build([b.node("requantise", "y", [y], last, lo=1, rounding="half_even")])
    after = hoist_requantise(before)
    assert [n.op for n in after.nodes] == ["mul", op]
    assert_kept(before, after, samples=60)


def test_requantise_passes_two_movements() -> None:
    b = GraphBuilder("hoist")
    x = b.input("x", (6, 4), S8)
    y = b.node("mul", "v", [x, x], FixedPoint(16, 8))
    y = b.node("max_pool", "pool", [y], FixedPoint(16, 8), **POOL)
    y = b.node("reshape", "flat", [y], FixedPoint(16, 8), shape=(12,))
    before = b.build([b.node("requantise", "relu", [y], S8, lo=0)])
    after = hoist_requantise(before)
    assert [n.op for n in after.nodes] == ["mul", "max_pool", "reshape"]
    assert after.nodes[0].attrs["lo"] == 0
    assert_kept(before, after)


def test_requantise_that_cannot_fuse_stays_below() -> None:
    b = GraphBuilder("stay")
    x = b.input("x", (6, 4), S8)
    y = b.node("mul", "v", [x, x], FixedPoint(16, 6))  # rounds to nearest
    y = b.node("max_pool", "pool", [y], FixedPoint(16, 6), **POOL)
    graph = b.build([b.node("requantise", "relu", [y], S8, lo=0)])
    assert hoist_requantise(graph) is graph
    b = GraphBuilder("stay")
    x = b.input("x", (6, 4), S8)
    y = b.node("max_pool", "pool", [x], S8, **POOL)  # no arithmetic above
    graph = b.build([b.node("requantise", "relu", [y], S8, lo=0)])
    assert hoist_requantise(graph) is graph


def test_random_graphs() -> None:
    fired = {"bypass": 0, "hoist": 0}
    ops = ["requantise", "mul", "add", "max_pool", "reshape", "transpose", "pad", "concat", "slice", "linear"]
    for seed in range(150):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), ops=ops, formats=kind)
        for name, run in (("bypass", bypass_requantise), ("hoist", hoist_requantise)):
            after = run(graph)
            assert_kept(graph, after, seed)
            fired[name] += count(graph, "requantise") - count(after, "requantise")
    assert min(fired.values()) > 2, fired
