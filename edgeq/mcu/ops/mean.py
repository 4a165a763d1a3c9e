"""mean in C: a shift where the divisor is a power of two, else an exact division."""

from __future__ import annotations

from math import prod

from edgeq.ir.operator import frac_of
from edgeq.mcu.ops import _dsp_bytes, _mve_means
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._packed import packed
from edgeq.mcu.ops._reduce import reduced_axes
from edgeq.mcu.ops._stage import mean_stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    made = mean_stage(ctx, frac_of(x), prod(x.shape[i] for i in ctx.node.ints("axes")))
    params: dict[str, Param] = {
        **reduced_axes(ctx),
        "shift": made.shift,
        "divisor": made.divisor,
        "start": made.start,
        "lo": made.lo,
        "hi": made.hi,
    }
    return Call((storage(x.format).eq_type, made.divide, *made.fixed), params, (x.name,))


_DSP = Variant(DSP, "mean_dsp", "four outputs at a time, SXTAB16", _dsp_bytes.supports_mean, _dsp_bytes.mean)

VARIANTS = (
    _mve_means.MEAN,
    _DSP,
    packed(_DSP),
    Variant(PORTABLE, "mean", "one output at a time", always, _generic),
)
