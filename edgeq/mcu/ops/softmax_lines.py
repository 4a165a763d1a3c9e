"""softmax_lines in C: three passes; the exponentials wait where the output will be."""

from __future__ import annotations

from math import prod

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over x where its elements are as wide: the exponential of element i is stored when i has been read."""
    return (0,) if storage(graph.ins(node)[0].format).bits == 16 else ()


def _generic(ctx: Context) -> Call:
    x, exp, reciprocal = ctx.ins
    axis = ctx.node.integer("axis")
    params: dict[str, Param] = {
        "outer": prod(x.shape[:axis]),
        "count": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "multiplier": ctx.node.integer("distance_multiplier"),
        "shift": ctx.node.integer("distance_shift"),
        "exp": plain_constant(ctx, exp, "exp"),
        "reciprocal": plain_constant(ctx, reciprocal, "reciprocal"),
    }
    return Call((storage(x.format).eq_type,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "softmax_lines", "three passes, no division", always, _generic),)
