"""Lowering for cores that make one product at a time of weights below 8 bits and of minifloats: expanded in RAM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeq.formats import Minifloat
from edgeq.mcu.ops import _narrow, _scalar
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob

#: bytes of scratch that expanded weights may take: all of a layer are expanded at once
EXPANDED = 20480
#: the form whose weights are signed bytes
FORM = "EQ_SCALAR_FOUR"


def _inner(ctx: Context) -> Call:
    """The call of the kernel for bytes."""
    inner = _narrow.in_bytes(ctx)
    return _scalar.conv(inner) if ctx.node.op == "conv" else _scalar.linear(inner)


def supports(ctx: Context) -> str | None:
    """What the kernel for bytes runs in signed weights, which have to fit scratch."""
    if not any(f in ctx.features for f in _scalar.FOUR):
        return Foreign("the core is none of those it is written for")
    if (reason := _narrow.refused(ctx)) is not None:
        return reason
    check = _scalar.CONV[1].supports if ctx.node.op == "conv" else _scalar.LINEAR[0].supports
    if (reason := check(_narrow.in_bytes(ctx))) is not None:
        return reason
    made = _inner(ctx)
    blob = made.params["weight"]
    assert isinstance(blob, Blob)
    if made.fixed[0] != FORM:
        return "one pixel; its weights, which serve only once, are not expanded"
    return f"{blob.data.size} bytes of weights; it expands up to {EXPANDED}" if blob.data.size > EXPANDED else None


def call(ctx: Context) -> Call:
    """Parameters of `eq_conv_narrow_scalar_t`."""
    inner = _inner(ctx)
    blob = inner.params["weight"]
    assert isinstance(blob, Blob)
    words = -(-blob.data.size // 4)
    if isinstance(ctx.out.format, Minifloat):
        params = {**inner.params, "stage.map": _narrow.exact_map(ctx)}
        inner = replace(inner, fixed=(*inner.fixed[:-1], "EQ_SCALAR_EXACT"), params=params)
    packed = _narrow.pack_bytes(blob.data.astype(np.uint8)[None], ctx.ins[1].format)
    return _narrow.expanded(ctx, inner, "weight", packed, words, {"words": words})


CONV = Variant(_scalar.SCALAR, "conv_narrow_scalar", "packed weights expanded for all pixels", supports, call)
