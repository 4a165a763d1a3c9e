"""Lowering for cores that make one product at a time (ARMv6-M, ARMv7-M, RV32IM): 8-bit codes, weights as streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.formats import Affine, FixedPoint, Format
from edgeq.ir.ops._matrix import aligned_bias
from edgeq.mcu.ops import _dsp_scaled_bytes, _scale
from edgeq.mcu.ops._dsp import DSP, is_byte, one_window
from edgeq.mcu.ops._matrix import matrix_stage, not_depthwise
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

Codes = npt.NDArray[np.int64]
SCALAR = "scalar"
#: features of the cores: ARMv6-M, whose kernels take eight channels of one pixel, and those that take four of several
EIGHT = "thumb1"
FOUR = ("thumb2", "rv32m")
#: bytes of gathered windows, unless that makes strips shorter than LEAST_STRIP
GATHERED = 640
LEAST_STRIP = 4
#: instructions of a product, and of joining an element of a pixel with that of its neighbour
EIGHT_COST, PAIR_COST, JOIN_COST = 3.25, 2.7, 3
#: without a long product, sums before a multiplier stay below this
MOST_SUM = 1 << 29


def _no_core(ctx: Context) -> str | None:
    if EIGHT in ctx.features or any(f in ctx.features for f in FOUR):
        return None
    return Foreign("the core is none of those it is written for")


def _is_byte(fmt: Format) -> bool:
    """Whether codes are integers in a byte."""
    return (isinstance(fmt, Affine) and storage(fmt).bits == 8) or is_byte(fmt)


def _signed(fmt: Format) -> bool:
    return storage(fmt).dtype.kind == "i"


def _stage_reason(ctx: Context) -> str | None:
    """A reason why the output stage is not one of edgeq_scalar.h."""
    if not ctx.scaled:
        made = matrix_stage(ctx)
        # The least code is taken off before sums are clamped.
        low, high = ctx.accumulator.lo + min(made.lo, 0), ctx.accumulator.hi - min(made.lo, 0)
        if made.wide or low < INT32[0] or high > INT32[1]:
            return f"the sum needs {ctx.accumulator.bits} bits; it has 32, less the range of a code"
        if made.rule != "EQ_FLOOR":
            return f"rounds {made.rule}; it has half_up and floor, to the right"
        return None
    if (reason := _scale.needs_multiplier(ctx)) is not None:
        return reason
    if _scale.rule(ctx) != "EQ_TFLITE":
        return "it rounds as TensorFlow Lite does"
    if min(ctx.node.ints("shift")) < 32:
        return "scales of a half and more; its shifts begin at 32"
    lo, hi = ctx.accumulator.lo, ctx.accumulator.hi
    if lo <= -MOST_SUM or hi >= MOST_SUM:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 30 before a multiplier"
    return None


def _matrix_reason(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not bytes times signed bytes, summed in 32 bits, on such a core."""
    if (reason := _no_core(ctx)) is not None:
        return reason
    x, weight = ctx.ins[0].format, ctx.ins[1].format
    for fmt in (x, ctx.out.format):
        if not _is_byte(fmt):
            return f"{fmt}; it reads and writes integers of up to 8 bits, unpacked"
    if isinstance(weight, FixedPoint) and not (weight.width == 8 and weight.signed):
        return f"weights {weight}; it reads 8 bits, signed"
    if not isinstance(weight, FixedPoint | Affine):
        return f"weights {weight}; it reads integers"
    grid = _weights(ctx)
    if grid.size and not (grid.min() >= -128 and grid.max() <= 127):
        return f"weights {grid.min()}..{grid.max()}; it reads 8 bits, signed"
    return _stage_reason(ctx)


def _weights(ctx: Context) -> Codes:
    """Weights as the integers that are multiplied: (channels, …)."""
    weight = ctx.ins[1]
    assert weight.data is not None
    return _scale.weight_grid(ctx) if ctx.scaled else weight.data.astype(np.int64)


def _stage(ctx: Context) -> tuple[Codes, dict[str, Param]]:
    """Start values of the sums (bias and rounding constant), one a channel; and the fields of `stage`."""
    channels, name = ctx.ins[1].shape[0], identifier(ctx.node.name)
    start = np.zeros(channels, dtype=np.int64)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    multiplier: Param = 0
    if ctx.scaled:
        shifts = np.asarray(ctx.node.ints("shift")) - 32
        (lo, hi), zero = _scale.code_bounds(ctx), _scale.zero_of(ctx.out.format)
        values = np.asarray(ctx.node.ints("multiplier"), dtype=np.uint32)
        multiplier = Blob(f"{name}_multiplier", "uint32_t", values, f"multipliers of {ctx.node.source}")
    else:
        made = matrix_stage(ctx)
        shifts = np.minimum(np.asarray(made.shifts), 31)
        lo, hi, zero = made.lo, made.hi, 0
        start = start + np.asarray(made.starts, dtype=np.int64)
    note = (
        f"shifts after the multipliers of {ctx.node.source}, less by one"
        if ctx.scaled
        else f"shifts of {ctx.node.source}"
    )
    params: dict[str, Param] = {
        "stage.multiplier": multiplier,
        "stage.shift": Blob(f"{name}_shift", "uint8_t", shifts.astype(np.uint8), note),
        "stage.each": int(len(shifts) > 1),
        "stage.zero": zero,
        "stage.lo": max(lo, INT32[0]),
        "stage.hi": min(hi, INT32[1]),
    }
    return start, params


