"""table in C: one look-up for each element, in place where the output is no wider."""

from __future__ import annotations

from dataclasses import replace

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops import _mve_elements
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
        "least": x.format.code_range[0],
        "table": plain_constant(ctx, replace(table, format=ctx.out.format), "table"),
    }
    return Call((storage(x.format).eq_type, storage(ctx.out.format).eq_type), params, (x.name,))


VARIANTS = (
    _mve_elements.LOOK_UP,
    Variant(PORTABLE, "table", "one look-up for each element", always, _generic),
)
