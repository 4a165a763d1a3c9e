"""conv in C: a generic kernel, and one for depthwise layers whose channels lie side by side."""

from __future__ import annotations

from edgeq.ir.graph import Node
from edgeq.mcu.ops._matrix import matrix_fixed, matrix_params, matrix_stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param


def two_axes(values: tuple[int, ...], fill: int) -> tuple[int, int]:
    """Entries for height and width; one spatial axis is the width of a height of one."""
    return (fill, values[0]) if len(values) == 1 else (values[0], values[1])


def begin_padding(node: Node) -> tuple[int, int]:
    """Padding before the first row and the first column."""
    return two_axes(node.ints("padding")[::2], 0)


def geometry(ctx: Context) -> dict[str, Param]:
    """The sizes, strides and paddings of a convolution with its groups."""
    x, weight, node = ctx.ins[0], ctx.ins[1], ctx.node
    found: dict[str, Param] = {}
    for prefix, values, fill in (
        ("in", x.shape[:-1], 1),
        ("out", ctx.out.shape[:-1], 1),
        ("kernel", weight.shape[1:-1], 1),
        ("stride", node.ints("stride"), 1),
        ("dilation", node.ints("dilation"), 1),
    ):
        found[f"{prefix}_h"], found[f"{prefix}_w"] = two_axes(values, fill)
    found["pad_h"], found["pad_w"] = begin_padding(node)
    return {**found, "in_c": x.shape[-1], "out_c": weight.shape[0], "groups": node.integer("groups")}


def _generic(ctx: Context) -> Call:
    made = matrix_stage(ctx)
    params = {**geometry(ctx), **matrix_params(ctx, made)}
    return Call(matrix_fixed(ctx, made), params, (ctx.ins[0].name,))


VARIANTS = (Variant(PORTABLE, "conv", "four output channels at a time", always, _generic),)
