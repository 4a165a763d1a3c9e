"""Geometry of sliding windows, one spatial axis as the width of a height of one."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.mcu.select import Context
from edgeq.mcu.step import Param


def height_width(values: Sequence[int], fill: int = 1) -> tuple[int, int]:
    """Entries for height and width; one spatial axis has a height of `fill`."""
    return (fill, values[0]) if len(values) == 1 else (values[0], values[1])


def geometry(ctx: Context, kernel: Sequence[int]) -> dict[str, Param]:
    """Sizes without channels, kernel, stride, padding at the beginning, and dilation where the operator has one."""
    x, node = ctx.ins[0], ctx.node
    found: dict[str, Param] = {}
    for prefix, values, fill in (
        ("in", x.shape[:-1], 1),
        ("out", ctx.out.shape[:-1], 1),
        ("kernel", kernel, 1),
        ("stride", node.ints("stride"), 1),
        ("pad", node.ints("padding")[::2], 0),
        *((("dilation", node.ints("dilation"), 1),) if "dilation" in node.attrs else ()),
    ):
        found[f"{prefix}_h"], found[f"{prefix}_w"] = height_width(values, fill)
    return found


def window(ctx: Context) -> dict[str, Param]:
    """Geometry of a pool."""
    return {**geometry(ctx, ctx.node.ints("kernel")), "channels": ctx.ins[0].shape[-1]}
