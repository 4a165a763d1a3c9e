"""Lowering for Cortex-M cores with DSP where scales are no power of two: layers with constant weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeq.formats import Affine, FixedPoint, Format
from edgeq.ir.ops._matrix import aligned_bias
from edgeq.mcu.ops import _dsp, _scale
from edgeq.mcu.ops._dsp import Codes, window_order
from edgeq.mcu.ops._inplace import hold, rolling
from edgeq.mcu.ops._matrix import not_depthwise
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

#: the least multiplier of a kernel: TensorFlow Lite normalises them to 2^30..2^31 - 1
LEAST_MULTIPLIER = 1 << 30
#: the first of TensorFlow Lite's two roundings is at this shift
FIRST_SHIFT = 31
#: by so much the sum of an odd channel of a dual block is multiplied
DUAL_SHIFT = 8


def is_byte(fmt: Format) -> bool:
    """Whether codes are integers in a byte."""
    return isinstance(fmt, FixedPoint | Affine) and storage(fmt).bits == 8


@dataclass(frozen=True)
class ScaledStage:
    """The output stage of edgeq_dsp_scale.h, one entry for each output channel.

    multiplier: m; shift: e; constant: c; name: of the stage. EQ_STAGE_ANY does where EQ_STAGE_RELU does.
    """

    multiplier: Codes
    shift: Codes
    constant: Codes
    name: str

    @property
    def once(self) -> bool:
        """Whether it rounds once."""
        return self.name == "EQ_STAGE_ONCE"

    @property
    def factor(self) -> Codes:
        """M, the multiplier as SMMLAR takes it, or m."""
        return self.multiplier if self.once else 2 * self.multiplier - (1 << 32)

    @property
    def one(self) -> bool:
        """Whether all channels are alike, and EQ_STAGE_ANY does for them."""
        columns = (self.multiplier, self.shift, self.constant)
        alike = all(int(c.min()) == int(c.max()) for c in columns)
        return alike and not self.once and int(self.shift.min()) > 0

    def fine(self) -> tuple[Codes, Codes, Codes] | None:
        """Factors, constants and shifts for sums that come multiplied by 256; None where such are shifted before."""
        if self.once:
            return self.multiplier, self.constant << DUAL_SHIFT, self.shift + DUAL_SHIFT
        if self.name == "EQ_STAGE_RELU":
            return self.multiplier, 64 + 128 * self.constant, self.shift + DUAL_SHIFT - 1
        return None


def saturation(ctx: Context) -> tuple[str, str]:
    """The fixed arguments sat and clamp of codes."""
    bounds = _scale.code_bounds(ctx)
    signed = ctx.out.format.signed
    return ("EQ_SAT_S8" if signed else "EQ_SAT_U8"), str(bounds != ((-128, 127) if signed else (0, 255))).lower()


def stage(ctx: Context, channels: int) -> ScaledStage:
    """The output stage of a node; see `stage_reason` for whether it is right."""
    m, s = (np.asarray(ctx.node.ints(key), dtype=np.int64) for key in ("multiplier", "shift"))
    m, s = np.broadcast_to(m, (channels,)), np.broadcast_to(s, (channels,))
    # A channel of multiplier 0 has sums of 0: any multiplier does.
    multiplier = np.where(m == 0, LEAST_MULTIPLIER, m)
    twice, zero = _scale.rule(ctx) == "EQ_TFLITE", np.int64(_scale.zero_of(ctx.out.format))
    shift = np.maximum(s - (FIRST_SHIFT if twice else FIRST_SHIFT + 1), 0)
    half = 0 if _scale.rule(ctx) == "EQ_FLOOR" else (np.int64(1) << shift) >> 1
    constant = half + (zero << shift)
    if not twice:
        return ScaledStage(multiplier, shift, constant, "EQ_STAGE_ONCE")
    # Numbers below zero are clipped, and the constant of sums that come multiplied by 256 fits.
    relu = _scale.code_bounds(ctx)[0] >= zero and int(np.abs(constant).max()) < 1 << 22
    return ScaledStage(multiplier, shift, constant, "EQ_STAGE_RELU" if relu else "EQ_STAGE_ANY")


def stage_reason(ctx: Context, channels: int) -> str | None:
    """A reason why an output stage is not that of edgeq_dsp_scale.h."""
    if not is_byte(ctx.out.format):
        return f"output {ctx.out.format}; it writes 8 bits"
    acc, made = ctx.accumulator, stage(ctx, channels)
    if acc.lo < INT32[0] or acc.hi > INT32[1]:
        return f"the sum needs {acc.bits} bits; it has 32"
    reason = _once_reason(ctx, made) if made.once else _twice_reason(ctx, made)
    if reason is not None:
        return reason
    # |v m / 2^31| rounded is at most |v|; a tie may move it by one more.
    reach = max(-acc.lo, acc.hi) * int(made.multiplier.max()) // (1 << FIRST_SHIFT) + 2
    if int(np.abs(made.constant).max()) + reach > INT32[1]:
        return "the rounded sum and the zero point need more than 32 bits"
    if made.once and int(np.abs(made.constant).max()) >= 1 << 22:
        return f"a shift of {max(ctx.node.ints('shift'))} with a zero point of {_scale.zero_of(ctx.out.format)}"
    return None


def _twice_reason(ctx: Context, made: ScaledStage) -> str | None:
    m, s = ctx.node.ints("multiplier"), ctx.node.ints("shift")
    if any(0 < v < LEAST_MULTIPLIER for v in m):
        return f"a multiplier of {min(v for v in m if v)}; it has 2^30 and more"
    if min(s) < FIRST_SHIFT:
        return f"a shift of {min(s)}; it has {FIRST_SHIFT} and more"
    if made.name == "EQ_STAGE_ANY" and min(s) == FIRST_SHIFT:
        return f"a shift of {FIRST_SHIFT} without a clip at zero; it has more"
    return None


def _once_reason(ctx: Context, made: ScaledStage) -> str | None:
    m, s = ctx.node.ints("multiplier"), ctx.node.ints("shift")
    if min(s) < FIRST_SHIFT + 2:
        return f"a shift of {min(s)}; it has {FIRST_SHIFT + 2} and more"
    if _scale.rule(ctx) != "EQ_HALF_EVEN":
        return None
    # A tie is an odd multiple of half a step: sums below half a step over the powers of two in m make none.
    most = max(-ctx.accumulator.lo, ctx.accumulator.hi)
    if any(v and most * (v & -v) >= 1 << (e - 1) for v, e in zip(m, s, strict=True)):
        return "a sum may be a tie, which goes to the even neighbour; it rounds up"
    return None


def grid(ctx: Context) -> Codes:
    """Weights without a zero point, one row for each output channel; rows of multiplier 0 are 0."""
    found = _scale.weight_grid(ctx).reshape(ctx.ins[1].shape[0], -1)
    dead = np.asarray(ctx.node.ints("multiplier")) == 0
    return np.where(np.broadcast_to(dead, (len(found),))[:, None], 0, found)


def starts(ctx: Context, weight: Codes) -> Codes:
    """Start values modulo 2^32: the bias less the zero point of x times the weights; 0 where the multiplier is."""
    start = -_scale.zero_of(ctx.ins[0].format) * weight.sum(axis=1)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    dead = np.broadcast_to(np.asarray(ctx.node.ints("multiplier")) == 0, (len(weight),))
    found: Codes = np.where(dead, 0, start)
    return found


def byte_matrix(ctx: Context) -> str | None:
    """A reason why the core or a node with constant weights does not suit."""
    if (reason := _dsp.has_dsp(ctx) or _scale.needs_multiplier(ctx)) is not None:
        return reason
    if not is_byte(ctx.ins[0].format):
        return f"input {ctx.ins[0].format}; it reads 8 bits"
    codes = _scale.weight_grid(ctx)
    if int(codes.min()) < -128 or int(codes.max()) > 127:
        return f"weights {codes.min()}..{codes.max()} without their zero point; it reads 8 bits, signed"
    return stage_reason(ctx, ctx.ins[1].shape[0])


def _constants(made: ScaledStage, dual: bool, index: Codes) -> Codes:
    """The nine words behind the weights of each block; index: the channels of each block, (blocks, 4)."""
    m, c, e = made.factor[index], made.constant[index], made.shift[index]
    fine = made.fine()
    if dual and fine is not None:
        for column, odd in zip((m, c, e), fine, strict=True):
            column[:, 1::2] = odd[index][:, 1::2]
    pairs = np.stack([m.reshape(-1, 2, 2), c.reshape(-1, 2, 2)], axis=2).reshape(-1, 8)
    packed = (e << np.array([0, 8, 16, 24])).sum(axis=1)
    found: Codes = np.concatenate([pairs & 0xFFFFFFFF, packed[:, None]], axis=1)
    return found


def stream(ctx: Context, made: ScaledStage, order: Codes, dual: bool, *, constants: bool = True) -> Blob:
    """The words of all blocks, as edgeq_dsp_block.h and edgeq_dsp_scale.h say."""
    weight = grid(ctx)
    blocks = -(-len(weight) // 4)
    words = _dsp.stream(weight, starts(ctx, weight), (0,), order, dual).reshape(blocks, -1)[:, :-1]
    if constants:
        # Channels beyond the last one are never kept.
        index = np.minimum(np.arange(4 * blocks), len(weight) - 1).reshape(blocks, 4)
        words = np.concatenate([words, _constants(made, dual, index)], axis=1)
    return _blob(ctx, words)


def _blob(ctx: Context, words: Codes) -> Blob:
    note = f"weights, start values and constants of {ctx.node.source}, {ctx.ins[1].format}, in the order of the kernel"
    return Blob(f"{identifier(ctx.node.name)}_stream", "uint32_t", words.reshape(-1).astype(np.uint32), note)


def _fixed(ctx: Context, made: ScaledStage, *dual: bool) -> tuple[str, ...]:
    signs = (str(ctx.ins[0].format.signed).lower(), *(str(d).lower() for d in dual))
    return (*signs, *saturation(ctx), made.name)


def _bounds(ctx: Context) -> dict[str, Param]:
    lo, hi = _scale.code_bounds(ctx)
    return {"lo": lo, "hi": hi}


def supports_linear(ctx: Context) -> str | None:
    """One vector: its bytes are read where they lie."""
    rows = ctx.ins[0].size // ctx.ins[1].shape[1]
    return byte_matrix(ctx) or (f"{rows} rows; it takes one" if rows != 1 else None)


def linear(ctx: Context) -> Call:
    """Parameters of `eq_linear_scaled_dsp_t`."""
    outputs, inputs = ctx.ins[1].shape
    made, dual, order = stage(ctx, outputs), _dsp.is_dual(ctx, grid(ctx)), window_order(1, inputs)
    if made.one:
        # One function then serves layers with and without a ReLU.
        made = replace(made, name="EQ_STAGE_ANY")
    sizes: dict[str, Param] = {"inputs": inputs, "outputs": outputs, "units": len(order), **_bounds(ctx)}
    if made.one:
        sizes |= {"m": int(made.factor[0]) & 0xFFFFFFFF, "c": int(made.constant[0]) & 0xFFFFFFFF}
        sizes |= {"shift": int(made.shift[0])}
    params = {**sizes, "stream": stream(ctx, made, order, dual, constants=not made.one)}
    return Call((*_fixed(ctx, made, dual), str(made.one).lower()), params, (ctx.ins[0].name,))


def matrix_call(ctx: Context, order: Codes, sizes: Mapping[str, Param]) -> Call:
    """Parameters of a kernel that runs blocks of edgeq_dsp_block.h; order: the elements of the units."""
    made, dual = stage(ctx, ctx.ins[1].shape[0]), _dsp.is_dual(ctx, grid(ctx))
    params = {**sizes, "units": len(order), **_bounds(ctx), "stream": stream(ctx, made, order, dual)}
    return Call(_fixed(ctx, made, dual), params, (ctx.ins[0].name,))


def _conv_call(ctx: Context, sizes: dict[str, Param], order: Codes, waits: int | None) -> Call:
    inner = matrix_call(ctx, order, sizes)
    params: dict[str, Param] = {f"conv.{key}": value for key, value in inner.params.items()}
    params["x_zero"] = _scale.zero_of(ctx.ins[0].format)
    call = Call(inner.fixed, params, inner.inputs, 8 * len(order))
    return rolling(call, waits, ctx.ins[1].shape[0], "conv.hold")


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return _dsp.has_dsp(ctx) or _dsp.one_window(ctx) or byte_matrix(ctx)


def conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_scaled_dsp_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    sizes = geometry(ctx, weight.shape[1:-1])
    del sizes["dilation_h"], sizes["dilation_w"]
    height, width, channels = int(sizes["kernel_h"]), int(sizes["kernel_w"]), x.shape[-1]  # type: ignore[arg-type]
    order = window_order(height, width * channels)
    sizes |= {"out_c": weight.shape[0], "pixel": channels, "run": width * channels}
    return _conv_call(ctx, sizes, order, hold(ctx, ahead=2))


def rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_scaled_dsp_t` that make rows times weights of pixels times a filter of one tap."""
    outputs, inputs = ctx.ins[1].shape
    count = ctx.ins[0].size // inputs
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_h", "out_h")
    sizes: dict[str, Param] = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count}
    sizes |= {"out_c": outputs, "pixel": inputs, "run": inputs}
    return _conv_call(ctx, sizes, window_order(1, inputs), 0 if outputs <= inputs else None)


