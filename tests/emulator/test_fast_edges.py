"""Every fast twin at the ends of its float type, and proof that a fault in any twin would be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgeq.emulator import Executor, reference
from edgeq.emulator import ops as twins
from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin
from edgeq.formats import RULES, FixedPoint
from edgeq.ir import OPERATORS, Attr, Graph, GraphBuilder
from edgeq.verify.random_graphs import random_graph, random_inputs

WINDOW: dict[str, Attr] = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1)}
#: input widths around which products and sums below cross 2**24 and 2**53
WIDTHS = (7, 8, 9, 10, 11, 12, 16, 20, 21, 22, 23, 24, 25, 26, 28, 30, 31, 32)


def graph_of(op: str, width: int, rule: str) -> Graph:
    """One node of `op` on inputs of `width` bits, its output 5 bits coarser than the exact result."""
    b = GraphBuilder(op)
    fmt = FixedPoint(width, 0)
    x = b.input("x", (4, 4, 6), fmt)
    wide = FixedPoint(8 if width < 16 else 24, 0)
    top = wide.code_range[1]
    stage: dict[str, Attr] = {"rounding": rule}
    out = FixedPoint(32, -5)
    if op in ("conv", "depthwise", "grouped", "conv_transpose"):
        groups = {"depthwise": 6, "grouped": 2}.get(op, 1)
        w = b.constant("w", np.full((6, 3, 3, 6 // groups), top), wide)
        bias = b.constant("bias", np.full(6, -1), FixedPoint(32, 0))
        more: dict[str, Attr] = {**WINDOW, "groups": groups}
        if op == "conv_transpose":
            more["output_padding"] = (0, 0)
        name = op if op == "conv_transpose" else "conv"
        return b.build([b.node(name, "y", [x, w, bias], out, **more, **stage)])
    if op == "linear":
        w = b.constant("w", np.full((3, 6), -top), wide)
        return b.build([b.node("linear", "y", [x, w], out, **stage)])
    if op == "matmul":
        other = b.input("other", (4, 6, 5), wide)
        return b.build([b.node("matmul", "y", [x, other], out, **stage)])
    if op in ("add", "sub", "mul", "concat", "maximum", "minimum", "prelu"):
        other = b.input("other", (4, 4, 6), FixedPoint(min(width, 30), -2 if op not in ("mul", "prelu") else 0))
        axis: dict[str, Attr] = {"axis": 2} if op == "concat" else {}
        return b.build([b.node(op, "y", [x, other], out, **axis, **stage)])
    attrs: dict[str, dict[str, Attr]] = {
        "mean": {"axes": (0, 2), "keep_axes": 0},
        "sum": {"axes": (0, 2), "keep_axes": 0},
        "mean of 16": {"axes": (0, 1), "keep_axes": 0},
        "average_pool": {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 0, 1, 1), "include_pad": 0},
        "average_pool of 4": {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0, 0, 0), "include_pad": 1},
        "requantise": {},
    }
    return b.build([b.node(op.split()[0], "y", [x], FixedPoint(32, -1), **attrs[op], **stage)])


OPS = (
    "add", "average_pool", "average_pool of 4", "concat", "conv", "conv_transpose", "depthwise", "grouped", "linear",
    "matmul", "maximum", "mean", "mean of 16", "minimum", "mul", "prelu", "requantise", "sub", "sum",
)  # fmt: skip


def edge_inputs(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All least, all greatest, near them (so that sums are odd), and random codes."""
    found = {}
    for name in graph.inputs:
        value = graph.values[name]
        lo, hi = value.format.code_range
        near = rng.integers(0, min(64, hi - lo), (12, *value.shape))
        half = np.where(rng.random((4, *value.shape)) < 0.5, lo, hi)
        ends = np.stack([np.full(value.shape, lo), np.full(value.shape, hi)])
        any_code = rng.integers(lo, hi, (6, *value.shape), endpoint=True)
        found[name] = np.concatenate([ends, lo + near, hi - near, half, any_code])
    return found


@pytest.mark.parametrize("op", OPS)
def test_twin_equals_reference_as_sums_outgrow_each_float(op: str) -> None:
    used = set()
    for width in WIDTHS:
        for rule in RULES:
            graph = graph_of(op, width, rule)
            fast = Executor(graph)
            used.add(fast.arithmetic["y"])
            inputs = edge_inputs(graph, np.random.default_rng(width))
            assert np.array_equal(fast.trace(inputs)["y"], reference(graph, inputs)["y"]), (width, rule)
    # The widths cross the end of float32 for every operator, and of float64 for those that multiply.
    products = ("conv", "conv_transpose", "depthwise", "grouped", "linear", "matmul", "mul", "prelu")
    assert {"float32", "float64"} | ({"int64"} if op in products else set()) <= used


def faulty(compile_op: Callable[[Job], Twin | None]) -> Callable[[Job], Twin | None]:
    """A twin that gets one element of the last sample wrong by one step."""

    def compiled(job: Job) -> Twin | None:
        twin = compile_op(job)
        if twin is None:
            return None

        def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
            out = twin.kernel(xs, scratch).copy()
            last = out.reshape(-1)
            lo, _ = job.out.format.grid_range
            last[-1] = last[-1] - 1 if last[-1] > lo else last[-1] + 1
            return out

        return Twin(kernel, twin.arithmetic)

    return compiled


@pytest.mark.parametrize("op", sorted(twins.FAST))
def test_a_fault_in_any_twin_is_seen(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(np.random.default_rng(5), ops=[op], max_nodes=1)
    inputs = random_inputs(graph, np.random.default_rng(0), 4)
    name = next(n.outputs[0] for n in graph.nodes if n.op == op)
    want = reference(graph, inputs)[name]
    assert np.array_equal(Executor(graph).trace(inputs)[name], want)
    monkeypatch.setitem(twins.FAST, op, faulty(twins.FAST[op]))
    assert not np.array_equal(Executor(graph).trace(inputs)[name], want)


def test_each_operator_with_a_twin_uses_it() -> None:
    """A twin that always gives way to the reference would be no twin."""
    assert OPERATORS.keys() == twins.FAST.keys() | twins.REFERENCE
    for op in twins.FAST:
        found = set()
        for seed in range(6):
            graph = random_graph(np.random.default_rng(seed), ops=[op], max_nodes=2)
            arithmetic = Executor(graph).arithmetic
            found |= {arithmetic[n.name] for n in graph.nodes if n.op == op}
        assert found - {"int64"}, op
