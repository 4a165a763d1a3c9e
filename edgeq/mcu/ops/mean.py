"""mean in C: a shift where the divisor is a power of two, else an exact division."""

from __future__ import annotations

from math import prod

from edgeq.ir.operator import frac_of
from edgeq.mcu.ops import _dsp_bytes
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._stage import mean_stage
from edgeq.mcu.ops._strides import contiguous, join, padded
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, axes = ctx.ins[0], ctx.node.ints("axes")
    strides = contiguous(x.shape)
    stay = [i for i in range(len(x.shape)) if i not in axes]
    shape, (stride,) = join(tuple(x.shape[i] for i in stay), [strides[i] for i in stay])
    sum_shape, (sum_stride,) = join(tuple(x.shape[i] for i in axes), [strides[i] for i in axes])
    made = mean_stage(ctx, frac_of(x), prod(x.shape[i] for i in axes))
    params: dict[str, Param] = {
        "rank": len(shape),
        "shape": padded(shape),
        "stride": padded(stride),
        "sum_rank": len(sum_shape),
        "sum_shape": padded(sum_shape),
        "sum_stride": padded(sum_stride),
        "shift": made.shift,
        "divisor": made.divisor,
        "start": made.start,
        "lo": made.lo,
        "hi": made.hi,
    }
    return Call((storage(x.format).eq_type, made.divide, *made.fixed), params, (x.name,))


VARIANTS = (
    Variant(DSP, "mean_dsp", "four outputs at a time, SXTAB16", _dsp_bytes.supports_mean, _dsp_bytes.mean),
    Variant(PORTABLE, "mean", "one output at a time", always, _generic),
)
