"""Lowering for Helium of weights below 8 bits and of minifloats: packed in flash, expanded in RAM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.formats import Minifloat
from edgeq.mcu.ops import _mve, _mve_scaled, _narrow
from edgeq.mcu.select import Call, Context, Variant
from edgeq.mcu.step import Blob, Param

Words = npt.NDArray[np.uint32]
#: bytes of scratch that expanded weights may take: all of a layer are expanded at once
EXPANDED = 49152
#: words of the stage behind the weights of four channels
STAGE = 9


def _base(ctx: Context) -> Variant:
    """The kernel for bytes of convolutions, or of rows times weights."""
    return _mve_scaled.CONV if ctx.node.op == "conv" else _mve_scaled.ANY_ROWS


def _refused(ctx: Context, base: Variant, stream: str) -> str | None:
    """What the kernel for bytes runs, with weights that fit scratch."""
    if (reason := _mve.has_mve(ctx) or _narrow.refused(ctx)) is not None:
        return reason
    inner = _narrow.in_bytes(ctx)
    if (reason := base.supports(inner)) is not None:
        return reason
    blob = base.call(inner).params[stream]
    assert isinstance(blob, Blob)
    size = 4 * blob.data.size
    return f"{size} bytes of expanded weights; it takes up to {EXPANDED}" if size > EXPANDED else None


def _call(ctx: Context, base: Variant, stream: str) -> Call:
    """The same with blocks of packed weights, each followed by its stage."""
    inner = base.call(_narrow.in_bytes(ctx))
    blob, groups = inner.params[stream], inner.params.get("layer.groups", 1)
    assert isinstance(blob, Blob)
    assert isinstance(groups, int)
    blocks = blob.data.astype("<u4").reshape(-1, 16 * groups + STAGE)
    weights, stages = np.split(blocks, [16 * groups], axis=1)
    if isinstance(ctx.out.format, Minifloat):
        inner, stages = _looked_up(ctx, inner, stages)
    codes = _narrow.pack_bytes(np.ascontiguousarray(weights).view(np.uint8), ctx.ins[1].format)
    packed = np.concatenate([codes, stages.astype(np.int64)], axis=1)
    return _narrow.expanded(ctx, inner, stream, packed, blob.data.size, {"blocks": len(blocks)})


def _looked_up(ctx: Context, inner: Call, stages: Words) -> tuple[Call, Words]:
    """The call and its stages (blocks, words) with sums that EQ_MVE_EXACT looks up: not rounded, shifted once.

    What rounding twice adds comes off the start values again, and multipliers are ones.
    """
    start, multiplier, rest = stages[:, :4], stages[:, 4:8], stages[:, 8:]
    halved = multiplier == 1 << 30
    shift = halved - np.ascontiguousarray(rest).view(np.int8).astype(np.int64)
    added = np.where(shift > 1, 1 << np.maximum(shift - 1, 0), 0) + halved
    plain = (start + added) % (1 << 32)
    shifts = np.ascontiguousarray((-shift).astype(np.int8)).view("<u4")
    prefix = "layer." if "layer.zero" in inner.params else ""
    ends: dict[str, Param] = {"map": _narrow.exact_map(ctx), "zero": 1 << 8, "lo": 0, "hi": (1 << 9) - 1}
    params = {**inner.params, **{f"{prefix}{key}": value for key, value in ends.items()}}
    made = replace(inner, fixed=(*inner.fixed[:-1], "EQ_MVE_EXACT"), params=params)
    return made, np.concatenate([plain, np.ones_like(multiplier), shifts], axis=1)


def supports(ctx: Context) -> str | None:
    """Any window, stride and padding; and rows."""
    return _refused(ctx, _base(ctx), "layer.stream")


def call(ctx: Context) -> Call:
    """Parameters of `eq_conv_narrow_mve_t`."""
    return _call(ctx, _base(ctx), "layer.stream")


def supports_depthwise(ctx: Context) -> str | None:
    """What the kernel for bytes takes."""
    return _refused(ctx, _mve_scaled.DEPTHWISE, "stream")


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_narrow_mve_t`."""
    return _call(ctx, _mve_scaled.DEPTHWISE, "stream")


CONV = Variant(
    _mve.MVE,
    "conv_narrow_mve",
    "packed weights expanded for all pixels, then two pixels by four channels, VMLADAVA",
    supports,
    call,
)
DEPTHWISE = Variant(
    _mve.MVE,
    "conv_depthwise_narrow_mve",
    "packed weights expanded for all pixels, then four channels, up to 16 taps in one VMLADAV",
    supports_depthwise,
    depthwise,
)
