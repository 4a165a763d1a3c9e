"""conv in C: a generic kernel, and one for depthwise layers whose weights are laid out across channels."""

from __future__ import annotations

import numpy as np

from edgeq.mcu.ops import (
    _dsp,
    _dsp_fields,
    _dsp_first,
    _dsp_narrow,
    _groups,
    _khot,
    _lanes,
    _mve_narrow,
    _mve_scaled,
    _packed,
    _scalar,
    _scalar_narrow,
)
from edgeq.mcu.ops._matrix import channel_params, matrix_fixed, matrix_params, matrix_stage, not_depthwise, weight_blob
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import PORTABLE, Call, Context, Variant


def _generic(ctx: Context) -> Call:
    ctx = _groups.expanded(ctx)
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    sizes = {"in_c": x.shape[-1], "out_c": weight.shape[0], "groups": ctx.node.integer("groups")}
    params = {**geometry(ctx, weight.shape[1:-1]), **sizes, **matrix_params(ctx, made)}
    return Call(matrix_fixed(ctx, made), params, (x.name,))


def _is_depthwise(ctx: Context) -> str | None:
    if (reason := _groups.one_scale(ctx)) is not None:
        return reason
    x, weight, groups = ctx.ins[0], ctx.ins[1], ctx.node.integer("groups")
    if groups != x.shape[-1]:
        return not_depthwise(ctx, f"{groups} groups for {x.shape[-1]} channels; a depthwise layer has one for each")
    if weight.shape[0] != groups:
        return f"{weight.shape[0] // groups} filters for each channel; it takes one"
    return None


def _depthwise(ctx: Context) -> Call:
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    assert weight.data is not None
    # (C, *kernel, 1) -> (*kernel, C)
    across = np.moveaxis(weight.data[..., 0], 0, -1)
    params = {**geometry(ctx, weight.shape[1:-1]), "channels": x.shape[-1], **channel_params(ctx, made)}
    params["weight"] = weight_blob(ctx, across)
    return Call(matrix_fixed(ctx, made), params, (x.name,))


#: those that also run where codes share bytes; with Helium after fields, which expand no weights: RAM is what counts
_PACKED_MVE = (_mve_scaled.DEPTHWISE, _mve_narrow.DEPTHWISE, _mve_scaled.CONV, _mve_narrow.CONV)
_PACKED = (
    _dsp.DEPTHWISE,
    _dsp_narrow.DEPTHWISE,
    _dsp_first.CONV,
    _dsp.CONV,
    _dsp_narrow.CONV,
    *_scalar.CONV,
    _scalar_narrow.CONV,
)

VARIANTS = (
    _mve_scaled.DEPTHWISE,
    _mve_narrow.DEPTHWISE,
    _mve_scaled.DIRECT,
    _mve_scaled.FIRST_LAYER,
    _mve_scaled.CONV,
    _mve_narrow.CONV,
    _lanes.VECTOR_CONV,
    _dsp.DEPTHWISE,
    _dsp_narrow.DEPTHWISE,
    _dsp_fields.CONV,
    *map(_packed.packed, _PACKED_MVE),
    _dsp_first.CONV,
    _dsp.CONV,
    _dsp_narrow.CONV,
    *_scalar.CONV,
    _scalar_narrow.CONV,
    *map(_packed.packed, _PACKED),
    _lanes.DEPTHWISE,
    _lanes.CONV,
    _khot.CONV,
    *_groups.CONV,
    Variant(PORTABLE, "conv_depthwise", "four channels side by side", _is_depthwise, _depthwise),
    Variant(PORTABLE, "conv", "four output channels share each input", _groups.in_words, _generic),
)
