"""argmax in C: one pass along the axis."""

from __future__ import annotations

from math import prod

from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, axis = ctx.ins[0], ctx.node.integer("axis")
    params: dict[str, Param] = {
        "outer": prod(x.shape[:axis]),
        "count": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
    }
    return Call((storage(x.format).eq_type, storage(ctx.out.format).eq_type), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "argmax", "one pass along the axis", always, _generic),)
