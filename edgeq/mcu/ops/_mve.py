"""Lowering for Cortex-M cores with Helium (MVE): what the kernels can run, and weights as they read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeq.mcu.ops._dsp import Codes, byte_matrix, one_window, saturation, starts
from edgeq.mcu.ops._matrix import matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import Stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Blob, Param

MVE = "mve"


def has_mve(ctx: Context) -> str | None:
    """A reason why the board cannot run these kernels."""
    return None if MVE in ctx.features else "the core has no Helium"


def stream(weight: Codes, start: Codes, shifts: Sequence[int], channels: int) -> npt.NDArray[np.uint32]:
    """The words of all blocks of `channels` channels, as edgeq_mve_block.h says. weight: (all channels, elements)."""
    padding = -len(weight) % channels
    shift = np.broadcast_to(np.asarray(shifts, dtype=np.int64), (len(weight),))
    shift = np.pad(shift, (0, padding)).reshape(-1, channels)
    codes = np.pad(weight, ((0, padding), (0, 0))).astype(np.int8).reshape(len(shift), -1)
    heads = np.pad(start, (0, padding)).reshape(-1, channels) & 0xFFFFFFFF
    packed = (shift << 8 * np.arange(channels)).sum(axis=1, keepdims=True)
    bytes_ = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)))
    words = np.concatenate([heads.astype("<u4"), packed.astype("<u4"), bytes_.view("<u4")], axis=1)
    found: npt.NDArray[np.uint32] = words.reshape(-1).astype(np.uint32)
    return found


def flipped_starts(ctx: Context, made: Stage, codes: Codes) -> Codes:
    """Start values; an unsigned x is read less 128, so 128 times the sum of its weights is added here."""
    start = starts(ctx, made)
    return start if ctx.ins[0].format.signed else start + 128 * codes.sum(axis=1)


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return has_mve(ctx) or one_window(ctx) or byte_matrix(ctx)


def conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_mve_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    assert weight.data is not None
    codes = weight.data.reshape(len(weight.data), -1).astype(np.int64)
    sizes = geometry(ctx, weight.shape[1:-1])
    del sizes["dilation_h"], sizes["dilation_w"]
    sizes |= {"out_c": weight.shape[0], "pixel": x.shape[-1], "run": int(sizes["kernel_w"]) * x.shape[-1]}  # type: ignore[arg-type]
    return _call(ctx, codes, 2, {**sizes, "n": codes.shape[1]}, 3 * codes.shape[1])


def supports_linear(ctx: Context) -> str | None:
    """One vector: its bytes are read where they lie."""
    rows = ctx.ins[0].size // ctx.ins[1].shape[1]
    return has_mve(ctx) or byte_matrix(ctx) or (f"{rows} rows; it takes one" if rows != 1 else None)


def linear(ctx: Context) -> Call:
    """Parameters of `eq_linear_mve_t`."""
    weight = ctx.ins[1]
    assert weight.data is not None
    sizes: dict[str, Param] = {"inputs": weight.shape[1], "outputs": weight.shape[0]}
    return _call(ctx, weight.data.astype(np.int64), 4, sizes, 0)


def supports_rows(ctx: Context) -> str | None:
    """Any number of rows."""
    return has_mve(ctx) or byte_matrix(ctx)


def rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_mve_t` that make rows times weights of pixels times a filter of one tap."""
    x, weight = ctx.ins[0], ctx.ins[1]
    assert weight.data is not None
    outputs, inputs = weight.shape
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_h", "out_h")
    count = x.size // inputs
    sizes: dict[str, Param] = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count}
    sizes |= {"out_c": outputs, "pixel": inputs, "run": inputs, "n": inputs}
    return _call(ctx, weight.data.astype(np.int64), 2, sizes, 3 * inputs)


def _call(ctx: Context, codes: Codes, channels: int, sizes: dict[str, Param], scratch: int) -> Call:
    made = matrix_stage(ctx)
    words = stream(codes, flipped_starts(ctx, made, codes), made.shifts, channels)
    note = f"weights, start values and shifts of {ctx.node.source}, {ctx.ins[1].format}, in the order of the kernel"
    blob = Blob(f"{identifier(ctx.node.name)}_stream", "uint32_t", words, note)
    size = 4 * len(words) // -(-len(codes) // channels)
    params: dict[str, Param] = {**sizes, "bytes": size, "lo": made.lo, "hi": made.hi, "stream": blob}
    fixed = (str(ctx.ins[0].format.signed).lower(), *saturation(made))
    return Call(fixed, params, (ctx.ins[0].name,), scratch)
