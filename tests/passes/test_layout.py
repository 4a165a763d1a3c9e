"""Transposes: hoisted into inputs and outputs, folded into weights, sunk through arithmetic, cancelled."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, count, same_answers

from edgeq.formats import FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder, Node, Value
from edgeq.passes import optimise
from edgeq.passes.layout import remove_transposes
from edgeq.verify.random_graphs import random_graph

S8 = FixedPoint(8, 4)


def test_input_is_laid_out_as_its_readers_want_it() -> None:
    b = GraphBuilder("nchw")
    x = b.input("x", (3, 4, 5), S8, (1, 2, 0))
    a = b.node("transpose", "a", [x], S8, permutation=(2, 0, 1))
    c = b.node("transpose", "c", [x], S8, permutation=(2, 0, 1))
    graph = b.build([b.node("mul", "y", [a, c], S8)])
    after = remove_transposes(graph)
    assert [n.op for n in after.nodes] == ["mul"]
    assert after.values["x"].shape == (5, 3, 4)
    assert "x" not in after.layouts  # the user's own order, it turns out
    assert_kept(graph, after)


def test_input_with_another_reader_stays() -> None:
    b = GraphBuilder("two")
    x = b.input("x", (3, 4), S8)
    a = b.node("transpose", "a", [x], S8, permutation=(1, 0))
    b.node("requantise", "r", [x], S8, hi=3)
    graph = b.build([b.node("softmax", "s", [a, b.constant("t", [9, 4, 1], FixedPoint(8))], S8, axis=0), "r"])
    after = remove_transposes(graph)
    assert after.values["x"].shape == (3, 4)
    assert_kept(graph, after)


def test_output_is_laid_out_as_it_was_before() -> None:
    b = GraphBuilder("out")
    x = b.input("x", (3, 4, 5), S8)
    v = b.node("requantise", "v", [x], FixedPoint(4, 1), hi=5)
    graph = b.build([b.node("transpose", "y", [v], FixedPoint(4, 1), permutation=(2, 0, 1))], {"y": (1, 0, 2)})
    after = remove_transposes(graph)
    assert [n.outputs for n in after.nodes] == [("y",)]
    assert after.values["y"].shape == (3, 4, 5)
    assert_kept(graph, after)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("flat", [(60,), (1, 60)])
def test_flatten_of_nchw_goes_into_the_weights(per_channel: bool, flat: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("flatten")
    x = b.input("x", (4, 5, 3), S8)
    v = b.node("requantise", "v", [x], S8, hi=100)
    v = b.node("transpose", "t", [v], S8, permutation=(2, 0, 1))
    v = b.node("reshape", "flat", [v], S8, shape=flat)
    fmt = FixedPoint(8, (5, 6), True, 0) if per_channel else FixedPoint(8, 5)
    w = b.constant("w", rng.integers(-128, 128, (2, 60)), fmt)
    bias = b.constant("bias", [100, -100], FixedPoint(16, 9))
    graph = b.build([b.node("linear", "fc", [v, w, bias], S8)])
    after = remove_transposes(graph)
    assert [n.op for n in after.nodes] == ["requantise", "reshape", "linear"]
    assert after.nodes[2].inputs == ("flat_untransposed", "w", "bias")
    assert_kept(graph, after)
    # The permuted weights matter: the old ones in the new graph answer something else.
    wrong = after.replace(values={**after.values, "w": graph.values["w"]})
    assert not same_answers(graph, wrong)


def test_shared_weights_are_not_changed_for_others() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("shared")
    x = b.input("x", (3, 4), S8)
    v = b.node("requantise", "v", [x], S8, hi=100)
    t = b.node("transpose", "t", [v], S8, permutation=(1, 0))
    t = b.node("reshape", "flat", [t], S8, shape=(12,))
    u = b.node("reshape", "straight", [v], S8, shape=(12,))
    w = b.constant("w", rng.integers(-128, 128, (2, 12)), FixedPoint(8, 5))
    graph = b.build([b.node("linear", "a", [t, w], S8), b.node("linear", "b", [u, w], S8)])
    after = remove_transposes(graph)
    assert count(after, "transpose") == 0
    assert_kept(graph, after)


def sandwich(op: str, operands: int = 1, **attrs: Attr) -> Graph:
    """conv-like layer, transposes around one operator, another layer: what a channels-first exporter leaves."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("sandwich")
    x = b.input("x", (4, 3, 6), S8)
    names = []
    for i in range(operands):
        v = b.node("requantise", f"v{i}", [x], S8, hi=100 - i)
        names.append(b.node("transpose", f"t{i}", [v], S8, permutation=(2, 0, 1)))
    if op == "table":
        names.append(b.constant("entries", rng.integers(-128, 128, 256), S8))
    if op == "softmax":
        names.append(b.constant("entries", 255 >> np.arange(8), FixedPoint(8, 0, False)))
    if op == "constant":
        op = "mul"
        names.append(b.constant("c", rng.integers(-9, 9, (4, 1)), S8))
    out = FixedPoint(16, 0) if op == "argmax" else S8
    y = b.node(op, "middle", names, out, **attrs)
    rank = len(b.values[y].shape)
    y = b.node("transpose", "back", [y], out, permutation=(1, 2, 0) if rank == 3 else tuple(range(rank))[::-1])
    return b.build([b.node("requantise", "y", [y], out, hi=90), x])


