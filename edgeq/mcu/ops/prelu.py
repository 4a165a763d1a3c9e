"""prelu in C: x or its product with the slope, in place where an operand has the output's size."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.ir.ops.prelu import prelu_shifts
from edgeq.mcu.ops._elementwise import elementwise
from edgeq.mcu.ops._inplace import elementwise_inplace
from edgeq.mcu.ops._stage import WIDE, most_left
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over an operand of its own size whose elements are no narrower."""
    return elementwise_inplace(graph, node)


def _generic(ctx: Context) -> Call:
    frac, x_left, product_left = prelu_shifts(ctx.ins)
    call = elementwise(ctx, frac=frac)
    most = most_left(WIDE.index(call.fixed[-1]))
    shifts: dict[str, Param] = {"a_shift": min(x_left, most), "b_shift": min(product_left, most)}
    return Call(call.fixed, {**call.params, **shifts}, call.inputs)


VARIANTS = (Variant(PORTABLE, "prelu", "one element at a time", always, _generic),)
