"""matmul in C: two computed operands, or one of them constant."""

from __future__ import annotations

from math import prod

from edgeq.ir.operator import frac_of
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._stage import stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    a, b = ctx.ins
    made = stage(ctx, (frac_of(a) + frac_of(b),))
    params: dict[str, Param] = {
        "batch": prod(a.shape[:-2]),
        "rows": a.shape[-2],
        "terms": a.shape[-1],
        "columns": b.shape[-1],
        "shift": made.shifts[0],
        "start": made.starts[0],
        "lo": made.lo,
        "hi": made.hi,
        "a": plain_constant(ctx, a, "a"),
        "b": plain_constant(ctx, b, "b"),
    }
    types = (storage(a.format).eq_type, storage(b.format).eq_type)
    return Call((*types, *made.fixed), params, tuple(v.name for v in (a, b) if not v.constant))


VARIANTS = (Variant(PORTABLE, "matmul", "four columns at a time", always, _generic),)
