"""Lowering for Cortex-M cores with Helium (MVE) of element-wise operators and pools of bytes with scales."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.formats import DEFAULT_RULE
from edgeq.mcu.ops import _average, _mve, _mve_scaled, _scale
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._fit import every_code, fit, outputs
from edgeq.mcu.ops._mve_scaled import FIRST, is_byte, stage_rule
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._window import window
from edgeq.mcu.select import Call, Context, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

#: shifts for which there is an instruction, best first
SHIFTS = (23, 22, 21, 20)
#: elements whose sum 16 bits hold
MOST = 256


def _alike(ctx: Context) -> str | None:
    """A reason why operands and output are not bytes of one sign and one size."""
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    for value in (*ctx.ins, ctx.out):
        if not is_byte(value.format):
            return f"{value.name} is {value.format}; it reads and writes bytes"
        if value.shape != ctx.out.shape:
            return f"{value.name} has shape {value.shape}; it takes that of the output"
    if len({storage(v.format).eq_type for v in (*ctx.ins, ctx.out)}) > 1:
        return "some codes are signed and some are not"
    return None


def _signed(ctx: Context) -> str:
    return str(storage(ctx.out.format).dtype.kind == "i").lower()


def _operands(ctx: Context) -> tuple[dict[str, Param], tuple[str, ...]]:
    """Size and constant operands, and the values of x[]."""
    constants = {o: plain_constant(ctx, v, o) for o, v in zip("ab", ctx.ins, strict=True)}
    return {"count": ctx.out.size, **constants}, tuple(v.name for v in ctx.ins if not v.constant)


def _is_line(ctx: Context) -> str | None:
    """Two bytes of one size whose sum is one line of 32-bit arithmetic, proved on all pairs of codes."""
    if (reason := _alike(ctx)) is not None:
        return reason
    if "multiplier" in ctx.node.attrs and len(ctx.node.ints("multiplier")) > 1:
        return "has a multiplier for each channel; it takes one"
    return None if fit(ctx, SHIFTS) else "no line of 32 bits gives its codes"


def _line(ctx: Context) -> Call:
    """Parameters of `eq_add_scaled_mve_t`."""
    line = fit(ctx, SHIFTS)
    assert line is not None, ctx.node.name
    sizes, names = _operands(ctx)
    lo, hi = _scale.code_bounds(ctx)
    dtype = np.iinfo(storage(ctx.out.format).dtype)
    factors: dict[str, Param] = {"factor_a": line.a, "factor_b": line.b, "start": line.start, "lo": lo, "hi": hi}
    clamp = str((lo, hi) != (dtype.min, dtype.max)).lower()
    return Call((str(line.shift), _signed(ctx), clamp), {**sizes, **factors}, names)


def _is_product(ctx: Context) -> str | None:
    """Two bytes of one size and one multiplier."""
    if (reason := _alike(ctx) or _scale.needs_multiplier(ctx)) is not None:
        return reason
    if "left" in ctx.node.attrs or len(ctx.node.ints("multiplier")) > 1:
        return "its operands or channels have multipliers of their own; it takes one"
    if stage_rule(ctx) is None:
        return f"rounds {ctx.node.text('rounding', DEFAULT_RULE)} by a shift of {ctx.node.ints('shift')[0]}"
    return None


def _product(ctx: Context) -> Call:
    """Parameters of `eq_mul_scaled_mve_t`."""
    rule = stage_rule(ctx)
    assert rule is not None, ctx.node.name
    sizes, names = _operands(ctx)
    lo, hi = _scale.code_bounds(ctx)
    params: dict[str, Param] = {
        **sizes,
        "a_zero": _scale.zero_of(ctx.ins[0].format),
        "b_zero": _scale.zero_of(ctx.ins[1].format),
        "zero": _scale.zero_of(ctx.out.format),
        "multiplier": ctx.node.ints("multiplier")[0],
        "shift": FIRST - ctx.node.ints("shift")[0],
        "lo": lo,
        "hi": hi,
    }
    return Call((_signed(ctx), rule), params, names)


def _is_function(ctx: Context) -> str | None:
    """One byte to one byte, the same for all channels."""
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    for value in (ctx.ins[0], ctx.out):
        if not is_byte(value.format):
            return f"{value.name} is {value.format}; it reads and writes bytes"
    if "multiplier" in ctx.node.attrs and len(ctx.node.ints("multiplier")) > 1:
        return "has a multiplier for each channel; it takes one"
    return None


def _function(ctx: Context) -> Call:
    """Parameters of `eq_look_up_mve_t`: the node's own meaning of every code."""
    codes = every_code(ctx.ins[0].format)
    table = np.zeros(256, dtype=np.uint8)
    made = ctx.ins[1].data if ctx.node.op == "table" else None
    found = outputs(ctx.node, (ctx.ins[0].format, ctx.out.format), (codes,)) if made is None else made.reshape(-1)
    table[codes & 255] = found & 255
    note = f"code of {ctx.out.name} by the byte that holds one of {ctx.ins[0].name}"
    blob = Blob(f"{identifier(ctx.node.name)}_table", "uint8_t", table, note)
    return Call((), {"count": ctx.out.size, "table": blob}, (ctx.ins[0].name,))


def _is_pool(ctx: Context) -> str | None:
    """Eight channels or more, windows of up to 256 elements."""
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    if (reason := _average.unknown_rule(ctx)) is not None:
        return reason
    if not is_byte(ctx.ins[0].format) or storage(ctx.ins[0].format) != storage(ctx.out.format):
        return f"{ctx.ins[0].format} to {ctx.out.format}; it reads and writes bytes of one sign"
    channels, elements = ctx.ins[0].shape[-1], prod(ctx.node.ints("kernel"))
    if channels < 8 or elements > MOST:
        return f"{channels} channels, windows of {elements}; it takes 8 or more, and up to {MOST}"
    return None


def _pool(ctx: Context) -> Call:
    """Parameters of `eq_average_pool_scaled_mve_t`."""
    return Call((_signed(ctx), _average.away(ctx)), _average.params(ctx), (ctx.ins[0].name,))


def _is_greatest(ctx: Context) -> str | None:
    """Any window of bytes."""
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    return None if is_byte(ctx.ins[0].format) else f"input {ctx.ins[0].format}; it reads bytes"


def _greatest(ctx: Context) -> Call:
    """Parameters of `eq_max_pool_mve_t`."""
    return Call((_signed(ctx),), window(ctx), (ctx.ins[0].name,))


LINE = Variant(_mve.MVE, "add_scaled_mve", "eight elements, one line for both scales", _is_line, _line)
PRODUCT = Variant(_mve.MVE, "mul_scaled_mve", "eight elements at a time", _is_product, _product)
LOOK_UP = Variant(_mve.MVE, "look_up_mve", "a table of 256, sixteen elements at a time", _is_function, _function)
GREATEST = Variant(_mve.MVE, "max_pool_mve", "sixteen channels at a time", _is_greatest, _greatest)
POOL = Variant(_mve.MVE, "average_pool_scaled_mve", "eight channels at a time", _is_pool, _pool)

#: operator -> its kernels with Helium for scales that are no power of two, best first
MVE_SCALED = {
    "add": (LINE,),
    "average_pool": (POOL,),
    "conv": (_mve_scaled.DEPTHWISE, _mve_scaled.DIRECT, _mve_scaled.FIRST_LAYER, _mve_scaled.CONV),
    "linear": (_mve_scaled.LINEAR, _mve_scaled.ROWS, _mve_scaled.ANY_ROWS),
    "mul": (PRODUCT,),
    "requantise": (LOOK_UP,),
    "sub": (LINE,),
}
