"""Functions of one code: a table of all of them, made by the operator's own meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.fpga.lowering import TABLE_BITS, Codes, Lowering
from edgeq.ir import Graph, Node, Value, operator


def computed(graph: Graph, node: Node) -> list[Value]:
    """Inputs that are not constant."""
    return [v for v in graph.ins(node) if not v.constant]


def constant_operand(graph: Graph, node: Node) -> bool:
    """Whether the node is a function of one narrow code: its other operands are single constants."""
    ins = graph.ins(node)
    free = computed(graph, node)
    single = all(v.size == 1 for v in ins if v.constant)
    same = len(free) == 1 and free[0].size == graph.outs(node)[0].size
    return same and single and free[0].format.bits <= TABLE_BITS


def function_table(ctx: Lowering, node: Node) -> None:
    """A node with one computed operand, element by element, as a table."""
    (x,), out = computed(ctx.graph, node), ctx.graph.outs(node)[0]
    lanes = ctx.lanes(out)
    source = ctx.convert(ctx.of(x), lanes)
    made = ctx.table(source, out.format.bits, out.format.signed, entries(ctx.graph, node, x), "y")
    ctx.bind(out, made)


def entries(graph: Graph, node: Node, x: Value) -> Codes:
    """The output's code for each code of x by address; codes that are no number give 0."""
    fmt, count = x.format, 1 << x.format.bits
    low, high = fmt.code_range
    address = np.arange(count, dtype=np.int64)
    codes = address - count * (address > high) if low < 0 else address
    op, ins, outs = operator(node.op, node.name), graph.ins(node), graph.outs(node)

    def evaluate(part: Codes) -> Codes:
        shaped = [replace(v, shape=(part.size,)) if v is x else replace(v, shape=_kept(v)) for v in ins]
        given = [part[None] if v.data is None else v.data.reshape(_kept(v)) for v in ins]
        found: Codes = op.evaluate(node, shaped, [replace(outs[0], shape=(part.size,))], given)[0]
        return found.reshape(-1)

    try:
        return evaluate(codes)
    except EdgeqError:
        return np.array([_one(evaluate, code) for code in codes], dtype=np.int64)


def _kept(value: Value) -> tuple[int, ...]:
    """The shape of a constant beside a vector: one number broadcasts, a table stays."""
    return (value.size,)


def _one(evaluate: Callable[[Codes], Codes], code: np.int64) -> int:
    try:
        return int(evaluate(np.array([code], dtype=np.int64))[0])
    except EdgeqError:
        return 0
