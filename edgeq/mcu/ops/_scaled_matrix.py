"""Kernels for scales that are no power of two: transposed convolutions, products of two matrices, bilinear resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgeq.mcu.ops import _scale, resize_bilinear
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import PORTABLE, Call, Context, Variant
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _conv_transpose(ctx: Context) -> Call:
    """Parameters of `eq_conv_transpose_scaled_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    # How many taps reach an output differs between outputs, so the zero point cannot be in the bias.
    wide, params = _scale.matrix(ctx, fold=False)
    kind, blob = _scale.weight_blob(ctx, _scale.weight_grid(ctx))
    sizes: dict[str, Param] = {
        **geometry(ctx, weight.shape[1:-1]),
        "in_c": x.shape[-1],
        "out_c": weight.shape[0],
        "groups": ctx.node.integer("groups"),
        "x_zero": _scale.zero_of(x.format),
    }
    fixed = (*_scale.types(ctx), kind, storage(ctx.out.format).eq_type, _scale.rule(ctx), str(wide).lower())
    return Call(fixed, {**sizes, "weight": blob, **params}, (x.name,))


def _two_matrices(ctx: Context) -> str | None:
    if (reason := _scale.needs_multiplier(ctx)) is not None:
        return reason
    second = ctx.ins[1]
    if second.format.kind not in ("fixed", "affine") or second.format.bits > 16:
        return f"{second.name} is {second.format}; it reads integers of up to 16 bits"
    return None


def _matmul(ctx: Context) -> Call:
    """Parameters of `eq_matmul_scaled_t`."""
    a, b = ctx.ins
    acc = ctx.accumulator
    params: dict[str, Param] = {
        "batch": prod(a.shape[:-2]),
        "rows": a.shape[-2],
        "terms": a.shape[-1],
        "columns": b.shape[-1],
        "a_zero": _scale.zero_of(a.format),
        "b_zero": _scale.zero_of(b.format),
        **_scale.scale_params(ctx),
        "a": plain_constant(ctx, a, "a"),
        "b": plain_constant(ctx, b, "b"),
    }
    wide = str(acc.lo < INT32[0] or acc.hi > INT32[1]).lower()
    types = (*_scale.types(ctx, constants=True), storage(ctx.out.format).eq_type)
    return Call((*types, _scale.rule(ctx), wide), params, tuple(v.name for v in (a, b) if not v.constant))


#: operator -> its kernels for scales that are no power of two, best first
OTHERS: dict[str, Sequence[Variant]] = {
    "conv_transpose": (
        Variant(PORTABLE, "conv_transpose_scaled", "each tap once", _scale.needs_multiplier, _conv_transpose),
    ),
    "matmul": (Variant(PORTABLE, "matmul_scaled", "one column at a time", _two_matrices, _matmul),),
    "resize_bilinear": resize_bilinear.SCALED,
}
