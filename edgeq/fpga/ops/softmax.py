"""softmax: greatest of the row, exponentials from a table, their sum, one exact division each."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import Lowering, integer_operand, zero_of
from edgeq.fpga.ops._rows import back_along, rows_along
from edgeq.fpga.ops._stage import PLAIN_RULES, quotient_bits, rule_number, saturating
from edgeq.ir import Node
from edgeq.ir.operator import frac_of, output_bounds

#: cycles of an element beyond the bits of its quotient (hls/rtl/eq_softmax.v)
_DIVISION = 12


def lower(ctx: Lowering, node: Node) -> None:
    """Row by row, one element a beat."""
    x, table = ctx.graph.ins(node)
    out, axis = ctx.graph.outs(node)[0], node.integer("axis")
    integer_operand(node, x)
    integer_operand(node, out)
    assert table.data is not None
    grid = table.format.to_grid(table.data)
    bits = max(1, int(grid.max()).bit_length())
    rows = rows_along(ctx, x, axis)
    made = ctx.stream("shares", out.format.bits, out.format.signed, 1, out.size)
    saturating(node)
    lo, hi = output_bounds(node, out.format)
    params: dict[str, Param] = {
        "BITS": x.format.bits,
        "SIGNED": int(x.format.signed),
        "COUNT": x.shape[axis],
        "TABLE_BITS": bits,
        "TABLE_SIZE": table.size,
        "TABLE": ctx.rom("exp", bits, [int(v) for v in grid]),
        "SHIFT": frac_of(out),
        "RULE": rule_number(node, PLAIN_RULES),
        "LO": lo,
        "HI": hi,
        "ZERO": zero_of(out.format),
        "OUT_BITS": out.format.bits,
    }
    # One division after the other; the next row comes in and is summed while the last one is under way.
    count, bits = x.shape[axis], quotient_bits(lo, hi)
    row = count * (bits + _DIVISION) + max(0, 2 * count - bits)
    ctx.stage("eq_softmax", params, {"s": rows.name}, {"m": made.name}, rows.beats // count * row)
    back_along(ctx, node, made, axis)
