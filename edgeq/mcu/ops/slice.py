"""slice in C: a strided copy."""

from __future__ import annotations

from edgeq.mcu.ops._strides import contiguous, join, padded
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, node = ctx.ins[0], ctx.node
    strides = contiguous(x.shape)
    first = sum(b * s for b, s in zip(node.ints("begin"), strides, strict=True))
    steps = [t * s for t, s in zip(node.ints("step"), strides, strict=True)]
    shape, (stride,) = join(ctx.out.shape, steps)
    params: dict[str, Param] = {
        "rank": len(shape),
        "shape": padded(shape),
        "stride": padded(stride),
        "from": first,
    }
    return Call((storage(x.format).field,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "slice", "copies whole runs", always, _generic),)
