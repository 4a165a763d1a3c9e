"""max_pool in C: comparisons of keys, which need no decoding."""

from __future__ import annotations

from edgeq.mcu.ops import _dsp_bytes, _mve_elements
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._packed import packed
from edgeq.mcu.ops._window import window
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    return Call((storage(x.format).eq_type,), window(ctx), (x.name,))


_DSP = Variant(DSP, "max_pool_dsp", "four channels at a time, SEL", _dsp_bytes.supports_max_pool, _dsp_bytes.max_pool)

VARIANTS = (
    _mve_elements.GREATEST,
    _DSP,
    packed(_DSP),
    Variant(PORTABLE, "max_pool", "one channel at a time", always, _generic),
)
