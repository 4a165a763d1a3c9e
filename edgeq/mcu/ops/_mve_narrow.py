"""Lowering for Cortex-M cores with Helium of weights below 8 bits and of minifloats: packed in flash, expanded in RAM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeq.formats import Minifloat
from edgeq.mcu.ops import _mve, _mve_scaled, _narrow
from edgeq.mcu.select import Call, Context, Variant
from edgeq.mcu.step import Blob
from edgeq.mcu.storage import packed_type, storage, value_bytes

#: bytes of scratch that expanded weights may take: all of a layer are expanded at once
EXPANDED = 49152
#: words of the stage behind the weights of four channels
STAGE = 9


def _words(ctx: Context) -> int:
    """Words of expanded weights and stages of a layer in bytes."""
    call = _mve_scaled.CONV.call(ctx) if ctx.node.op == "conv" else _mve_scaled.ANY_ROWS.call(ctx)
    blob = call.params["layer.stream"]
    assert isinstance(blob, Blob)
    return int(blob.data.size)


def supports(ctx: Context) -> str | None:
    """What the kernel for bytes runs, with weights that fit scratch."""
    if (reason := _mve.has_mve(ctx) or _narrow.refused(ctx)) is not None:
        return reason
    inner = _narrow.in_bytes(ctx)
    variant = _mve_scaled.CONV if ctx.node.op == "conv" else _mve_scaled.ANY_ROWS
    if (reason := variant.supports(inner)) is not None:
        return reason
    size = 4 * _words(inner)
    return f"{size} bytes of expanded weights; it takes up to {EXPANDED}" if size > EXPANDED else None


def call(ctx: Context) -> Call:
    """Parameters of `eq_conv_narrow_mve_t`."""
    x, weight = ctx.ins[0], ctx.ins[1]
    inner = (_mve_scaled.CONV if ctx.node.op == "conv" else _mve_scaled.ANY_ROWS).call(_narrow.in_bytes(ctx))
    blob, groups = inner.params["layer.stream"], inner.params["layer.groups"]
    assert isinstance(blob, Blob)
    assert isinstance(groups, int)
    words = 16 * groups
    blocks = blob.data.astype("<u4").reshape(-1, words + STAGE)
    codes = _narrow.pack_bytes(np.ascontiguousarray(blocks[:, :words]).view(np.uint8), weight.format)
    packed = np.concatenate([codes, blocks[:, words:].astype(np.int64)], axis=1)
    params = {f"conv.{key}": value for key, value in inner.params.items() if key != "layer.stream"}
    room = value_bytes(x) + -value_bytes(x) % 4 if isinstance(x.format, Minifloat) else 0
    mapped = isinstance(ctx.out.format, Minifloat)
    params |= {"blocks": len(blocks), "packed": _narrow.packed_blob(ctx, packed), "room": room}
    params |= {"map": _narrow.output_map(ctx)} if mapped else {}
    fixed = (storage(x.format).eq_type, packed_type(weight.format), str(mapped).lower(), *inner.fixed)
    return replace(
        inner, fixed=fixed, params=params, scratch=inner.scratch + room + 4 * (blob.data.size + _narrow.BEHIND)
    )


_GAIN = "packed weights expanded for all pixels, then two pixels by four channels, VMLADAVA"
CONV = Variant(_mve.MVE, "conv_narrow_mve", _GAIN, supports, call)
