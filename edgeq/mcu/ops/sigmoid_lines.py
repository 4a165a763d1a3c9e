"""sigmoid_lines in C: a line between two entries of a table for each element, in place where y is no wider than x."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._inplace import elementwise_inplace
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over x where its elements are no wider."""
    return tuple(i for i in elementwise_inplace(graph, node) if i == 0)


def _generic(ctx: Context) -> Call:
    x, table = ctx.ins
    params: dict[str, Param] = {
        "count": x.size,
        "zero": _scale.zero_of(x.format),
        "multiplier": ctx.node.integer("argument_multiplier"),
        "shift": ctx.node.integer("argument_shift"),
        "table": plain_constant(ctx, table, "table"),
    }
    tanh = "true" if ctx.node.text("function") == "tanh" else "false"
    return Call((storage(x.format).eq_type, tanh), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "sigmoid_lines", "512 bytes of table, one product for each element", always, _generic),)
