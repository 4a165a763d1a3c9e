"""gather in C: runs of the axes behind the last picked one, from the places of a list for each axis before."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.ir.ops.gather import picks
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._strides import contiguous, padded
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage


def _generic(ctx: Context) -> Call:
    x, node = ctx.ins[0], ctx.node
    strides, picked = contiguous(x.shape), dict(zip(node.ints("axes"), picks(node), strict=True))
    last = max(picked, default=-1)
    # Axes between picked ones are walked like those; neighbours without picks become one.
    sizes: list[int] = []
    offsets: list[np.ndarray] = []
    whole = False
    for axis in range(last + 1):
        line = picked.get(axis, np.arange(x.shape[axis], dtype=np.int64)) * strides[axis]
        if axis in picked or not whole:
            sizes.append(len(line))
            offsets.append(line)
        else:
            offsets[-1] = (offsets[-1][:, None] + line[None]).reshape(-1)
            sizes[-1] = len(offsets[-1])
        whole = axis not in picked
    if not sizes:
        sizes, offsets = [1], [np.zeros(1, dtype=np.int64)]
    table = np.concatenate(offsets).astype(np.int32)
    params: dict[str, Param] = {
        "rank": len(sizes),
        "size": padded(sizes),
        "run": prod(x.shape[last + 1 :]),
        "offset": Blob(f"{identifier(node.name)}_offset", "int32_t", table, f"elements that {node.source} picks"),
    }
    return Call((storage(x.format).field,), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "gather", "whole runs at a time", always, _generic),)
