"""sigmoid_lines: a table for narrow codes; else the argument, and lines between the entries of its table."""

from __future__ import annotations

import numpy as np

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import TABLE_BITS, Lowering
from edgeq.fpga.ops._function import function_table
from edgeq.fpga.ops._lines import line_rom, scaled
from edgeq.fpga.ops.requantise import grid_stream
from edgeq.ir import Graph, Node
from edgeq.ir.ops.sigmoid_lines import ENTRIES, FUNCTIONS

#: width of the argument: 255 * 2^9 on both sides of zero
ARGUMENT_BITS = 18


def products(graph: Graph, node: Node) -> int:
    """One on the lines; none in a table."""
    return int(graph.ins(node)[0].format.bits > TABLE_BITS)


def lower(ctx: Lowering, node: Node) -> None:
    """Beyond the last entry nothing changes, so the argument saturates there."""
    (x, table), out = ctx.graph.ins(node), ctx.graph.outs(node)[0]
    if x.format.bits <= TABLE_BITS:
        function_table(ctx, node)
        return
    assert table.data is not None
    end = (ENTRIES - 1) << FUNCTIONS[node.text("function")][0]
    dyadic = (node.integer("argument_multiplier"), node.integer("argument_shift"))
    grid = grid_stream(ctx, x, ctx.convert(ctx.of(x), 1))
    argument = scaled(ctx, grid, dyadic, "half_up", (-end, end), 0, ARGUMENT_BITS)
    made = ctx.stream("lines", out.format.bits, out.format.signed, 1, out.size)
    params: dict[str, Param] = {
        "TANH": int(node.text("function") == "tanh"),
        # no line begins at the last entry: what follows it does not count
        "TABLE": line_rom(ctx, "lines", np.append(table.data, 0), 16),
    }
    ctx.stage("eq_sigmoid_lines", params, {"s": argument.name}, {"m": made.name}, out.size)
    ctx.bind(out, ctx.convert(made, ctx.lanes(out)))
