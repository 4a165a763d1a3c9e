"""table: the same table, in a ROM."""

from __future__ import annotations

from edgeq.fpga.lowering import Lowering, fail, signed_codes
from edgeq.fpga.ops._function import entries
from edgeq.ir import Node

#: a ROM of more entries does not fit the block RAM of small devices
MOST_BITS = 12


def lower(ctx: Lowering, node: Node) -> None:
    """One ROM for each lane."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    if x.format.bits > MOST_BITS:
        raise fail(
            node, f"a table of {x.format.bits} bits does not fit; requantise its input to {MOST_BITS} bits or less"
        )
    source = ctx.convert(ctx.of(x), ctx.lanes(out))
    ctx.bind(out, ctx.table(source, out.format.bits, signed_codes(out.format), entries(ctx.graph, node, x), "y"))