@pytest.mark.parametrize(
    ("op", "operands", "attrs"),
    [
        ("requantise", 1, {"lo": 0}),
        ("table", 1, {}),
        ("add", 2, {}),
        ("sub", 2, {}),
        ("mul", 2, {}),
        ("constant", 1, {}),
        ("concat", 3, {"axis": 0}),
        ("pad", 1, {"padding": (0, 0, 1, 2, 3, 0), "mode": "constant"}),
        ("slice", 1, {"begin": (0, 1, 0), "end": (6, 4, 2), "step": (2, 1, 1)}),
        ("softmax", 1, {"axis": 0}),
        ("mean", 1, {"axes": (1, 2), "keep_axes": 1}),
        ("argmax", 1, {"axis": 0, "keep_axes": 1}),
    ],
)
def test_transposes_meet_and_cancel(op: str, operands: int, attrs: dict[str, Attr]) -> None:
    before = sandwich(op, operands, **attrs)
    after = optimise(before)
    assert count(after, "transpose") == 0
    assert_kept(before, after)


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("mean", {"axes": (0,), "keep_axes": 0}),
        ("argmax", {"axis": 1, "keep_axes": 0}),
        ("mean", {"axes": (0, 1, 2), "keep_axes": 0}),
    ],
)
def test_axes_that_vanish(op: str, attrs: dict[str, Attr]) -> None:
    before = sandwich(op, 1, **attrs)
    assert_kept(before, optimise(before))
    assert_kept(before, remove_transposes(before))


def test_x_plus_x_sinks() -> None:
    b = GraphBuilder("twice")
    x = b.input("x", (2, 3), S8)
    v = b.node("requantise", "v", [x], S8, hi=9)
    t = b.node("transpose", "t", [v], S8, permutation=(1, 0))
    graph = b.build([b.node("add", "y", [t, t], S8), x])
    after = remove_transposes(graph)
    assert count(after, "transpose") == 0
    assert_kept(graph, after)


def test_broadcast_constant_of_more_axes_stays() -> None:
    b = GraphBuilder("more")
    x = b.input("x", (2, 3), S8)
    t = b.node("transpose", "t", [b.node("requantise", "v", [x], S8, hi=9)], S8, permutation=(1, 0))
    c = b.constant("c", np.arange(24).reshape(4, 3, 2), S8)
    graph = b.build([b.node("add", "y", [t, c], S8)])
    assert_kept(graph, remove_transposes(graph))


def with_detours(graph: Graph, rng: np.random.Generator) -> tuple[Graph, int]:
    """After many nodes the axes are permuted and permuted back: what must cancel again."""
    nodes, values, added = [], dict(graph.values), 0
    for node in graph.nodes:
        out = graph.outs(node)[0]
        rank = len(out.shape)
        if rank < 2 or rng.random() < 0.4:
            nodes.append(node)
            continue
        order = tuple(int(i) for i in rng.permutation(rank))
        back = tuple(int(i) for i in np.argsort(order))
        names = [f"{out.name}_plain", f"{out.name}_turned"]
        values[names[0]] = Value(names[0], out.shape, out.format)
        values[names[1]] = Value(names[1], tuple(out.shape[p] for p in order), out.format)
        nodes.append(Node(node.op, node.name, node.inputs, (names[0],), node.attrs, node.source))
        nodes.append(Node("transpose", f"{node.name}_there", (names[0],), (names[1],), {"permutation": order}))
        nodes.append(Node("transpose", f"{node.name}_back", (names[1],), node.outputs, {"permutation": back}))
        added += 2
    return graph.replace(nodes=tuple(nodes), values=values), added


def test_random_graphs_with_detours() -> None:
    added = left = 0
    for seed in range(50):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), formats=kind, max_nodes=8)
        detour, more = with_detours(graph, np.random.default_rng(seed))
        after = optimise(detour)
        assert_kept(graph, after, seed)
        assert_kept(detour, remove_transposes(detour), seed)
        added += more
        left += max(0, count(after, "transpose") - count(optimise(graph), "transpose"))
    assert added > 100
    assert left == 0


def test_random_graphs_of_transposes() -> None:
    removed = 0
    ops = ["transpose", "reshape", "linear", "add", "mul", "requantise", "mean", "concat", "softmax", "argmax", "pad"]
    for seed in range(100):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), ops=[*ops, "slice", "table"], formats=kind)
        after = remove_transposes(graph)
        assert_kept(graph, after, seed)
        removed += count(graph, "transpose") - count(after, "transpose")
    assert removed > 15
