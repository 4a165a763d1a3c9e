"""average_pool in C: a shift where every divisor is one power of two, else an exact division."""

from __future__ import annotations

from math import prod

from edgeq.ir.operator import frac_of
from edgeq.mcu.ops import _dsp_bytes, _mve_means
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._packed import packed
from edgeq.mcu.ops._stage import mean_stage
from edgeq.mcu.ops._window import window
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, node = ctx.ins[0], ctx.node
    terms = prod(node.ints("kernel"))
    varies = not node.integer("include_pad") and any(node.ints("padding"))
    made = mean_stage(ctx, frac_of(x), terms, varies=varies)
    params: dict[str, Param] = {
        **window(ctx),
        "shift": made.shift,
        "divisor": 0 if varies else made.divisor,
        "unit": made.unit,
        "start": made.start,
        "lo": made.lo,
        "hi": made.hi,
    }
    return Call((storage(x.format).eq_type, made.divide, *made.fixed), params, (x.name,))


_DSP = Variant(
    DSP,
    "average_pool_dsp",
    "four channels at a time, SXTAB16",
    _dsp_bytes.supports_average_pool,
    _dsp_bytes.average_pool,
)

VARIANTS = (
    _mve_means.POOL,
    _DSP,
    packed(_DSP),
    Variant(PORTABLE, "average_pool", "one channel at a time", always, _generic),
)
