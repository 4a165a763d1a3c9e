"""Lowering for cores without a multiplier: weights of few digits as lists of the elements to add and to subtract."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.formats import FixedPoint
from edgeq.formats.khot import binary_places, count_digits, digit_masks
from edgeq.mcu.costs import NO_MULTIPLIER
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._matrix import channel_params, matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

Codes = npt.NDArray[np.int64]
KHOT = "khot"
#: digits of a weight: each takes a byte, where a product takes one for the whole weight
MOST_DIGITS = 3
#: bits of the elements of x
MOST_BITS = 16


def supports(ctx: Context) -> str | None:
    """Integers times weights of few digits, summed in 32 bits; any window, groups and dilation."""
    if NO_MULTIPLIER not in ctx.features:
        return Foreign("the core has a multiplier")
    x, out = ctx.ins[0].format, ctx.out.format
    for fmt in (x, out):
        if not isinstance(fmt, FixedPoint) or fmt.bits > MOST_BITS:
            return f"{fmt}; it reads and writes integers of up to {MOST_BITS} bits"
    most = int(count_digits(_scale.weight_grid(ctx)).max(initial=0))
    if most > MOST_DIGITS:
        return f"weights of up to {most} digits; it takes {MOST_DIGITS}, a byte of flash for each"
    if matrix_stage(ctx).wide:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    return None


def lists(grid: Codes, groups: int) -> npt.NDArray[np.unsignedinteger]:
    """The lists of firmware/kernels/conv_khot.h, in bytes where windows are small enough.

    grid: (channels, taps, elements of a tap in a group). Elements are numbered through all groups.
    """
    channels, taps, each = grid.shape
    masks, found = digit_masks(grid.reshape(channels, -1)), list[int]()
    for channel, row in enumerate(zip(*masks, strict=True)):
        first = channel // (channels // groups) * each
        for place in reversed(range(binary_places(grid))):
            for mask in row:
                tap, element = np.divmod(np.flatnonzero(mask >> place & 1), each)
                found += [len(tap), *(tap * groups * each + first + element).tolist()]
    return np.asarray(found, dtype=np.uint8 if taps * groups * each < 256 else np.uint16)


def _call(ctx: Context, grid: Codes, sizes: dict[str, int], groups: int = 1) -> Call:
    """Parameters of `eq_conv_khot_t`. grid: as `lists` takes it; sizes: the geometry, and channels of x."""
    x, made, digits = ctx.ins[0], matrix_stage(ctx), lists(grid, groups)
    pixel, window = sizes["in_c"], grid.shape[1] * grid.shape[2] * groups
    line, kind = sizes["in_w"] * pixel, storage(x.format)
    direct = window == pixel and not (sizes["pad_h"] or sizes["pad_w"])
    note = f"digits of the weights of {ctx.node.source}, {ctx.ins[1].format}: elements to add, elements to subtract"
    params: dict[str, Param] = {
        **sizes,
        "out_c": len(grid),
        "origin": -(sizes["pad_h"] * line + sizes["pad_w"] * pixel),
        "tap": sizes["dilation_w"] * pixel,
        "row": sizes["dilation_h"] * line,
        "right": sizes["stride_w"] * pixel,
        "down": sizes["stride_h"] * line,
        "places": binary_places(grid),
        "digits": Blob(f"{identifier(ctx.node.name)}_digits", f"{digits.dtype}_t", digits, note),
        **channel_params(ctx, made),
    }
    fixed = (kind.eq_type, f"EQ_U({8 * digits.itemsize})", *made.fixed[:2], str(direct).lower())
    return Call(fixed, params, (x.name,), 4 if direct else window * kind.dtype.itemsize)


def conv(ctx: Context) -> Call:
    """A convolution, whatever its groups."""
    found, grid = geometry(ctx, ctx.ins[1].shape[1:-1]), _scale.weight_grid(ctx)
    sizes = {key: value for key, value in found.items() if isinstance(value, int)}
    taps = grid.reshape(len(grid), -1, grid.shape[-1])
    return _call(ctx, taps, {**sizes, "in_c": ctx.ins[0].shape[-1]}, ctx.node.integer("groups"))


def linear(ctx: Context) -> Call:
    """Rows times weights: pixels in one row times a filter of one tap."""
    grid = _scale.weight_grid(ctx)
    inputs = grid.shape[1]
    rows = ctx.ins[0].size // inputs
    ones = ("in_h", "out_h", "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    sizes = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": rows, "out_w": rows, "in_c": inputs}
    return _call(ctx, grid[:, None, :], sizes)


GAIN = "additions for the digits of weights, no product"
CONV = Variant(KHOT, "conv_khot", GAIN, supports, conv)
LINEAR = Variant(KHOT, "conv_khot", GAIN, supports, linear)
