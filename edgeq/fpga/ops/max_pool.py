"""max_pool: a line buffer, and the greatest of each window."""

from __future__ import annotations

from edgeq.fpga.dataflow import Param
from edgeq.fpga.folding import lanes_for
from edgeq.fpga.lowering import Lowering, integer_operand
from edgeq.fpga.ops._engine import buffer, window_of
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """Codes compare as their numbers do; padding is the least code."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    integer_operand(node, x)
    window = window_of(node, x.shape, node.ints("kernel"), out.shape)
    lanes = lanes_for(max(out.size * window.taps, x.size), x.shape[-1], ctx.target)
    least = x.format.code_range[0]
    words = buffer(ctx, ctx.of(x), window, lanes, least, repeat=1, by_channel=True, inside=True)
    made = ctx.output(out, lanes)
    params: dict[str, Param] = {
        "BITS": x.format.bits,
        "SIGNED": int(x.format.signed),
        "LANES": lanes,
        "TAPS": window.taps,
    }
    ctx.stage("eq_max_pool", params, {"s": words.name}, {"m": made.name}, words.beats)
