"""Lowering for Cortex-M cores with DSP: what the fast kernels can run, and weights as the streams that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.formats import FixedPoint, Format
from edgeq.ir.ops._matrix import aligned_bias
from edgeq.mcu.ops._inplace import hold, rolling
from edgeq.mcu.ops._matrix import matrix_stage, not_depthwise
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import RatioStage, Stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

DSP = "dsp"
#: the sum of an odd channel of a dual block needs no more bits than this
DUAL_BITS = 24
Codes = npt.NDArray[np.int64]


def has_dsp(ctx: Context) -> str | None:
    """A reason why the board cannot run these kernels."""
    return None if DSP in ctx.features else Foreign("the core has no DSP instructions")


def is_byte(fmt: Format) -> bool:
    """Whether codes are fixed point, each in a byte of its own."""
    return isinstance(fmt, FixedPoint) and storage(fmt).bits == 8


def plain_stage(ctx: Context, made: Stage, *, left: bool = False) -> str | None:
    """A reason why an output stage is not one shift of 32 bits and one saturation to a byte.

    left: whether the kernel also shifts to the left.
    """
    if not is_byte(ctx.out.format):
        return f"output {ctx.out.format}; it writes fixed point of up to 8 bits, unpacked"
    if made.wide:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    if "EQ_LEFT" in made.rule and not left:
        return "the output is finer than the sum; it shifts to the right only"
    if made.rule.removesuffix(" | EQ_LEFT") != "EQ_FLOOR":
        return f"rounds {ctx.node.text('rounding', 'half_up')}; it has half_up and floor"
    if not made.lo <= 0 <= made.hi:
        return f"bounds {made.lo}..{made.hi} without zero"
    return None


def byte_matrix(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not bytes times signed bytes, summed in 32 bits."""
    x, weight = ctx.ins[0].format, ctx.ins[1].format
    if not is_byte(x):
        return f"input {x}; it reads fixed point of up to 8 bits, unpacked"
    if not (isinstance(weight, FixedPoint) and weight.width == 8 and weight.signed):
        return f"weights {weight}; it reads 8 bits, signed"
    return plain_stage(ctx, matrix_stage(ctx))


def one_window(ctx: Context) -> str | None:
    """A reason why a convolution's window is not rows of neighbouring bytes."""
    if ctx.node.integer("groups") != 1:
        return f"{ctx.node.integer('groups')} groups; it has one"
    if any(d != 1 and k != 1 for d, k in zip(ctx.node.ints("dilation"), ctx.ins[1].shape[1:-1], strict=True)):
        return f"dilation {ctx.node.ints('dilation')}; its taps lie side by side"
    return None


def bytes_by_bytes(ctx: Context) -> str | None:
    """A reason why the core or a node with constant weights does not suit."""
    return has_dsp(ctx) or byte_matrix(ctx)


def saturation(made: Stage | RatioStage) -> tuple[str, str]:
    """The fixed arguments sat and clamp of an output stage."""
    ranges = {"EQ_SAT_S8": (-128, 127), "EQ_SAT_U8": (0, 255), "EQ_SAT_U7": (0, 127)}
    sat = "EQ_SAT_S8" if made.lo < 0 else "EQ_SAT_U7" if made.hi <= 127 else "EQ_SAT_U8"
    return sat, "false" if ranges[sat] == (made.lo, made.hi) else "true"


def run_order(n: int) -> list[tuple[int, int]]:
    """The elements (low lane, high lane) of the units of a run of n bytes; -1 where a lane is empty."""
    order = [pair for i in range(0, n - n % 4, 4) for pair in ((i, i + 2), (i + 1, i + 3))]
    at, rest = n - n % 4, n % 4
    return order + [[], [(at, -1)], [(at, at + 1)], [(at, at + 2), (at + 1, -1)]][rest]


def window_order(rows: int, run: int) -> npt.NDArray[np.int64]:
    """The elements of the units of a window of `rows` runs: (units, 2)."""
    one = np.array(run_order(run), dtype=np.int64)
    found = [np.where(one < 0, -1, one + row * run) for row in range(rows)]
    return np.concatenate(found)