def _start(ctx: Context, start: Codes) -> Blob:
    words = (start & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    note = f"start values of the sums of {ctx.node.source}: bias and all that constants add"
    return Blob(f"{identifier(ctx.node.name)}_start", "int32_t", words, note)


def _flip(ctx: Context, unsigned: bool) -> tuple[dict[str, Param], int]:
    """The fields flip and fill, and the number that a kernel sees for zero."""
    signed, zero = _signed(ctx.ins[0].format), _scale.zero_of(ctx.ins[0].format)
    seen = zero + 128 if unsigned and signed else zero
    return {"flip": 128 if unsigned and signed else 0, "fill": seen & 0xFF}, seen


def stream(weight: Codes, form: str) -> npt.NDArray[np.uint8]:
    """The bytes of all blocks, as edgeq_scalar.h says. weight: (channels, elements of a window)."""
    block = 8 if form == "EQ_SCALAR_EIGHT" else 4
    codes = weight if form == "EQ_SCALAR_FOUR" else weight + 128
    padded = np.pad(codes, ((0, -len(codes) % block), (0, -codes.shape[1] % 4)))
    blocks = padded.reshape(-1, block, padded.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(blocks & 0xFF).astype(np.uint8).reshape(-1)


def _strip(width: int, stride: int, kernel: int, column: int) -> int:
    """Pixels whose windows are gathered together: as many as fit, in strips of about one length."""
    fit = max(((GATHERED // column) - kernel) // stride + 1, LEAST_STRIP)
    count = -(-width // fit)
    even = -(-width // count)
    return min(width, -(-even // LEAST_STRIP) * LEAST_STRIP)


def _form(ctx: Context, sizes: Mapping[str, int], channels: int) -> str:
    width = sizes["out_w"]
    if sizes["out_h"] * width == 1:
        # One pixel alone has no other to share weights with.
        return "EQ_SCALAR_EIGHT"
    if EIGHT not in ctx.features:
        return "EQ_SCALAR_FOUR"
    # An odd pixel has no neighbour, and a missing channel costs as much as one that is there.
    pairs = (width + width % 2) * (PAIR_COST * (channels + -channels % 4) + JOIN_COST)
    return "EQ_SCALAR_PAIRS" if pairs < width * EIGHT_COST * (channels + -channels % 8) else "EQ_SCALAR_EIGHT"


def _conv(ctx: Context, weight: Codes, sizes: Mapping[str, int]) -> Call:
    """Parameters of `eq_conv_scalar_t`. weight: (channels, rows, columns, elements of a pixel)."""
    form = _form(ctx, sizes, len(weight))
    unsigned = form != "EQ_SCALAR_FOUR"
    start, stage = _stage(ctx)
    flip, zero = _flip(ctx, unsigned)
    columns = weight.swapaxes(1, 2).reshape(len(weight), -1)
    kernel, pixel, terms = sizes["kernel_w"], weight.shape[-1], columns.shape[1] + -columns.shape[1] % 4
    column = sizes["kernel_h"] * pixel
    strip = _strip(sizes["out_w"], sizes["stride_w"], kernel, column)
    direct = not unsigned and weight.shape[1:3] == (1, 1) and not (sizes["pad_h"] or sizes["pad_w"] or pixel % 4)
    reach = (strip - 1) * sizes["stride_w"] + kernel
    words = (reach if unsigned else 0) + (terms if form == "EQ_SCALAR_PAIRS" else 0)
    scratch = 4 if direct else 4 * words + reach * column + 4
    note = f"weights of {ctx.node.source}, {ctx.ins[1].format}, in the order of the kernel"
    params: dict[str, Param] = {
        **sizes,
        "out_c": len(weight),
        "pixel": pixel,
        "terms": terms,
        "strip": strip,
        **flip,
        "weight": Blob(f"{identifier(ctx.node.name)}_weight", "uint8_t", stream(columns, form), note),
        "start": _start(ctx, start - zero * columns.sum(axis=1)),
        **stage,
    }
    flags = (pixel % 4 == 0, direct, _signed(ctx.ins[0].format), ctx.scaled)
    return Call((form, *(str(f).lower() for f in flags)), params, (ctx.ins[0].name,), scratch)


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return _no_core(ctx) or one_window(ctx) or _matrix_reason(ctx)


def _sizes(ctx: Context) -> dict[str, int]:
    found = geometry(ctx, ctx.ins[1].shape[1:-1])
    del found["dilation_h"], found["dilation_w"]
    return {key: value for key, value in found.items() if isinstance(value, int)}


def _one_row(sizes: dict[str, int]) -> dict[str, int]:
    """The same convolution with all pixels in one row, where each output sees one pixel of its own."""
    if any(sizes[key] != 1 for key in ("kernel_h", "kernel_w", "stride_h", "stride_w")):
        return sizes
    if sizes["pad_h"] or sizes["pad_w"] or (sizes["in_h"], sizes["in_w"]) != (sizes["out_h"], sizes["out_w"]):
        return sizes
    pixels = sizes["in_h"] * sizes["in_w"]
    return {**sizes, "in_h": 1, "out_h": 1, "in_w": pixels, "out_w": pixels}


def conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_scalar_t`."""
    sizes, grid = _one_row(_sizes(ctx)), _weights(ctx)
    return _conv(ctx, grid.reshape(len(grid), sizes["kernel_h"], sizes["kernel_w"], -1), sizes)


def linear(ctx: Context) -> Call:
    """Parameters of `eq_conv_scalar_t` that make rows times weights of pixels times a filter of one tap."""
    grid = _weights(ctx)
    count = ctx.ins[0].size // grid.shape[1]
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_h", "out_h")
    sizes = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count}
    return _conv(ctx, grid[:, None, None, :], sizes)


def supports_depthwise(ctx: Context) -> str | None:
    """One filter for each channel; any kernel, stride and padding."""
    if (reason := _no_core(ctx)) is not None:
        return reason
    x, weight, groups = ctx.ins[0], ctx.ins[1], ctx.node.integer("groups")
    if groups != x.shape[-1] or weight.shape[0] != groups:
        reason = f"{groups} groups, {x.shape[-1]} channels, {weight.shape[0]} filters; it takes as many of each"
        return not_depthwise(ctx, reason)
    if any(d != 1 and k != 1 for d, k in zip(ctx.node.ints("dilation"), weight.shape[1:-1], strict=True)):
        return f"dilation {ctx.node.ints('dilation')}; its taps lie side by side"
    return _matrix_reason(ctx)


def _lengthwise(sizes: dict[str, int]) -> dict[str, int]:
    """The same window with an axis of one column laid along the rows."""
    if sizes["in_w"] != 1 or sizes["kernel_w"] != 1 or sizes["out_w"] != 1 or sizes["pad_w"]:
        return sizes
    other = {"h": "w", "w": "h"}
    return {key[:-1] + other[key[-1]]: value for key, value in sizes.items()}


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_scalar_t`."""
    sizes, grid = _lengthwise(_sizes(ctx)), _weights(ctx)
    weight = grid.reshape(len(grid), -1)
    rows, columns = sizes.pop("kernel_h"), sizes.pop("kernel_w")
    start, stage = _stage(ctx)
    flip, zero = _flip(ctx, True)
    width = (sizes["out_w"] - 1) * sizes["stride_w"] + columns
    # A row of y takes stride rows of the plane and four bytes for each of its sums.
    row = sizes["stride_h"] * width + 4 * sizes["out_w"]
    strip = min(max(GATHERED // row, LEAST_STRIP), sizes["out_h"])
    note = f"weights of {ctx.node.source}, {ctx.ins[1].format}"
    params: dict[str, Param] = {
        **sizes,
        "channels": len(weight),
        "strip": strip,
        "width": width,
        **flip,
        "weight": Blob(f"{identifier(ctx.node.name)}_weight", "int8_t", weight.astype(np.int8).reshape(-1), note),
        "start": _start(ctx, start - zero * weight.sum(axis=1)),
        **stage,
    }
    scratch = width * ((strip - 1) * sizes["stride_h"] + rows) + 4 * strip * sizes["out_w"]
    return Call((str(rows), str(columns), str(ctx.scaled).lower()), params, (ctx.ins[0].name,), scratch)


def _as_dsp(ctx: Context) -> Context:
    """The same node on a core for which a line through both operands was made first."""
    return replace(ctx, features=ctx.features | {DSP})


def supports_sum(ctx: Context) -> str | None:
    """Where a line through both operands gives the code of each pair."""
    return _no_core(ctx) or _dsp_scaled_bytes.supports_line(_as_dsp(ctx))


def sum_of_two(ctx: Context) -> Call:
    """Parameters of `eq_add_scaled_scalar_t`."""
    call = _dsp_scaled_bytes.by_line(_as_dsp(ctx))
    return replace(call, fixed=call.fixed[:3])


#: kernels of convolutions, with and without multipliers
CONV = (
    Variant(SCALAR, "conv_depthwise_scalar", "one channel in rows side by side", supports_depthwise, depthwise),
    Variant(SCALAR, "conv_scalar", "eight channels, or four by several pixels, at a time", supports_conv, conv),
)
LINEAR = (Variant(SCALAR, "conv_scalar", "eight channels, or four by several rows, at a time", _matrix_reason, linear),)
#: sums and differences of two scales
SUM = (Variant(SCALAR, "add_scaled_scalar", "one line through both operands", supports_sum, sum_of_two),)
