"""Identity removal: what goes, what looks like an identity and is none, and what joins."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, count, same_answers

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.passes.identities import remove_identities
from edgeq.verify.random_graphs import random_graph

S8 = FixedPoint(8, 4)
E2M1 = NAMED["e2m1"]


def between_convs(op: str, size: tuple[int, ...] = (4, 5, 3), fmt: object = S8, /, **attrs: Attr) -> Graph:
    """input -> requantise to `fmt` -> op -> add with itself, so that neither border is in the way."""
    b = GraphBuilder("g")
    x = b.input("x", size, S8)
    v = b.node("requantise", "v", [x], fmt)  # type: ignore[arg-type]
    y = b.node(op, "same", [v], fmt, **attrs)  # type: ignore[arg-type]
    return b.build([b.node("add", "y", [y, y], fmt)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("reshape", {"shape": (4, 5, 3)}),
        ("transpose", {"permutation": (0, 1, 2)}),
        ("slice", {"begin": (0, 0, 0), "end": (4, 5, 3), "step": (1, 1, 1)}),
        ("pad", {"padding": (0,) * 6, "mode": "reflect"}),
        ("resize_nearest", {"size": (4, 5)}),
        ("max_pool", {"kernel": (1, 1), "stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1)}),
        ("requantise", {}),
        ("requantise", {"lo": -128, "hi": 127, "rounding": "floor"}),
        ("concat", {"axis": 1}),
        ("average_pool", {"kernel": (1, 1), "stride": (1, 1), "padding": (0,) * 4, "include_pad": 0}),
    ],
)
def test_identity_goes(op: str, attrs: dict[str, Attr]) -> None:
    before = between_convs(op, **attrs)
    after = remove_identities(before)
    assert {n.name for n in after.nodes} == {"y"}  # `v` was an identity of the input as well
    assert_kept(before, after)


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("transpose", {"permutation": (0, 2, 1)}),
        ("slice", {"begin": (0, 0, 0), "end": (4, 4, 3), "step": (1, 1, 1)}),
        ("max_pool", {"kernel": (1, 2), "stride": (1, 1), "padding": (0, 0, 0, 1), "dilation": (1, 1)}),
        ("requantise", {"hi": 126}),
        ("requantise", {"lo": -127}),
    ],
)
def test_change_stays(op: str, attrs: dict[str, Attr]) -> None:
    shape = (4, 5, 5) if op == "transpose" else (4, 5, 3)
    after = remove_identities(between_convs(op, shape, **attrs))
    assert [n.name for n in after.nodes] == ["same", "y"]


@pytest.mark.parametrize("op", ["requantise", "max_pool"])
def test_negative_zero_keeps_its_node(op: str) -> None:
    """The input may hold the code of the negative zero, which these operators turn into the positive one."""
    b = GraphBuilder("minus")
    x = b.input("x", (2, 3), E2M1)
    window: dict[str, Attr] = {"kernel": (1,), "stride": (1,), "padding": (0, 0), "dilation": (1,)}
    y = b.node(op, "same", [x], E2M1, **(window if op == "max_pool" else {}))
    graph = b.build([b.node("reshape", "y", [y], E2M1, shape=(6,))])
    assert remove_identities(graph) is graph
    dropped = graph.replace(nodes=(graph.nodes[1],), values={k: v for k, v in graph.values.items() if k != "same"})
    node = graph.nodes[1]
    dropped = dropped.replace(nodes=(type(node)(node.op, node.name, ("x",), node.outputs, node.attrs),))
    assert not same_answers(graph, dropped, samples=64)
    # After arithmetic there is none, and the node goes.
    after = remove_identities(between_convs("requantise", (4, 5, 3), E2M1))
    assert [n.name for n in after.nodes] == ["v", "y"]


def test_output_keeps_its_name_and_input_stays_input() -> None:
    b = GraphBuilder("border")
    x = b.input("x", (3,), S8)
    graph = b.build([b.node("reshape", "y", [x], S8, shape=(3,))])
    assert remove_identities(graph) is graph  # the one node between input and output
    b = GraphBuilder("border")
    x = b.input("x", (3,), S8)
    v = b.node("add", "v", [x, x], S8)
    graph = b.build([b.node("reshape", "y", [v], S8, shape=(3,))])
    after = remove_identities(graph)
    assert [(n.name, n.outputs) for n in after.nodes] == [("v", ("y",))]
    assert_kept(graph, after)


@pytest.mark.parametrize(("op", "number", "code"), [("add", 0, 0), ("sub", 0, 0), ("mul", 1, 8)])
def test_neutral_constant_is_a_requantise(op: str, number: int, code: int) -> None:
    b = GraphBuilder("neutral")
    x = b.input("x", (2, 3), S8)
    c = b.constant("c", np.full((3,), code), FixedPoint(8, 3))
    graph = b.build([b.node(op, "y", [x, c], FixedPoint(4, 1), rounding="half_even")])
    after = remove_identities(graph)
    assert [n.op for n in after.nodes] == ["requantise"]
    assert_kept(graph, after, samples=64)


def test_constant_minus_value_is_not_neutral() -> None:
    b = GraphBuilder("minus")
    x = b.input("x", (3,), S8)
    graph = b.build([b.node("sub", "y", [b.constant("c", np.zeros(3), S8), x], S8)])
    assert remove_identities(graph) is graph


def test_transposition_of_axes_of_size_one_is_a_reshape() -> None:
    b = GraphBuilder("ones")
    x = b.input("x", (1, 7, 1, 3), S8)
    graph = b.build([b.node("transpose", "y", [x], S8, permutation=(1, 2, 0, 3))])
    after = remove_identities(graph)
    assert [n.op for n in after.nodes] == ["reshape"]
    assert_kept(graph, after)


def chain(shape: tuple[int, ...], *steps: tuple[str, dict[str, Attr]]) -> Graph:
    b = GraphBuilder("chain")
    v = b.input("x", shape, S8)
    for i, (op, attrs) in enumerate(steps):
        v = b.node(op, f"n{i}", [v], S8, **attrs)
    return b.build([v])


@pytest.mark.parametrize(
    "graph",
    [
        chain((4, 6), ("reshape", {"shape": (2, 12)}), ("reshape", {"shape": (3, 8)})),
        chain((4, 6, 2), ("transpose", {"permutation": (2, 0, 1)}), ("transpose", {"permutation": (1, 0, 2)})),
        chain(
            (40, 9),
            ("slice", {"begin": (3, 1), "end": (38, 9), "step": (3, 2)}),
            ("slice", {"begin": (1, 0), "end": (10, 4), "step": (4, 3)}),
        ),
        chain(
            (3, 2),
            ("pad", {"padding": (1, 0, 0, 2), "mode": "constant", "value": 5}),
            ("pad", {"padding": (0, 3, 1, 0), "mode": "constant", "value": 5}),
        ),
    ],
    ids=["reshape", "transpose", "slice", "pad"],
)
def test_neighbours_join(graph: Graph) -> None:
    after = remove_identities(graph)
    assert len(after.nodes) == 1
    assert after.outputs == ("n1",)
    assert_kept(graph, after)


def test_pads_of_other_values_or_modes_stay_two() -> None:
    ones = ("pad", {"padding": (1, 1), "mode": "constant", "value": 1})
    for other in ({"padding": (1, 1), "mode": "constant"}, {"padding": (1, 1), "mode": "replicate"}):
        graph = chain((4,), ones, ("pad", other))  # type: ignore[arg-type]
        assert remove_identities(graph) is graph


def test_inverse_transposes_cancel() -> None:
    graph = chain(
        (4, 6, 2),
        ("requantise", {"hi": 5}),
        ("transpose", {"permutation": (2, 0, 1)}),
        ("transpose", {"permutation": (1, 2, 0)}),
        ("requantise", {"lo": 0}),
    )
    after = remove_identities(graph)
    assert count(after, "transpose") == 0
    assert_kept(graph, after)


def test_random_graphs_of_movements() -> None:
    removed = 0
    ops = ["reshape", "transpose", "slice", "pad", "requantise", "max_pool", "add", "concat", "table"]
    for seed in range(60):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), ops=ops, formats=kind)
        after = remove_identities(graph)
        assert_kept(graph, after, seed)
        removed += len(graph.nodes) - len(after.nodes)
    assert removed > 10
