"""requantise: a table for narrow codes, else the output stage itself."""

from __future__ import annotations

from edgeq.fpga.dataflow import Stream
from edgeq.fpga.lowering import TABLE_BITS, Lowering, is_integer, zero_of
from edgeq.fpga.ops._function import function_table
from edgeq.fpga.ops._stage import output_stage
from edgeq.ir import Node, Value
from edgeq.ir.operator import frac_of
from edgeq.ir.ranges import signed_bits


def grid_stream(ctx: Lowering, value: Value, source: Stream) -> Stream:
    """Codes as signed integers without their zero point."""
    return ctx.extend(source, zero_of(value.format), max(2, signed_bits(*value.format.grid_range)))


def lower(ctx: Lowering, node: Node) -> None:
    """A narrow code has a table of all results."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    alike = "multiplier" not in node.attrs or len(node.ints("multiplier")) == len(node.ints("shift")) == 1
    if x.format.bits <= TABLE_BITS and alike:
        function_table(ctx, node)
        return
    source = ctx.convert(ctx.operand(x), ctx.lanes(out))
    grid = grid_stream(ctx, x, source) if is_integer(x.format) else source
    output_stage(ctx, node, grid, (frac_of(x),), out)
