"""Lowering that mean and sum share: the axes that stay and the axes that are summed, as two walks."""

from __future__ import annotations

from edgeq.mcu.ops._strides import contiguous, join, padded
from edgeq.mcu.select import Context
from edgeq.mcu.step import Param


def reduced_axes(ctx: Context, prefix: str = "") -> dict[str, Param]:
    """The fields rank, shape, stride, sum_rank, sum_shape and sum_stride, each name after `prefix`."""
    x, axes = ctx.ins[0], ctx.node.ints("axes")
    strides = contiguous(x.shape)
    found: dict[str, Param] = {}
    for name, chosen in (("", [i for i in range(len(x.shape)) if i not in axes]), ("sum_", list(axes))):
        shape, (stride,) = join(tuple(x.shape[i] for i in chosen), [strides[i] for i in chosen])
        found[f"{prefix}{name}rank"] = len(shape)
        found[f"{prefix}{name}shape"] = padded(shape)
        found[f"{prefix}{name}stride"] = padded(stride)
    return found
