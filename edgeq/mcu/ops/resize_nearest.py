"""resize_nearest in C: the channels of one element at a time."""

from __future__ import annotations

from edgeq.mcu.ops._window import height_width
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    params: dict[str, Param] = {"channels": x.shape[-1]}
    params["in_h"], params["in_w"] = height_width(x.shape[:-1])
    params["out_h"], params["out_w"] = height_width(ctx.out.shape[:-1])
    return Call((storage(x.format).field,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "resize_nearest", "all channels of an element at once", always, _generic),)
