"""softmax in C: greatest element, sum of exponentials from a table, one division for each element."""

from __future__ import annotations

from math import prod

from edgeq.ir.graph import Graph, Node
from edgeq.ir.operator import frac_of
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._stage import INT32, MAX_SHIFT, how_wide, ratio_stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over x where elements are as wide, or narrower and each line is contiguous."""
    x, out = graph.ins(node)[0], graph.outs(node)[0]
    have, want = storage(x.format).bits, storage(out.format).bits
    contiguous = prod(x.shape[node.integer("axis") + 1 :]) == 1
    return (0,) if not x.constant and (have == want or (have > want and contiguous)) else ()


def _generic(ctx: Context) -> Call:
    x, table = ctx.ins
    axis = ctx.node.integer("axis")
    right = min(max(-frac_of(ctx.out), 0), MAX_SHIFT)
    span = ctx.interval(x).hi - ctx.interval(x).lo
    total = ctx.interval(table).hi * x.shape[axis] << right
    made = ratio_stage(ctx, 0, wide=int(how_wide(ctx) or max(span, total) > INT32[1]))
    params: dict[str, Param] = {
        "outer": prod(x.shape[:axis]),
        "count": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "entries": table.size,
        "left": made.shift,
        "right": right,
        "lo": made.lo,
        "hi": made.hi,
        "table": plain_constant(ctx, table, "table"),
    }
    types = (storage(x.format).eq_type, storage(table.format).eq_type)
    return Call((*types, *made.fixed), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "softmax", "three passes, one division for each element", always, _generic),)
