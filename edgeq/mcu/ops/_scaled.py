"""Kernels for scales that are no power of two: which operators have them, and how each is lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from edgeq.mcu.ops import _average, _scalar, _scale, _scaled_axes
from edgeq.mcu.ops._dsp_scaled_kernels import DSP_SCALED
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._matrix import not_depthwise
from edgeq.mcu.ops._mve_elements import MVE_SCALED
from edgeq.mcu.ops._scaled_matrix import OTHERS
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._strides import broadcast, join, padded
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import PORTABLE, Call, Context, Variant
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _out_type(ctx: Context) -> str:
    return storage(ctx.out.format).eq_type


def _linear(ctx: Context) -> Call:
    """Parameters of `eq_linear_scaled_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    outputs, inputs = weight.shape
    wide, params = _scale.matrix(ctx, fold=True)
    kind, blob = _scale.weight_blob(ctx, _scale.weight_grid(ctx))
    sizes = {"rows": x.size // inputs, "inputs": inputs, "outputs": outputs}
    fixed = (*_scale.types(ctx), kind, _out_type(ctx), _scale.rule(ctx), str(wide).lower())
    return Call(fixed, {**sizes, "weight": blob, **params}, (x.name,))


def _conv(ctx: Context, sizes: dict[str, Param]) -> Call:
    """Parameters of `eq_conv_scaled_t` or `eq_conv_depthwise_scaled_t`: weights across channels."""
    x, weight = ctx.ins[0], ctx.ins[1]
    # Beyond the border lies the number zero, so there the zero point cannot be in the bias.
    fold = not any(ctx.node.ints("padding"))
    wide, params = _scale.matrix(ctx, fold=fold)
    kind, blob = _scale.weight_blob(ctx, np.moveaxis(_scale.weight_grid(ctx), 0, -1))
    sizes = {**geometry(ctx, weight.shape[1:-1]), **sizes, "x_zero": 0 if fold else _scale.zero_of(x.format)}
    fixed = (*_scale.types(ctx), kind, _out_type(ctx), _scale.rule(ctx), str(wide).lower())
    return Call(fixed, {**sizes, "weight": blob, **params}, (x.name,))


def _generic(ctx: Context) -> Call:
    sizes = {"in_c": ctx.ins[0].shape[-1], "out_c": ctx.ins[1].shape[0], "groups": ctx.node.integer("groups")}
    return _conv(ctx, dict(sizes))


def _is_depthwise(ctx: Context) -> str | None:
    channels, groups = ctx.ins[0].shape[-1], ctx.node.integer("groups")
    if groups != channels or ctx.ins[1].shape[0] != groups:
        reason = f"{groups} groups, {ctx.ins[1].shape[0]} filters for {channels} channels; it takes one for each"
        return not_depthwise(ctx, reason)
    return _scale.needs_multiplier(ctx)


def _depthwise(ctx: Context) -> Call:
    return _conv(ctx, {"channels": ctx.ins[0].shape[-1]})


def _two_operands(ctx: Context) -> str | None:
    if (reason := _scaled_axes.integers(ctx)) is not None:
        return reason
    many = "multiplier" in ctx.node.attrs and len(ctx.node.ints("multiplier")) > 1
    if many and ctx.node.op != "prelu":
        return "has a multiplier for each channel; it takes one"
    return None


def _elementwise(ctx: Context) -> Call:
    """Parameters of `eq_elementwise_scaled_t`."""
    ins, node = ctx.ins, ctx.node
    rule, scale = _scaled_axes.stage_params(ctx)
    shape, (a, b) = join(ctx.out.shape, *(broadcast(v.shape, ctx.out.shape) for v in ins))
    own = ("a_multiplier", "b_multiplier", "a_shift", "b_shift")
    params: dict[str, Param] = {
        "rank": len(shape),
        "shape": padded(shape),
        "a_stride": padded(a),
        "b_stride": padded(b),
        "a_zero": _scale.zero_of(ins[0].format),
        "b_zero": _scale.zero_of(ins[1].format),
        "left": node.integer("left", -1),
        **{key: node.integer(key, 0) for key in own},
        **scale,
        "a": plain_constant(ctx, ins[0], "a"),
        "b": plain_constant(ctx, ins[1], "b"),
    }
    types = (*_scale.types(ctx, constants=True), _out_type(ctx))
    return Call((*types, rule), params, tuple(v.name for v in ins if not v.constant))


def _requantise(ctx: Context) -> Call:
    """Parameters of `eq_requantise_scaled_t`."""
    x = ctx.ins[0]
    sizes = {"count": x.size, "channels": x.shape[-1] if x.shape else 1, "x_zero": _scale.zero_of(x.format)}
    return Call(
        (*_scale.types(ctx), _out_type(ctx), _scale.rule(ctx)), {**sizes, **_scale.scale_params(ctx)}, (x.name,)
    )


def _clips(ctx: Context) -> str | None:
    """A requantise without a multiplier keeps its scale, and so is a clip of numbers."""
    if "multiplier" in ctx.node.attrs:
        return "has a multiplier; it keeps the scale"
    wide = [v for v in (ctx.ins[0], ctx.out) if v.format.bits > 16]
    return f"{wide[0].name} is {wide[0].format}; it reads and writes up to 16 bits" if wide else None


def _clip(ctx: Context) -> Call:
    """`eq_requantise_scaled_t` with a multiplier of one."""
    x = ctx.ins[0]
    sizes = {"count": x.size, "channels": 1, "x_zero": _scale.zero_of(x.format)}
    params = _scale.scale_params(ctx, multiplier=(1,), shift=(0,))
    return Call((*_scale.types(ctx), _out_type(ctx), "EQ_FLOOR"), {**sizes, **params}, (x.name,))


def _pools(ctx: Context) -> str | None:
    for value in (ctx.ins[0], ctx.out):
        if value.format.code_range[1] > INT32[1]:
            return f"{value.name} is {value.format}; it reads and writes codes of 31 bits and a sign"
    return None


def _average_pool(ctx: Context) -> Call:
    """Parameters of `eq_average_pool_scaled_t`."""
    bits = max(ctx.ins[0].format.bits, ctx.out.format.bits)
    # A sum, with the zero points of x and y in it, or twice the rest of its division.
    wide = 4 * prod(ctx.node.ints("kernel")) << bits > INT32[1]
    away = _average.away(ctx)
    rule = "EQ_HALF_UP" if away == "true" else _scale.rule(ctx)
    types = (*_scale.types(ctx), _out_type(ctx), rule, away, str(wide).lower())
    return Call(types, _average.params(ctx), (ctx.ins[0].name,))


def _portable(
    kernel: str, gain: str, supports: Callable[[Context], str | None], call: Callable[[Context], Call]
) -> Variant:
    return Variant(PORTABLE, kernel, gain, supports, call)


_ONE = "one element at a time"

#: operator -> its kernels for scales that are no power of two, best first
SCALED: dict[str, Sequence[Variant]] = {
    "add": (
        *MVE_SCALED["add"],
        *DSP_SCALED["add"],
        *_scalar.SUM,
        _portable("add_scaled", _ONE, _two_operands, _elementwise),
    ),
    "average_pool": (
        *MVE_SCALED["average_pool"],
        *DSP_SCALED["average_pool"],
        _portable("average_pool_scaled", "one channel at a time", _pools, _average_pool),
    ),
    "concat": (_portable("concat_scaled", "whole runs", _scaled_axes.integers, _scaled_axes.concat),),
    "conv": (
        *MVE_SCALED["conv"],
        *DSP_SCALED["conv"],
        *_scalar.CONV,
        _portable("conv_depthwise_scaled", "one channel at a time", _is_depthwise, _depthwise),
        _portable("conv_scaled", "four output channels share each input", _scale.needs_multiplier, _generic),
    ),
    "linear": (
        *MVE_SCALED["linear"],
        *DSP_SCALED["linear"],
        *_scalar.LINEAR,
        _portable("linear_scaled", "four outputs at a time", _scale.needs_multiplier, _linear),
    ),
    "maximum": (_portable("maximum_scaled", _ONE, _two_operands, _elementwise),),
    "mean": (_portable("mean_scaled", "one output at a time", _scaled_axes.integers, _scaled_axes.means),),
    "minimum": (_portable("minimum_scaled", _ONE, _two_operands, _elementwise),),
    "mul": (
        *MVE_SCALED["mul"],
        *DSP_SCALED["mul"],
        _portable("mul_scaled", _ONE, _two_operands, _elementwise),
    ),
    "prelu": (_portable("prelu_scaled", _ONE, _two_operands, _elementwise),),
    "requantise": (
        *MVE_SCALED["requantise"],
        *DSP_SCALED["requantise"],
        _portable("requantise_scaled", _ONE, _scale.needs_multiplier, _requantise),
        _portable("requantise_scaled", _ONE, _clips, _clip),
    ),
    **OTHERS,
    "sub": (
        *MVE_SCALED["sub"],
        *DSP_SCALED["sub"],
        *_scalar.SUM,
        _portable("sub_scaled", _ONE, _two_operands, _elementwise),
    ),
    "sum": (_portable("sum_scaled", "one output at a time", _scaled_axes.integers, _scaled_axes.sums),),
}
