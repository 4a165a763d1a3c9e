"""resize_bilinear in C: four neighbours with weights that were made with the graph."""

from __future__ import annotations

import numpy as np

from edgeq.formats import CODE_RULE, DEFAULT_RULE
from edgeq.ir.operator import frac_of
from edgeq.ir.ops.resize_bilinear import fraction_bits, positions
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32, stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage


def _places(ctx: Context) -> dict[str, Param]:
    """Sizes, and for each row and column: where the two neighbours lie, and their weights."""
    x, node = ctx.ins[0], ctx.node
    channels, one = x.shape[-1], 1 << node.integer("bits")
    steps = (x.shape[-2] * channels, channels)[-len(node.ints("size")) :]
    tables = [
        np.stack([low * step, high * step, one - weight, weight], axis=1)
        for step, (low, high, weight) in zip(steps, positions(node), strict=True)
    ]
    if len(tables) == 1:
        tables.insert(0, np.array([[0, 0, 1, 0]]))
    name = identifier(node.name)
    note = "two places in x and their weights, for each"
    return {
        "out_h": len(tables[0]),
        "out_w": len(tables[1]),
        "channels": channels,
        "rows": Blob(f"{name}_rows", "int32_t", tables[0].astype(np.int32).reshape(-1), f"{note} row"),
        "columns": Blob(f"{name}_columns", "int32_t", tables[1].astype(np.int32).reshape(-1), f"{note} column"),
    }


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    made = stage(ctx, (frac_of(x) + fraction_bits(ctx.node),))
    ends: dict[str, Param] = {"shift": made.shifts[0], "start": made.starts[0], "lo": made.lo, "hi": made.hi}
    return Call((storage(x.format).eq_type, *made.fixed), {**_places(ctx), **ends}, (x.name,))


def _of_one_scale(ctx: Context) -> str | None:
    if "multiplier" in ctx.node.attrs:
        return "has a multiplier; it keeps its scale"
    wide = [v for v in (ctx.ins[0], ctx.out) if v.format.bits > 16]
    return f"{wide[0].name} is {wide[0].format}; it reads and writes up to 16 bits" if wide else None


def _scaled(ctx: Context) -> Call:
    x, made, bits = ctx.ins[0], ctx.out.format, fraction_bits(ctx.node)
    rule, (lo, hi) = ctx.node.text("rounding", DEFAULT_RULE), _scale.code_bounds(ctx)
    reach = ctx.interval(x)
    most = (max(-reach.lo, reach.hi, 0) + abs(_scale.zero_of(made)) + 1) << bits
    ends: dict[str, Param] = {
        "x_zero": _scale.zero_of(x.format),
        "y_zero": _scale.zero_of(made),
        "shift": bits,
        "lo": lo,
        "hi": hi,
    }
    away = rule == CODE_RULE
    fixed = (
        storage(x.format).eq_type,
        storage(made).eq_type,
        "EQ_HALF_UP" if away else _scale.rule(ctx),
        str(away).lower(),
        str(most > INT32[1]).lower(),
    )
    return Call(fixed, {**_places(ctx), **ends}, (x.name,))


VARIANTS = (Variant(PORTABLE, "resize_bilinear", "weights made with the graph", always, _generic),)
#: where scales are no power of two
SCALED = (Variant(PORTABLE, "resize_bilinear_scaled", "weights made with the graph", _of_one_scale, _scaled),)
