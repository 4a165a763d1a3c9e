"""transpose in C: a strided copy in the order of the output."""

from __future__ import annotations

from edgeq.mcu.ops._strides import contiguous, join, padded
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    strides = contiguous(x.shape)
    shape, (stride,) = join(ctx.out.shape, [strides[p] for p in ctx.node.ints("permutation")])
    params: dict[str, Param] = {"rank": len(shape), "shape": padded(shape), "stride": padded(stride), "from": 0}
    return Call((storage(x.format).field,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "transpose", "copies whole runs where they stay together", always, _generic),)
