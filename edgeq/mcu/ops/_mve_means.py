"""Lowering for Cortex-M cores with Helium of means and average pools of fixed-point bytes."""

from __future__ import annotations

from math import prod

from edgeq.formats import DEFAULT_RULE, FixedPoint
from edgeq.ir.operator import frac_of
from edgeq.mcu.ops import _average, _mve, _scale
from edgeq.mcu.select import Call, Context, Variant
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage

#: elements of a window, whose sum of bytes a lane of 16 bits holds
MOST = 256
#: the sum's point may be so much finer than the output's
MOST_SHIFT = 16


def _finer(ctx: Context) -> int:
    """Bits that the sum has behind the output's point."""
    return frac_of(ctx.ins[0]) - frac_of(ctx.out)


def _reason(ctx: Context, elements: int, channels: int) -> str | None:
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    x, out = ctx.ins[0].format, ctx.out.format
    if not (isinstance(x, FixedPoint) and storage(x).bits == 8) or storage(x) != storage(out):
        return f"{x} to {out}; it reads and writes fixed-point bytes of one sign"
    if (rule := ctx.node.text("rounding", DEFAULT_RULE)) != "half_up":
        return f"rounds {rule}; it has half_up"
    if not 0 <= _finer(ctx) <= MOST_SHIFT:
        return f"{x} to {out}; the output's step is the input's or up to 2^{MOST_SHIFT} times larger"
    if channels < 8 or elements > MOST:
        return f"{channels} channels, {elements} elements; it takes 8 channels or more and up to {MOST} elements"
    return None


def _is_pool(ctx: Context) -> str | None:
    if not ctx.node.integer("include_pad") and any(ctx.node.ints("padding")) and _finer(ctx):
        return "divides by what a window sees and shifts; it does one of them"
    return _reason(ctx, prod(ctx.node.ints("kernel")), ctx.ins[0].shape[-1])


def _pool(ctx: Context) -> Call:
    """Parameters of `eq_average_pool_scaled_mve_t`."""
    params = dict(_average.params(ctx))
    if not any(ctx.node.ints("padding")) or ctx.node.integer("include_pad"):
        params["divisor"] = prod(ctx.node.ints("kernel")) << _finer(ctx)
    return Call((_signed(ctx), "false"), params, (ctx.ins[0].name,))


def _parts(ctx: Context) -> tuple[int, int]:
    """Elements of a mean, and means, where the first axes are those that vanish."""
    shape, count = ctx.ins[0].shape, len(ctx.node.ints("axes"))
    return prod(shape[:count]), prod(shape[count:])


def _is_mean(ctx: Context) -> str | None:
    axes = ctx.node.ints("axes")
    if axes != tuple(range(len(axes))):
        return f"axes {axes} of {ctx.ins[0].shape}; it takes the first ones"
    return _reason(ctx, *_parts(ctx))


def _mean(ctx: Context) -> Call:
    """The mean as a pool of one window over a row of all elements."""
    (elements, count), (lo, hi) = _parts(ctx), _scale.code_bounds(ctx)
    ones = ("in_h", "out_h", "out_w", "kernel_h", "stride_h", "stride_w")
    params: dict[str, Param] = {
        **dict.fromkeys(ones, 1),
        **dict.fromkeys(("pad_h", "pad_w", "x_zero", "y_zero"), 0),
        "in_w": elements,
        "kernel_w": elements,
        "channels": count,
        "divisor": elements << _finer(ctx),
        "lo": lo,
        "hi": hi,
    }
    return Call((_signed(ctx), "false"), params, (ctx.ins[0].name,))


def _signed(ctx: Context) -> str:
    return str(ctx.ins[0].format.signed).lower()


_GAIN = "eight channels at a time"
POOL = Variant(_mve.MVE, "average_pool_scaled_mve", _GAIN, _is_pool, _pool)
MEAN = Variant(_mve.MVE, "average_pool_scaled_mve", _GAIN, _is_mean, _mean)
