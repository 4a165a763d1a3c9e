"""pad in C: runs copied or filled; trailing axes without padding move together."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.mcu.ops._strides import padded
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage

_MODES = {"constant": 0, "reflect": 1, "replicate": 2, "circular": 3}


def _generic(ctx: Context) -> Call:
    x, node = ctx.ins[0], ctx.node
    padding = node.ints("padding")
    touched = [i for i in range(len(x.shape)) if any(padding[2 * i : 2 * i + 2])]
    rank = (touched[-1] if touched else 0) + 1
    # A scalar has no axis to walk along.
    shape, begin = x.shape or (1,), padding[::2] or (0,)
    fill = int(x.format.from_grid(np.array([node.integer("value", 0)], dtype=np.int64))[0])
    params: dict[str, Param] = {
        "rank": rank,
        "shape": padded(shape[:rank]),
        "padded": padded((ctx.out.shape or (1,))[:rank]),
        "begin": padded(begin[:rank]),
        "run": prod(shape[rank:]),
        "mode": _MODES[node.text("mode")],
        "fill": fill - (1 << 32) if fill >= 1 << 31 else fill,
    }
    return Call((storage(x.format).field,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "pad", "whole runs at a time", always, _generic),)
