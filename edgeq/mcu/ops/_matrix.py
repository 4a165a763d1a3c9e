"""What kernels with constant weights share: packed weights, biases with the rounding constant, shifts per channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
import numpy.typing as npt

from edgeq.ir.ops._matrix import accumulator_frac, aligned_bias, bias_terms
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import WIDEST, Stage, stage
from edgeq.mcu.select import Context, Foreign
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import pack, packed_type, storage


def matrix_stage(ctx: Context) -> Stage:
    """Output stage with one shift for each output channel, or a single one where all are alike."""
    x, weight = ctx.ins[0], ctx.ins[1]
    return stage(ctx, accumulator_frac(x, weight))


def matrix_fixed(ctx: Context, made: Stage) -> tuple[str, ...]:
    """The fixed arguments xt, wt, yt, rule, wide."""
    return storage(ctx.ins[0].format).eq_type, packed_type(ctx.ins[1].format), *made.fixed


def matrix_params(ctx: Context, made: Stage) -> dict[str, Param]:
    """All parameters but sizes; the rows of weights, one for each output channel, begin at a byte."""
    weight = ctx.ins[1]
    assert weight.data is not None
    rows = weight.data.reshape(weight.shape[0], -1)
    # So many codes fill whole bytes.
    unit = 1 if weight.format.bits >= 8 else 8 // gcd(8, weight.format.bits)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % unit)))
    return {"filter": rows.shape[1], "weight": weight_blob(ctx, rows), **channel_params(ctx, made)}


def weight_blob(ctx: Context, codes: npt.NDArray[np.int64]) -> Blob:
    """The weights, whose codes lie in the order of the kernel."""
    value = ctx.ins[1]
    note = f"weight {value.shape} of {ctx.node.source}, {value.format}"
    return Blob(f"{identifier(ctx.node.name)}_weight", *pack(codes, value.format), note)


def channel_params(ctx: Context, made: Stage) -> dict[str, Param]:
    """The parameters of the output stage: shift, shifts, lo, hi and bias."""
    return {
        "shift": made.shifts[0],
        "lo": made.lo,
        "hi": made.hi,
        "bias": _bias(ctx, made),
        "shifts": _shifts(identifier(ctx.node.name), made.shifts, ctx.node.source),
    }


def _bias(ctx: Context, made: Stage) -> Blob:
    """Start values of the accumulators: the bias on the grid of the products plus the rounding constant."""
    note = f"bias of {ctx.node.source} on the grid of its products, rounding constant included"
    if made.wide == WIDEST:
        return Blob(f"{identifier(ctx.node.name)}_bias", "int64_t", _two_words(bias_terms(ctx.ins)), note)
    start = np.asarray(made.starts, dtype=np.int64)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    dtype = np.dtype("<i8" if made.wide else "<i4")
    return Blob(f"{identifier(ctx.node.name)}_bias", f"int{8 * dtype.itemsize}_t", start.astype(dtype), note)


def _two_words(numbers: Sequence[int]) -> npt.NDArray[np.int64]:
    """Numbers of 96 bits: the upper 64, and the lower 32 in as many."""
    words = [word for n in numbers for word in (n >> 32, n & (1 << 32) - 1)]
    return np.array(words, dtype=np.dtype("<i8"))


def _shifts(name: str, shifts: Sequence[int], source: str) -> Param:
    if len(set(shifts)) == 1:
        return 0
    return Blob(f"{name}_shift", "int8_t", np.asarray(shifts, dtype=np.int8), f"shift of each channel of {source}")


def not_depthwise(ctx: Context, reason: str) -> str:
    """The reason of a kernel for depthwise layers; news to a person only where the layer has groups."""
    return Foreign(reason) if ctx.node.integer("groups") == 1 else reason
