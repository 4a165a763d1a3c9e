"""softmax: greatest of the row, exponentials from a table, their sum, one exact division each."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._rows import back_along, rows_along
from edgeq.fpga.ops._stage import ODD_PLACES, PLAIN_RULES, quotient_bits, quotient_codes, quotient_of, within
from edgeq.ir import Node
from edgeq.ir.operator import frac_of

#: cycles of an element beyond the bits of its quotient (hls/rtl/eq_softmax.v)
_DIVISION = 12


def lower(ctx: Lowering, node: Node) -> None:
    """Row by row, one element a beat."""
    x, table = ctx.graph.ins(node)
    out, axis = ctx.graph.outs(node)[0], node.integer("axis")
    assert table.data is not None
    grid = table.format.to_grid(table.data)
    bits = max(1, int(grid.max()).bit_length())
    rows = rows_along(ctx, x, axis)
    # A share is one at most.
    quotient = quotient_of(node, out, PLAIN_RULES, 1 << max(frac_of(out) + ODD_PLACES, 0))
    made = ctx.stream("shares", quotient.bits, quotient.signed, 1, out.size)
    params: dict[str, Param] = {
        "BITS": rows.bits,
        "SIGNED": int(rows.signed),
        "COUNT": x.shape[axis],
        "TABLE_BITS": bits,
        "TABLE_SIZE": table.size,
        "TABLE": ctx.rom("exp", bits, [int(v) for v in grid]),
        "SHIFT": within(quotient.frac, 1, quotient.bits + bits + x.shape[axis].bit_length()),
        "RULE": quotient.rule,
        "LO": quotient.lo,
        "HI": quotient.hi,
        "ZERO": quotient.zero,
        "OUT_BITS": quotient.bits,
    }
    # One division after the other; the next row comes in and is summed while the last one is under way.
    count, bits = x.shape[axis], quotient_bits(quotient.lo, quotient.hi)
    row = count * (bits + _DIVISION) + max(0, 2 * count - bits)
    ctx.stage("eq_softmax", params, {"s": rows.name}, {"m": made.name}, rows.beats // count * row)
    back_along(ctx, node, quotient_codes(ctx, node, made, out), axis)
