"""Lowering for Cortex-M cores with DSP of weights below 8 bits and of minifloats: packed in flash, expanded in RAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from edgeq.formats import Format, Minifloat
from edgeq.mcu.ops import _dsp, _narrow
from edgeq.mcu.ops._inplace import hold
from edgeq.mcu.ops._matrix import matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import Stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import packed_type, storage

#: bytes of scratch that expanded weights, and decoded rows of the input, should not exceed
EXPANDED, DECODED = 20480, 4096
Codes = _dsp.Codes


def _refused(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not bytes times narrow weights in dual lanes."""
    made = matrix_stage(ctx)
    reason = _narrow.refused(ctx)
    if reason is None and not isinstance(ctx.out.format, Minifloat):
        reason = _dsp.plain_stage(ctx, made)
    if reason is None and not _dsp.is_dual(ctx, _grid(ctx)):
        return f"sums of {ctx.accumulator.bits} bits, or weights to the ends of a byte; it has {_dsp.DUAL_BITS}"
    return reason


def _grid(ctx: Context) -> Codes:
    """Weights as integers on their grid: (channels, elements)."""
    weight = ctx.ins[1]
    assert weight.data is not None
    return weight.format.to_grid(weight.data).reshape(weight.shape[0], -1)


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return _dsp.has_dsp(ctx) or _dsp.one_window(ctx) or _refused(ctx)


def supports_linear(ctx: Context) -> str | None:
    """One row and more."""
    return _dsp.has_dsp(ctx) or _refused(ctx)


