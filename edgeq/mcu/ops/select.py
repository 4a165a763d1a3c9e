"""select in C: a copy of the operand that was chosen, or nothing where y lies over it."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over either operand: what is chosen is there already, or copied over what is not."""
    return tuple(i for i in (1, 2) if not graph.ins(node)[i].constant)


def _generic(ctx: Context) -> Call:
    condition, a, b = ctx.ins
    computed = [v.name for v in ctx.ins if not v.constant]
    place = [0 if v.constant else computed.index(v.name) for v in (b, a)]
    params: dict[str, Param] = {
        "count": ctx.out.size,
        "condition": -1 if condition.data is None else int(condition.data.reshape(-1)[0]),
        "place": tuple(place),
        "b": plain_constant(ctx, b, "b"),
        "a": plain_constant(ctx, a, "a"),
    }
    return Call((storage(ctx.out.format).field, storage(condition.format).eq_type), params, tuple(computed))


VARIANTS = (Variant(PORTABLE, "select", "copies what is chosen, unless y lies over it", always, _generic),)
