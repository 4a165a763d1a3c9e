"""Operators that only move codes: a frame buffer read in the order of the output."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.fpga.lowering import Lowering
from edgeq.ir import Node, Value, operator
from edgeq.ir.operator import Movement

#: added to element numbers, so that a fill value cannot be taken for one
_MARK = 1 << 40


def moved(node: Node, x: Value) -> tuple[npt.NDArray[np.int64], int]:
    """For each output element the input element that it is (flat), or -1 for the fill code; and that code."""
    op = operator(node.op, node.name)
    assert isinstance(op, Movement)
    numbers = _MARK + np.arange(x.size, dtype=np.int64).reshape(1, *x.shape)
    found = op.move(node, x, numbers)[0].reshape(-1)
    filled = found < _MARK // 2
    fill = int(found[filled][0]) if filled.any() else 0
    return np.where(filled, -1, found - _MARK), fill


def lower_movement(ctx: Lowering, node: Node) -> None:
    """The output as a reordered copy; a copy in the same order costs nothing."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    index, fill = moved(node, x)
    if index.size == x.size and (index == np.arange(x.size)).all():
        ctx.bind(out, ctx.of(x))
        return
    ctx.bind(out, ctx.convert(ctx.move(ctx.of(x), index, fill), ctx.lanes(out)))