def stream(weight: Codes, fmt: Format, start: Codes, shifts: Sequence[int], order: Codes) -> Codes:
    """The words of all packed blocks. weight: on its grid, (channels, elements); shifts: one entry or one a channel."""
    channels = -(-len(weight) // 4) * 4
    # A missing lane, and a missing channel, is a weight of zero.
    padded = _narrow.codes_of(np.pad(weight, ((0, channels - len(weight)), (0, 1)))[:, order], fmt)
    lanes = padded.reshape(channels // 4, 2, 2, -1, 2)  # (blocks, pair of channels, e or o, unit, element)
    words = lanes.transpose(0, 3, 1, 4, 2).reshape(channels // 4, -1, 4)
    plain = _dsp.stream(np.zeros_like(weight), start, shifts, order, True).reshape(channels // 4, -1)
    parts = [plain[:, :4], _narrow.pack_words(words, fmt.bits), plain[:, -1:]]
    found: Codes = np.concatenate(parts, axis=1).reshape(-1)
    return found


def _blob(ctx: Context, made: Stage, order: Codes) -> Blob:
    weight = ctx.ins[1]
    shifts = [shift - isinstance(ctx.out.format, Minifloat) for shift in made.shifts]
    words = stream(_grid(ctx), weight.format, _dsp.starts(ctx, made), shifts, order)
    note = f"weights, start values and shifts of {ctx.node.source}, {weight.format}, packed in the order of the kernel"
    return Blob(f"{identifier(ctx.node.name)}_packed", "uint32_t", words.astype(np.uint32), note)


def _chunk(ctx: Context, channels: int, units: int) -> tuple[int, int]:
    """Channels to expand at a time, as equal parts as can be, and bytes of their stream."""
    block = 4 * (5 + 2 * units)
    blocks = -(-channels // 4)
    parts = -(-blocks // max(ctx.strip(EXPANDED) // block, 1))
    each = -(-blocks // parts)
    return 4 * each, each * block


def _strip(ctx: Context, sizes: Mapping[str, int]) -> tuple[int, int]:
    """Rows of y to compute from decoded rows of x, and bytes of those; all and none where x is not decoded."""
    if not isinstance(ctx.ins[0].format, Minifloat):
        return sizes["out_h"], 0
    row = sizes["in_w"] * sizes["pixel"]
    rows = (DECODED // row - sizes["kernel_h"]) // sizes["stride_h"] + 1
    strip = min(max(rows, 1), sizes["out_h"])
    seen = min((strip - 1) * sizes["stride_h"] + sizes["kernel_h"], sizes["in_h"])
    return strip, seen * row + -(seen * row) % 4


def _call(ctx: Context, order: Codes, sizes: Mapping[str, int], waits: int | None) -> Call:
    """Parameters of `eq_conv_narrow_dsp_t`; waits: pixels that wait where y rolls over x, None where it may not."""
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    channels = weight.shape[0]
    chunk, expanded = _chunk(ctx, channels, len(order))
    strip, room = _strip(ctx, sizes)
    mapped, whole = isinstance(ctx.out.format, Minifloat), chunk >= channels and not room
    waits = waits if whole else None
    waiting = -(-(waits or 0) * channels // 4) * 4
    inner: dict[str, Param] = {**sizes, "out_c": channels, "units": len(order), "hold": waits or 0}
    inner |= {"lo": 0 if mapped else made.lo, "hi": 0 if mapped else made.hi, "stream": _blob(ctx, made, order)}
    params: dict[str, Param] = {f"conv.{key}": value for key, value in inner.items()}
    params |= {"chunk": chunk, "strip": strip, "room": room, "waits": waiting}
    sat, clamp = ("EQ_SAT_S8", "false") if mapped else _dsp.saturation(made)
    stage, map_bytes = _stage(ctx)
    params |= {"map": _map_words(ctx)} if mapped else {}
    flags = (stage, str(whole).lower())
    fixed = (storage(x.format).eq_type, packed_type(weight.format), sat, clamp, *flags)
    scratch = room + map_bytes + 8 * len(order) + waiting + expanded + 4 * _narrow.BEHIND
    return Call(fixed, params, (x.name,), scratch, () if waits is None else (x.name,))


def _stage(ctx: Context) -> tuple[str, int]:
    """What becomes of sums, and bytes of the table in which a minifloat output is looked up."""
    if not isinstance(ctx.out.format, Minifloat):
        return "EQ_STAGE_SHIFT", 0
    return ("EQ_STAGE_EXACT", 512) if _narrow.is_exact(ctx) else ("EQ_STAGE_MAP", 256)


def _map_words(ctx: Context) -> Blob:
    words = _narrow.output_codes(ctx).astype(np.uint8).view("<u4").astype(np.uint32)
    note = f"codes of {ctx.out.format} for sums in halves of its grid, four in a word"
    return Blob(f"{identifier(ctx.node.name)}_map", "uint32_t", words, note)


def conv(ctx: Context) -> Call:
    """A convolution."""
    weight, pixel = ctx.ins[1], ctx.ins[0].shape[-1]
    sizes = {key: value for key, value in geometry(ctx, weight.shape[1:-1]).items() if isinstance(value, int)}
    sizes = {key: value for key, value in sizes.items() if not key.startswith("dilation")}
    run = sizes["kernel_w"] * pixel
    order = _dsp.window_order(sizes["kernel_h"], run)
    return _call(ctx, order, {**sizes, "pixel": pixel, "run": run}, hold(ctx, ahead=2))


def linear(ctx: Context) -> Call:
    """Rows times weights, as pixels times a filter of one tap."""
    inputs = ctx.ins[1].shape[1]
    count = prod(ctx.ins[0].shape) // inputs
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_w", "out_w")
    sizes = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_h": count, "out_h": count}
    waits = 0 if ctx.ins[1].shape[0] <= inputs else None
    return _call(ctx, _dsp.window_order(1, inputs), {**sizes, "pixel": inputs, "run": inputs}, waits)


def supports_depthwise(ctx: Context) -> str | None:
    """What the kernel for bytes takes."""
    if (reason := _dsp.has_dsp(ctx) or _narrow.refused(ctx)) is not None:
        return reason
    return _dsp.supports_depthwise(_narrow.in_bytes(ctx))


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_narrow_dsp_t`."""
    inner = _dsp.depthwise(_narrow.in_bytes(ctx))
    blob, taps = inner.params["stream"], inner.params["taps"]
    assert isinstance(blob, Blob)
    assert isinstance(taps, int)
    starts, lanes, shifts = np.split(blob.data.reshape(-1, 2 * taps + 5).astype(np.int64), [4, -1], axis=1)
    # Lanes of two channels, (a, b) and (a, b), as four bytes a, a, b, b: SXTB16 takes every second one.
    pairs = np.stack([lanes & 0xFF, lanes >> 16 & 0xFF], axis=-1).reshape(len(lanes), taps, 2, 2).swapaxes(2, 3)
    codes = _narrow.pack_bytes(pairs.astype(np.uint8).reshape(len(lanes), -1), ctx.ins[1].format)
    packed = np.concatenate([starts, codes, shifts], axis=1)
    params = {**inner.params, "hold": 0}
    inner = Call(inner.fixed, params, inner.inputs, 4 * taps + -(-ctx.ins[0].shape[-1] // 4) * 4)
    sizes: dict[str, Param] = {"blocks": len(lanes)}
    if isinstance(ctx.out.format, Minifloat):
        sizes["map"] = _map_words(ctx)
    call, (stage, map_bytes) = _narrow.expanded(ctx, inner, "stream", packed, blob.data.size, sizes), _stage(ctx)
    return replace(call, fixed=(*call.fixed[:2], stage, *call.fixed[2:]), scratch=call.scratch + map_bytes)


_GAIN = "packed weights expanded for all pixels, then two pixels by four channels, SMLAD"
CONV = Variant(_dsp.DSP, "conv_narrow_dsp", _GAIN, supports_conv, conv)
LINEAR = Variant(_dsp.DSP, "conv_narrow_dsp", _GAIN, supports_linear, linear)
DEPTHWISE = Variant(
    _dsp.DSP,
    "conv_depthwise_narrow_dsp",
    "packed weights expanded for all pixels, then four channels, two taps in one SMLAD",
    supports_depthwise,
    depthwise,
)
