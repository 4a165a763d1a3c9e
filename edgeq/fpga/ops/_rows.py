"""Operators over one axis of a tensor: the axis goes last, one element a beat, and back."""

from __future__ import annotations

import numpy as np

from edgeq.fpga.dataflow import Stream
from edgeq.fpga.lowering import Lowering
from edgeq.ir import Node, Value


def _order(value: Value, axis: int) -> list[int]:
    rank = len(value.shape)
    return [*(i for i in range(rank) if i != axis), axis]


def rows_along(ctx: Lowering, value: Value, axis: int) -> Stream:
    """The elements of a value as arithmetic takes them, those along `axis` one after another."""
    source = ctx.operand(value)
    if all(n == 1 for n in value.shape[axis + 1 :]):
        return ctx.convert(source, 1)
    index = np.arange(value.size).reshape(value.shape).transpose(_order(value, axis))
    return ctx.move(source, index, name="rows")


def back_along(ctx: Lowering, node: Node, made: Stream, axis: int) -> None:
    """Give the node's output, of the input's shape, the elements that `rows_along` brought into rows."""
    out = ctx.graph.outs(node)[0]
    if all(n == 1 for n in out.shape[axis + 1 :]):
        ctx.bind(out, ctx.convert(made, ctx.lanes(out)))
        return
    order = _order(out, axis)
    rows = np.arange(out.size).reshape([out.shape[i] for i in order])
    ctx.bind(out, ctx.convert(ctx.move(made, rows.transpose(np.argsort(order)), name="back"), ctx.lanes(out)))