def supports_depthwise(ctx: Context) -> str | None:
    """One filter for each of four channels or more; any kernel, stride, padding and dilation."""
    x, weight, groups = ctx.ins[0], ctx.ins[1], ctx.node.integer("groups")
    if (reason := _dsp.has_dsp(ctx)) is not None:
        return reason
    if groups != x.shape[-1] or weight.shape[0] != groups:
        reason = f"{groups} groups, {x.shape[-1]} channels, {weight.shape[0]} filters; it takes as many of each"
        return not_depthwise(ctx, reason)
    return byte_matrix(ctx) or (f"{groups} channels; it takes 4 or more" if groups < 4 else None)


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_scaled_dsp_t`."""
    x, weight = ctx.ins[0], grid(ctx)
    channels, made = len(weight), stage(ctx, len(weight))
    words = _dsp.taps_stream(weight, starts(ctx, weight), (0,)).reshape(-(-channels // 4), -1)[:, :-1]
    first = np.minimum(np.arange(0, channels, 4), channels - 4)
    words = np.concatenate([words, _constants(made, False, first[:, None] + np.arange(4))], axis=1)
    taps = weight.shape[1] + weight.shape[1] % 2
    sizes = {**geometry(ctx, ctx.ins[1].shape[1:-1]), "channels": channels, "taps": taps, **_bounds(ctx)}
    params: dict[str, Param] = {f"conv.{key}": value for key, value in sizes.items()}
    params |= {"conv.stream": _blob(ctx, words), "x_zero": _scale.zero_of(x.format)}
    call = Call(_fixed(ctx, made), params, (x.name,), 4 * taps + -(-channels // 4) * 4)
    return rolling(call, hold(ctx, ahead=0), channels, "conv.hold")
