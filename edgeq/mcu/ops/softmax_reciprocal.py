"""softmax_reciprocal in C: greatest element, sum of exponentials from a table, one reciprocal for each line."""

from __future__ import annotations

from math import prod

from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops.softmax import inplace_candidates
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, table = ctx.ins
    axis = ctx.node.integer("axis")
    params: dict[str, Param] = {
        "outer": prod(x.shape[:axis]),
        "count": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "entries": table.size,
        "bits": ctx.out.format.bits,
        "zero": _scale.zero_of(ctx.out.format),
        "table": plain_constant(ctx, table, "table"),
    }
    return Call((storage(x.format).eq_type, storage(ctx.out.format).eq_type), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "softmax_reciprocal", "three passes, no division", always, _generic),)

__all__ = ["VARIANTS", "inplace_candidates"]
