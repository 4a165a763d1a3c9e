"""max_pool: a line buffer, and the greatest of each window."""

from __future__ import annotations

from edgeq.formats import Minifloat
from edgeq.fpga.dataflow import Param
from edgeq.fpga.folding import lanes_for
from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._engine import buffer, window_of
from edgeq.fpga.ops._stage import output_stage
from edgeq.ir import Node
from edgeq.ir.operator import frac_of


def lower(ctx: Lowering, node: Node) -> None:
    """Codes compare as their numbers do, those of minifloats on their grid; padding is the least of them."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    window = window_of(node, x.shape, node.ints("kernel"), out.shape)
    lanes = lanes_for(max(out.size * window.taps, x.size), x.shape[-1], ctx.target)
    small = isinstance(x.format, Minifloat)
    least = x.format.grid_range[0] if small else x.format.code_range[0]
    words = buffer(ctx, ctx.operand(x), window, lanes, least, repeat=1, by_channel=True, inside=True)
    made = (
        ctx.stream("greatest", words.bits, words.signed, lanes, out.size // lanes) if small else ctx.output(out, lanes)
    )
    params: dict[str, Param] = {
        "BITS": words.bits,
        "SIGNED": int(words.signed),
        "LANES": lanes,
        "TAPS": window.taps,
    }
    ctx.stage("eq_max_pool", params, {"s": words.name}, {"m": made.name}, words.beats)
    if small:
        output_stage(ctx, node, made, (frac_of(x),), out)
