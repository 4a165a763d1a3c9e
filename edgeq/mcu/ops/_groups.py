"""Weights with group scales in C: packed codes and a shift of four or eight bits for each group."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from edgeq.formats import FixedPoint, Grouped
from edgeq.ir import Value
from edgeq.mcu.ops._matrix import matrix_fixed, matrix_params, matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import PORTABLE, Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import pack, packed_type

#: shifts beyond it take a byte
NIBBLE = 15


def one_scale(ctx: Context) -> str | None:
    """The `supports` of a kernel that reads weights of one scale for each channel."""
    return "weights have group scales; it reads one for each channel" if _grouped(ctx) else None


def in_words(ctx: Context) -> str | None:
    """The `supports` of a kernel that reads `expanded` weights."""
    narrow = not _grouped(ctx) or _grid_bits(ctx.ins[1]) is not None
    return None if narrow else "weights that leave 32 bits on the grid of their finest group"


def supports(ctx: Context) -> str | None:
    """Group scales."""
    return None if _grouped(ctx) else Foreign("weights of one scale for each channel; it shifts group by group")


def _grouped(ctx: Context) -> bool:
    return isinstance(ctx.ins[1].format, Grouped)


def of_elements(ctx: Context) -> Context:
    """The same node with the elements of its weights alone, as kernels read them before they shift."""
    weight = ctx.ins[1]
    assert isinstance(weight.format, Grouped)
    values = {**ctx.graph.values, weight.name: replace(weight, format=weight.format.element)}
    return replace(ctx, graph=replace(ctx.graph, values=values))


def expanded(ctx: Context) -> Context:
    """The same node with weights of 8, 16 or 32 bits in place of group scales, for kernels that know of none."""
    weight = ctx.ins[1]
    fmt = weight.format
    if not isinstance(fmt, Grouped):
        return ctx
    assert weight.data is not None
    grid, bits = fmt.to_grid(weight.data), _grid_bits(weight)
    if bits is None:
        raise ctx.fail(f"its weights {fmt} leave 32 bits on the grid of their finest group; use closer group scales")
    plain = replace(weight, format=FixedPoint(bits, fmt.frac, True, fmt.channel_axis), data=grid)
    return replace(ctx, graph=replace(ctx.graph, values={**ctx.graph.values, weight.name: plain}))


def _grid_bits(weight: Value) -> int | None:
    """Bits of the integers that hold the grid of weights; None beyond 32."""
    assert weight.data is not None
    grid = weight.format.to_grid(weight.data)
    least, most = int(grid.min()), int(grid.max())
    return next((b for b in (8, 16, 32) if -(1 << (b - 1)) <= least and most < 1 << (b - 1)), None)


def scales(ctx: Context) -> tuple[str, Blob]:
    """eq_type and array of the shifts; zeros need none, and in C none may be as wide as the sum."""
    weight = ctx.ins[1]
    fmt = weight.format
    assert isinstance(fmt, Grouped)
    assert weight.data is not None
    used = fmt.shifts_along(weight.shape) * (fmt.to_grid(weight.data) != 0)
    shifts = np.maximum.reduceat(used, np.arange(0, weight.shape[-1], min(fmt.group, weight.shape[-1])), axis=-1)
    kind = FixedPoint(4 if shifts.max() <= NIBBLE else 8, 0, False)
    ctype, data = pack(shifts.reshape(-1), kind)
    note = f"shift of each group of {fmt.group} weights of {ctx.node.source}"
    return packed_type(kind), Blob(f"{identifier(ctx.node.name)}_scale", ctype, data, note)


def _sizes(ctx: Context) -> dict[str, Param]:
    """Geometry of a convolution; rows times weights are pixels one below the other."""
    x, weight = ctx.ins[0], ctx.ins[1]
    ends: dict[str, Param] = {"in_c": x.shape[-1], "out_c": weight.shape[0]}
    if ctx.node.op == "conv":
        return {**geometry(ctx, weight.shape[1:-1]), **ends, "groups": ctx.node.integer("groups")}
    ones = ("in_w", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "groups")
    rows = prod(x.shape[:-1])
    return {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_h": rows, "out_h": rows, **ends}


def call(ctx: Context) -> Call:
    """Parameters of `eq_conv_groups_t`."""
    fmt, channels, made = ctx.ins[1].format, ctx.ins[1].shape[-1], matrix_stage(ctx)
    assert isinstance(fmt, Grouped)
    inner = of_elements(ctx)
    kind, scale = scales(ctx)
    params: dict[str, Param] = {f"conv.{k}": v for k, v in {**_sizes(ctx), **matrix_params(inner, made)}.items()}
    params |= {"group": min(fmt.group, channels), "scales": -(-channels // fmt.group), "scale": scale}
    xt, wt, *rest = matrix_fixed(inner, made)
    return Call((xt, wt, kind, *rest), params, (ctx.ins[0].name,))


def supports_expanded(ctx: Context) -> str | None:
    """Group scales of weights that serve several pixels, in 32 bits."""
    if (reason := supports(ctx)) is not None:
        return reason
    weight = ctx.ins[1]
    if ctx.out.size == weight.shape[0]:
        return "one pixel; its weights, which serve only once, are not expanded"
    return None if _grid_bits(weight) else "weights that leave 32 bits on the grid of their finest group"


def call_expanded(ctx: Context) -> Call:
    """Parameters of `eq_conv_expanded_t`, and scratch for four filters."""
    made, weight = call(ctx), ctx.ins[1]
    bits = _grid_bits(weight)
    assert bits is not None
    xt, wt, st, *rest = made.fixed
    size = 4 * prod(weight.shape[1:]) * bits // 8
    return Call((xt, wt, st, f"EQ_S({bits})", *rest), made.params, made.inputs, size)


_EXPANDED = "packed weights of four output channels expanded for all pixels"
CONV = (
    Variant(PORTABLE, "conv_expanded", _EXPANDED, supports_expanded, call_expanded),
    Variant(PORTABLE, "conv_groups", "group by group, four output channels share each input", supports, call),
)
