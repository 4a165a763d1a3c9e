"""Lowering for Cortex-M cores with DSP of first layers: convolutions of one to three channels, scaled or not."""

from __future__ import annotations

import numpy as np

from edgeq.mcu.costs import FIRST_CHANNELS
from edgeq.mcu.ops import _dsp, _dsp_scaled, _scale
from edgeq.mcu.ops._dsp import Codes
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Param

#: bytes of scratch that a strip of windows should not exceed where there is room
SCRATCH = 4096


def column_order(rows: int, columns: int, channels: int) -> Codes:
    """The elements of the units of a window column by column, (units, 2), as edgeq_dsp_columns.h says; -1: none."""
    row = columns * channels
    one = [(y * row + c, (y + 1) * row + c) for y in range(0, rows - 1, 2) for c in range(channels)]
    if rows % 2:
        at = (rows - 1) * row
        one += [[(at, -1)], [(at, at + 1)], [(at, at + 2), (at + 1, -1)]][channels - 1]
    column = np.array(one, dtype=np.int64)
    found: Codes = np.concatenate([np.where(column < 0, -1, column + x * channels) for x in range(columns)])
    return found


def _window(ctx: Context) -> dict[str, int]:
    sizes = {key: value for key, value in geometry(ctx, ctx.ins[1].shape[1:-1]).items() if isinstance(value, int)}
    return {key: value for key, value in sizes.items() if not key.startswith("dilation")}


def supports(ctx: Context) -> str | None:
    """One to three channels, one group, taps side by side, and no more units than gathering rows would need."""
    channels = ctx.ins[0].shape[-1]
    if (reason := _dsp.has_dsp(ctx)) is not None:
        return reason
    if channels > FIRST_CHANNELS:
        return Foreign(f"{channels} channels; it takes up to {FIRST_CHANNELS}")
    if (reason := _dsp.one_window(ctx) or (_dsp_scaled if ctx.scaled else _dsp).byte_matrix(ctx)) is not None:
        return reason
    sizes = _window(ctx)
    rows, columns = sizes["kernel_h"], sizes["kernel_w"]
    mine, others = len(column_order(rows, columns, channels)), len(_dsp.window_order(rows, columns * channels))
    return f"{mine} pairs of taps column by column, {others} row by row" if mine > others else None


def call(ctx: Context) -> Call:
    """Parameters of `eq_conv_first_dsp_t`."""
    x, weight, sizes = ctx.ins[0], ctx.ins[1], _window(ctx)
    channels, columns = x.shape[-1], sizes["kernel_w"]
    order = column_order(sizes["kernel_h"], columns, channels)
    units = len(order) // columns
    most = (ctx.strip(SCRATCH) // (8 * units) - columns) // sizes["stride_w"] + 1
    chunk = min(max(most - most % 2, 2), sizes["out_w"])
    width = (chunk - 1) * sizes["stride_w"] + columns
    params: dict[str, Param] = {**sizes, "out_c": weight.shape[0], "chunk": chunk, "x_zero": _scale.zero_of(x.format)}
    made = (_dsp_scaled if ctx.scaled else _dsp).matrix_call(ctx, order, params)
    fixed = (*made.fixed, *(() if ctx.scaled else ("EQ_STAGE_SHIFT",)), str(channels))
    return Call(fixed, {**made.params, "units": units}, (x.name,), (8 * units + channels) * width)


CONV = Variant(_dsp.DSP, "conv_first_dsp", "columns of two rows laid once, two pixels by four channels", supports, call)
