"""argmax: one comparison a cycle."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._rows import rows_along
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """Codes compare as their numbers do."""
    x, out, axis = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0], node.integer("axis")
    rows = rows_along(ctx, x, axis)
    made = ctx.stream("index", out.format.bits, out.format.signed, 1, out.size)
    params: dict[str, Param] = {
        "BITS": rows.bits,
        "SIGNED": int(rows.signed),
        "COUNT": x.shape[axis],
        "OUT_BITS": out.format.bits,
    }
    ctx.stage("eq_argmax", params, {"s": rows.name}, {"m": made.name}, rows.beats)
    ctx.bind(out, ctx.convert(made, ctx.lanes(out)))
