"""sum in C: the walk of a mean, without its division."""

from __future__ import annotations

from edgeq.ir.operator import frac_of
from edgeq.mcu.ops._reduce import reduced_axes
from edgeq.mcu.ops._stage import stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    made = stage(ctx, (frac_of(x),))
    params: dict[str, Param] = {
        **reduced_axes(ctx),
        "shift": made.shifts[0],
        "divisor": 1,
        "start": made.starts[0],
        "lo": made.lo,
        "hi": made.hi,
    }
    return Call((storage(x.format).eq_type, *made.fixed), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "sum", "one output at a time", always, _generic),)
