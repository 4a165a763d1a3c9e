"""What an element is computed from: perturbing anything else must leave it alone, and every operator is covered."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.formats import FixedPoint
from edgeq.ir import OPERATORS, Graph, GraphBuilder, operator
from edgeq.verify.dependencies import dependencies

S8 = FixedPoint(8, 4)
WIDE = FixedPoint(24, 8)


def _one(op: str, shapes: list[tuple[int, ...]], constants: list[tuple[int, ...]] = [], out=WIDE, **attrs) -> Graph:  # type: ignore[no-untyped-def] # noqa: B006
    """A graph of one node with random operands."""
    rng = np.random.default_rng(7)
    b = GraphBuilder(op)
    names = [b.input(f"x{i}", shape, S8) for i, shape in enumerate(shapes)]
    names += [b.constant(f"c{i}", rng.integers(-99, 100, shape), S8) for i, shape in enumerate(constants)]
    return b.build([b.node(op, "y", names, out, **attrs)])


WINDOW = {"stride": (2, 1), "padding": (1, 0, 1, 2), "dilation": (1, 2)}
CASES = {
    "add": _one("add", [(3, 4), (4,)]),
    "sub": _one("sub", [(3, 1), (3, 4)]),
    "mul": _one("mul", [(2, 3), (3,)]),
    "argmax": _one("argmax", [(3, 5)], out=FixedPoint(8, 0), axis=1, keep_axes=0),
    "average_pool": _one(
        "average_pool", [(5, 6, 2)], kernel=(3, 2), stride=(2, 1), padding=(1, 1, 0, 1), include_pad=0
    ),
    "concat": _one("concat", [(2, 3), (2, 2)], axis=1),
    "conv": _one("conv", [(5, 7, 4)], [(6, 3, 2, 2), (6,)], groups=2, **WINDOW),
    "conv_transpose": _one(
        "conv_transpose", [(3, 4, 4)], [(6, 3, 2, 2), (6,)], groups=2, output_padding=(1, 0), **WINDOW
    ),
    "gather": _one("gather", [(3, 2, 4)], out=S8, axes=(0, 2), sizes=(4, 2), indices=(2, 2, 0, 1, 3, 0)),
    "linear": _one("linear", [(2, 5)], [(3, 5), (3,)]),
    "matmul": _one("matmul", [(2, 3, 4), (2, 4, 5)]),
    "max_pool": _one(
        "max_pool", [(5, 6, 2)], out=S8, kernel=(3, 2), stride=(2, 1), padding=(1, 1, 0, 1), dilation=(1, 1)
    ),
    "maximum": _one("maximum", [(3, 4), (4,)]),
    "minimum": _one("minimum", [(3, 4), (3, 1)]),
    "prelu": _one("prelu", [(3, 4), (4,)]),
    "sum": _one("sum", [(3, 4, 2)], axes=(0, 2), keep_axes=1),
    "mean": _one("mean", [(3, 4, 2)], axes=(0, 1), keep_axes=0),
    "pad": _one("pad", [(4, 3)], out=S8, padding=(2, 1, 1, 2), mode="reflect"),
    "requantise": _one("requantise", [(3, 2)]),
    "reshape": _one("reshape", [(3, 4)], out=S8, shape=(2, 6)),
    "resize_bilinear": _one(
        "resize_bilinear",
        [(3, 2, 2)],
        size=(2, 3),
        low=(0, 1, 0, 1, 0),
        high=(1, 2, 1, 0, 1),
        weight=(3, 8, 0, 5, 4),
        bits=3,
    ),
    "resize_nearest": _one("resize_nearest", [(3, 2, 2)], out=S8, size=(5, 3)),
    "slice": _one("slice", [(6, 5)], out=S8, begin=(1, 0), end=(6, 4), step=(2, 3)),
    "select": None,
    "sigmoid_lines": None,
    "softmax": None,
    "softmax_lines": None,
    "softmax_reciprocal": None,
    "table": None,
    "transpose": _one("transpose", [(2, 3, 4)], out=S8, permutation=(2, 0, 1)),
    "within": _one("within", [(2, 3)], out=FixedPoint(1, 0, False), least=-50, most=55),
}


def _softmax() -> Graph:
    b = GraphBuilder("softmax")
    x = b.input("x0", (2, 4), S8)
    t = b.constant("t", np.rint(4096 * np.exp(-np.arange(64) / 16)), FixedPoint(16, 0, False))
    return b.build([b.node("softmax", "y", (x, t), FixedPoint(16, 15, False), axis=1)])


def _softmax_reciprocal() -> Graph:
    b = GraphBuilder("softmax_reciprocal")
    x = b.input("x0", (2, 4), S8)
    t = b.constant("t", np.rint((2**31 - 1) * np.exp(-np.arange(64) / 16)), FixedPoint(32, 31))
    return b.build([b.node("softmax_reciprocal", "y", (x, t), FixedPoint(16, 16, False), axis=1)])


def _softmax_lines() -> Graph:
    b = GraphBuilder("softmax_lines")
    x = b.input("x0", (2, 4), S8)
    e = b.constant("t", np.rint(32767 * np.exp(np.linspace(-10, 0, 513))), FixedPoint(16, 15))
    r = b.constant("t_r", np.rint(32767 / (1 + np.linspace(0, 1, 513))), FixedPoint(16, 15))
    attrs = {"axis": 1, "distance_multiplier": 1 << 30, "distance_shift": 22}
    return b.build([b.node("softmax_lines", "y", (x, e, r), FixedPoint(16, 15), **attrs)])


def _sigmoid_lines() -> Graph:
    b = GraphBuilder("sigmoid_lines")
    x = b.input("x0", (2, 4), S8)
    t = b.constant("t", np.rint(65535 / (1 + np.exp(-np.arange(256) / 24))), FixedPoint(16, 16, False))
    attrs = {"function": "tanh", "argument_multiplier": 99, "argument_shift": 0}
    return b.build([b.node("sigmoid_lines", "y", (x, t), FixedPoint(16, 15), **attrs)])


def _table() -> Graph:
    b = GraphBuilder("table")
    x = b.input("x0", (2, 4), S8)
    t = b.constant("t", np.arange(-128, 128), WIDE)
    return b.build([b.node("table", "y", (x, t), WIDE)])


def _select() -> Graph:
    b = GraphBuilder("select")
    names = [b.input("x0", (1,), FixedPoint(1, 0, False)), b.input("x1", (2, 3), S8), b.input("x2", (2, 3), S8)]
    return b.build([b.node("select", "y", names, S8)])


CASES["softmax"], CASES["softmax_reciprocal"], CASES["table"] = _softmax(), _softmax_reciprocal(), _table()
CASES["sigmoid_lines"], CASES["softmax_lines"] = _sigmoid_lines(), _softmax_lines()
CASES["select"] = _select()


def test_every_operator_has_a_case() -> None:
    assert CASES.keys() == OPERATORS.keys()


@pytest.mark.parametrize("op", sorted(CASES))
def test_only_the_named_elements_matter(op: str) -> None:
    """Change all other elements: y stays. Change the named ones: y moves (where the operator is not selective)."""
    net = CASES[op]
    assert net is not None
    node = net.nodes[0]
    ins, outs = net.ins(node), net.outs(node)
    rng = np.random.default_rng(11)
    indices = list(np.ndindex(*outs[0].shape))
    for index in [indices[0], indices[-1], *(indices[int(i)] for i in rng.integers(0, len(indices), 4))]:
        parts = dependencies(node, ins, index)
        base = [v.data if v.data is not None else rng.integers(-60, 61, (1, *v.shape)) for v in ins]
        y = operator(op).evaluate(node, ins, outs, base)[0][(0, *index)]
        for i, value in enumerate(ins):
            if value.name.startswith("t"):
                continue  # a table is read at one entry, which dependencies do not list
            named = np.zeros(value.shape, dtype=bool)
            for at in parts.get(i, []):
                named[at] = True
            other = [a.copy() for a in base]
            changed = np.where(named, base[i], rng.integers(-60, 61, base[i].shape))
            other[i] = changed
            assert operator(op).evaluate(node, ins, outs, other)[0][(0, *index)] == y
        if (
            op not in ("argmax", "max_pool", "maximum", "minimum", "prelu", "select", "within")
            and 0 in parts
            and parts[0]
        ):
            moved = [a.copy() for a in base]
            for at in parts[0]:
                moved[0][(0, *at)] += 40 if not op.startswith("softmax") or at == index else 0
            assert (operator(op).evaluate(node, ins, outs, moved)[0][(0, *index)] == y) == (
                op == "mul" and not base[1].any()
            )