def is_dual(ctx: Context, weight: Codes) -> bool:
    """Whether two channels fit one SMLAD: see edgeq_dsp_block.h."""
    half = 1 << (DUAL_BITS - 1)
    lanes = 256 * weight[1::2] + weight[: len(weight) - len(weight) % 2 : 2]
    return (
        ctx.accumulator.lo >= -half and ctx.accumulator.hi < half and lanes.size > 0 and int(lanes.min()) >= -(1 << 15)
    )


def stream(weight: Codes, start: Codes, shifts: Sequence[int], order: npt.NDArray[np.int64], dual: bool) -> Codes:
    """The words of all blocks, as edgeq_dsp_block.h says.

    weight: (channels, elements of a window); start: (channels); shifts: one entry or one a channel.
    """
    channels = -(-len(weight) // 4) * 4
    padding = channels - len(weight)
    shift = np.broadcast_to(np.asarray(shifts, dtype=np.int64), (len(weight),))
    # A missing lane reads a column of zeros.
    padded = np.pad(weight, ((0, padding), (0, 1)))[:, order].reshape(channels // 4, 2, 2, -1, 2)
    even, odd = padded[:, :, 0], padded[:, :, 1]  # (blocks, pair of channels, unit, lane)
    start = np.pad(start, (0, padding)).reshape(-1, 2, 2)
    shift = np.pad(shift, (0, padding)).reshape(-1, 2, 2)
    if dual:
        lanes = 256 * odd + even
        start = np.stack([start[:, :, 0], 256 * start[:, :, 1] + start[:, :, 0]], axis=2)
        shift = shift + np.array([0, 8])
    else:
        lanes = 256 * (odd & 255) + (even & 255)
    words = (lanes[..., 0] & 0xFFFF) | (lanes[..., 1] & 0xFFFF) << 16
    shift = shift.reshape(-1, 4)
    packed = (shift << np.array([0, 8, 16, 24])).sum(axis=1)
    blocks = [start.reshape(-1, 4) & 0xFFFFFFFF, words.swapaxes(1, 2).reshape(len(words), -1), packed[:, None]]
    found: Codes = np.concatenate(blocks, axis=1).reshape(-1)
    return found


def starts(ctx: Context, made: Stage) -> Codes:
    """Start values of the sums: the bias on the grid of the products plus the rounding constant, one a channel."""
    start = np.broadcast_to(np.asarray(made.starts, dtype=np.int64), (ctx.ins[1].shape[0],))
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    found: Codes = start
    return found


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return has_dsp(ctx) or one_window(ctx) or byte_matrix(ctx)


def conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_dsp_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    sizes = geometry(ctx, weight.shape[1:-1])
    del sizes["dilation_h"], sizes["dilation_w"]
    rows, columns, channels = int(sizes["kernel_h"]), int(sizes["kernel_w"]), x.shape[-1]  # type: ignore[arg-type]
    order = window_order(rows, columns * channels)
    sizes |= {"out_c": weight.shape[0], "pixel": channels, "run": columns * channels}
    return rolling(_scratched(matrix_call(ctx, order, sizes), order), hold(ctx, ahead=2), weight.shape[0], "hold")


def supports_depthwise(ctx: Context) -> str | None:
    """One filter for each of four channels or more; any kernel, stride, padding and dilation."""
    x, weight, groups = ctx.ins[0], ctx.ins[1], ctx.node.integer("groups")
    if (reason := has_dsp(ctx)) is not None:
        return reason
    if groups != x.shape[-1] or weight.shape[0] != groups:
        reason = f"{groups} groups, {x.shape[-1]} channels, {weight.shape[0]} filters; it takes as many of each"
        return not_depthwise(ctx, reason)
    return bytes_by_bytes(ctx) or (f"{groups} channels; it takes 4 or more" if groups < 4 else None)


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_dsp_t`."""
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    assert weight.data is not None
    channels = x.shape[-1]
    codes = weight.data.reshape(channels, -1).astype(np.int64)
    taps = codes.shape[1] + codes.shape[1] % 2
    words = taps_stream(codes, starts(ctx, made), made.shifts)
    sizes = {**geometry(ctx, weight.shape[1:-1]), "channels": channels, "taps": taps, "lo": made.lo, "hi": made.hi}
    params: dict[str, Param] = {**sizes, "stream": _blob(ctx, words)}
    fixed = (str(x.format.signed).lower(), *saturation(made))
    call = Call(fixed, params, (x.name,), 4 * taps + -(-channels // 4) * 4)
    return rolling(call, hold(ctx, ahead=0), channels, "hold")


def taps_stream(weight: Codes, start: Codes, shifts: Sequence[int]) -> Codes:
    """The words of all blocks, as edgeq_dsp_taps.h says. weight: (channels, taps)."""
    channels = len(weight)
    first = np.minimum(np.arange(0, channels, 4), channels - 4)
    index = first[:, None] + np.arange(4)
    shift = np.broadcast_to(np.asarray(shifts, dtype=np.int64), (channels,))
    pairs = np.pad(weight, ((0, 0), (0, weight.shape[1] % 2)))[index].reshape(len(first), 4, -1, 2)
    words = (pairs[..., 0] & 0xFFFF) | (pairs[..., 1] & 0xFFFF) << 16
    packed = (shift[index] << np.array([0, 8, 16, 24])).sum(axis=1)
    blocks = [start[index] & 0xFFFFFFFF, words.swapaxes(1, 2).reshape(len(first), -1), packed[:, None]]
    found: Codes = np.concatenate(blocks, axis=1).reshape(-1)
    return found


def supports_linear(ctx: Context) -> str | None:
    """One vector: its bytes are read where they lie."""
    rows = ctx.ins[0].size // ctx.ins[1].shape[1]
    return bytes_by_bytes(ctx) or (f"{rows} rows; it takes one" if rows != 1 else None)


def linear(ctx: Context) -> Call:
    """Parameters of `eq_linear_dsp_t`."""
    weight = ctx.ins[1]
    sizes: dict[str, Param] = {"inputs": weight.shape[1], "outputs": weight.shape[0]}
    return matrix_call(ctx, window_order(1, weight.shape[1]), sizes)


def rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_dsp_t` that make rows times weights of pixels times a filter of one tap."""
    x, weight = ctx.ins[0], ctx.ins[1]
    outputs, inputs = weight.shape
    count = x.size // inputs
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_h", "out_h")
    sizes: dict[str, Param] = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count}
    sizes |= {"out_c": outputs, "pixel": inputs, "run": inputs}
    order = window_order(1, inputs)
    call = _scratched(matrix_call(ctx, order, sizes), order)
    return rolling(call, 0 if outputs <= inputs else None, outputs, "hold")


def _scratched(call: Call, order: npt.NDArray[np.int64]) -> Call:
    """The same with room for two gathered windows."""
    return replace(call, scratch=8 * len(order))


def _blob(ctx: Context, words: Codes) -> Blob:
    note = f"weights, start values and shifts of {ctx.node.source}, {ctx.ins[1].format}, in the order of the kernel"
    return Blob(f"{identifier(ctx.node.name)}_stream", "uint32_t", words.astype(np.uint32), note)


def matrix_call(ctx: Context, order: npt.NDArray[np.int64], sizes: Mapping[str, Param]) -> Call:
    """Parameters of a kernel that runs blocks of edgeq_dsp_block.h; order: the elements of the units."""
    weight = ctx.ins[1].data
    assert weight is not None
    codes = weight.reshape(len(weight), -1).astype(np.int64)
    made, dual = matrix_stage(ctx), is_dual(ctx, codes)
    words = stream(codes, starts(ctx, made), made.shifts, order, dual)
    params: dict[str, Param] = {**sizes, "units": len(order), "lo": made.lo, "hi": made.hi, "stream": _blob(ctx, words)}
    fixed = (str(ctx.ins[0].format.signed).lower(), str(dual).lower(), *saturation(made))
    return Call(fixed, params, (ctx.ins[0].name,))


CONV = Variant(DSP, "conv_dsp", "two pixels by four channels, SMLAD", supports_conv, conv)
DEPTHWISE = Variant(DSP, "conv_depthwise_dsp", "four channels, two taps in one SMLAD", supports_depthwise, depthwise)
VECTOR = Variant(DSP, "linear_dsp", "four outputs at a time, SMLAD", supports_linear, linear)
