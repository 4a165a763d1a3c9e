"""softmax_reciprocal: the quantised softmax of imported networks, row by row."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import Lowering, zero_of
from edgeq.fpga.ops._rows import back_along, rows_along
from edgeq.ir import Node

#: cycles of the reciprocal, and of a share of a row of one (hls/rtl/eq_softmax_reciprocal.v)
_RECIPROCAL, _SHARE = 145, 26


def lower(ctx: Lowering, node: Node) -> None:
    """One element a beat."""
    x, table = ctx.graph.ins(node)
    out, axis = ctx.graph.outs(node)[0], node.integer("axis")
    assert table.data is not None
    rows = rows_along(ctx, x, axis)
    made = ctx.stream("shares", out.format.bits, out.format.signed, 1, out.size)
    params: dict[str, Param] = {
        "BITS": rows.bits,
        "SIGNED": int(rows.signed),
        "COUNT": x.shape[axis],
        "TABLE_SIZE": table.size,
        "TABLE": ctx.rom("exp", 31, [int(v) for v in table.data]),
        "OUT_BITS": out.format.bits,
        "ZERO": zero_of(out.format),
    }
    # A share takes a cycle more for each bit of the sum before its point: at most those of `count`.
    count = x.shape[axis]
    row = 2 * count + _RECIPROCAL + count * (_SHARE + count.bit_length() - 1)
    ctx.stage("eq_softmax_reciprocal", params, {"s": rows.name}, {"m": made.name}, rows.beats // count * row)
    back_along(ctx, node, made, axis)
