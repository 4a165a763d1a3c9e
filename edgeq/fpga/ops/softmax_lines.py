"""softmax_lines: distances from the greatest code of a row, scaled; exponentials and reciprocal by lines."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._lines import line_rom, scaled
from edgeq.fpga.ops._rows import back_along, rows_along
from edgeq.ir import Graph, Node

#: cycles of a row beyond the two for each of its elements (hls/rtl/eq_row_distance.v, eq_softmax_lines.v)
_DISTANCES, _SHARES = 5, 30
#: the greatest argument, that of the greatest code
_MOST = (1 << 15) - 1


def products(graph: Graph, node: Node) -> int:
    """Two on lines, one for the shares."""
    return 3


def lower(ctx: Lowering, node: Node) -> None:
    """Row by row, one element a beat."""
    x, exponential, reciprocal = ctx.graph.ins(node)
    out, axis = ctx.graph.outs(node)[0], node.integer("axis")
    assert exponential.data is not None
    assert reciprocal.data is not None
    rows, count = rows_along(ctx, x, axis), x.shape[axis]
    lines = rows.beats // count
    distances = ctx.stream("distances", rows.bits + 1, True, 1, rows.beats)
    params: dict[str, Param] = {"BITS": rows.bits, "SIGNED": int(rows.signed), "COUNT": count}
    cycles = lines * (2 * count + _DISTANCES)
    ctx.stage("eq_row_distance", params, {"s": rows.name}, {"m": distances.name}, cycles)
    dyadic = (node.integer("distance_multiplier"), node.integer("distance_shift"))
    wide = ctx.extend(distances, 0, max(4, distances.bits))
    arguments = scaled(ctx, wide, dyadic, "tflite", (-(1 << 16) + 1, 0), _MOST, 16)
    made = ctx.stream("shares", out.format.bits, out.format.signed, 1, out.size)
    params = {
        "COUNT": count,
        "EXP": line_rom(ctx, "exp", exponential.data, 15),
        "RECIPROCAL": line_rom(ctx, "reciprocal", reciprocal.data, 15),
    }
    cycles = lines * (2 * count + _SHARES)
    ctx.stage("eq_softmax_lines", params, {"s": arguments.name}, {"m": made.name}, cycles)
    back_along(ctx, node, made, axis)
