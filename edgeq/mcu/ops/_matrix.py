"""What kernels with constant weights share: packed weights, biases with the rounding constant, shifts per channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeq.ir.ops._matrix import accumulator_frac, aligned_bias
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import Stage, stage
from edgeq.mcu.select import Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import pack, packed_type, storage


def matrix_stage(ctx: Context) -> Stage:
    """Output stage with one shift for each output channel, or a single one where all are alike."""
    x, weight = ctx.ins[0], ctx.ins[1]
    return stage(ctx, accumulator_frac(x, weight))


def matrix_fixed(ctx: Context, made: Stage) -> tuple[str, ...]:
    """The fixed arguments xt, wt, yt, rule, wide."""
    return storage(ctx.ins[0].format).eq_type, packed_type(ctx.ins[1].format), *made.fixed


def matrix_params(ctx: Context, made: Stage, weight: npt.NDArray[np.int64] | None = None) -> dict[str, Param]:
    """The parameters shift, shifts, lo, hi, weight and bias; `weight` are the codes in the order of the kernel."""
    value = ctx.ins[1]
    assert value.data is not None
    codes = value.data if weight is None else weight
    ctype, data = pack(codes, value.format)
    name = identifier(ctx.node.name)
    return {
        "shift": made.shifts[0],
        "lo": made.lo,
        "hi": made.hi,
        "weight": Blob(f"{name}_weight", ctype, data, f"weight {value.shape} of {ctx.node.source}, {value.format}"),
        "bias": _bias(ctx, made),
        "shifts": _shifts(name, made.shifts, ctx.node.source),
    }


def _bias(ctx: Context, made: Stage) -> Blob:
    """Start values of the accumulators: the bias on the grid of the products plus the rounding constant."""
    start = np.asarray(made.starts, dtype=np.int64)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    note = f"bias of {ctx.node.source} on the grid of its products, rounding constant included"
    dtype = np.dtype("<i8" if made.wide else "<i4")
    return Blob(f"{identifier(ctx.node.name)}_bias", f"int{8 * dtype.itemsize}_t", start.astype(dtype), note)


def _shifts(name: str, shifts: Sequence[int], source: str) -> Param:
    if len(set(shifts)) == 1:
        return 0
    return Blob(f"{name}_shift", "int8_t", np.asarray(shifts, dtype=np.int8), f"shift of each channel of {source}")
