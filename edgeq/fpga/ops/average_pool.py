"""average_pool: a line buffer, and the exact mean of each window."""

from __future__ import annotations

from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._engine import window_of
from edgeq.fpga.ops._mean import mean_engine, sum_engine
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """The divisor is the window's size, or what it sees; where no window reaches over the border both are the same."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    window = window_of(node, x.shape, node.ints("kernel"), out.shape)
    if "multiplier" in node.attrs:
        sum_engine(ctx, node, ctx.operand(x), window)
        return
    mean_engine(ctx, node, ctx.operand(x), window, count_pad=bool(node.integer("include_pad")) or not window.padded)
