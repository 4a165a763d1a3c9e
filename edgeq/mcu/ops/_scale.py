"""Lowering for scales that are no power of two: `eq_scale_t`, and weights and biases with zero points folded in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeq.formats import DEFAULT_RULE, Affine, Format
from edgeq.ir.operator import output_bounds
from edgeq.ir.ops._matrix import aligned_bias
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.select import Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

Codes = npt.NDArray[np.int64]
_RULES = {"floor": "EQ_FLOOR", "half_up": "EQ_HALF_UP", "half_even": "EQ_HALF_EVEN", "tflite": "EQ_TFLITE"}


def zero_of(fmt: Format) -> int:
    """Code of the number zero."""
    return fmt.zero_point if isinstance(fmt, Affine) else 0


def code_bounds(ctx: Context) -> tuple[int, int]:
    """Bounds of the output as codes, which have at most 31 bits and a sign."""
    lo, hi = output_bounds(ctx.node, ctx.out.format)
    zero = zero_of(ctx.out.format)
    return lo + zero, hi + zero


def rule(ctx: Context) -> str:
    """The C name of the rounding rule."""
    return _RULES[ctx.node.text("rounding", DEFAULT_RULE)]


def needs_multiplier(ctx: Context) -> str | None:
    """A reason why the output stage is not `eq_scale_t` on containers of up to 16 bits."""
    if "multiplier" not in ctx.node.attrs:
        return "has no multiplier"
    for value in (ctx.ins[0], ctx.out):
        if isinstance(value.format, Affine) and value.format.bits <= 16:
            continue
        if value.format.kind != "fixed" or value.format.bits > 16:
            return f"{value.name} is {value.format}; it reads and writes integers of up to 16 bits"
    return None


def scale_params(ctx: Context, multiplier: tuple[int, ...] = (), shift: tuple[int, ...] = ()) -> dict[str, Param]:
    """The fields of `scale`; multiplier and shift are those of the node, or the ones given."""
    name = identifier(ctx.node.name)
    if not multiplier:
        multiplier, shift = ctx.node.ints("multiplier"), ctx.node.ints("shift")
    lo, hi = code_bounds(ctx)
    note = f"of each channel of {ctx.node.source}" if len(multiplier) > 1 else f"of {ctx.node.source}"
    return {
        "scale.multiplier": Blob(
            f"{name}_multiplier", "int32_t", np.asarray(multiplier, np.int32), f"multiplier {note}"
        ),
        "scale.shift": Blob(f"{name}_shift", "int8_t", np.asarray(shift, np.int8), f"shift {note}"),
        "scale.channels": len(multiplier),
        "scale.zero": zero_of(ctx.out.format),
        "scale.lo": lo,
        "scale.hi": hi,
    }


def weight_grid(ctx: Context) -> Codes:
    """Weights as integers without a zero point."""
    weight = ctx.ins[1]
    assert weight.data is not None
    return weight.format.to_grid(weight.data)


def weight_blob(ctx: Context, grid: Codes) -> tuple[str, Blob]:
    """eq_type and array of weights in the order of the kernel, in the least container of all their integers."""
    low, high = (int(grid.min()), int(grid.max())) if grid.size else (0, 0)
    width = next(w for w in (8, 16, 32) if -(1 << (w - 1)) <= low and high < 1 << (w - 1))
    note = f"weight {ctx.ins[1].shape} of {ctx.node.source}, {ctx.ins[1].format}"
    data = np.ascontiguousarray(grid.reshape(-1)).astype(f"<i{width // 8}")
    return f"EQ_S({width})", Blob(f"{identifier(ctx.node.name)}_weight", f"int{width}_t", data, note)


def matrix(ctx: Context, *, fold: bool) -> tuple[bool, Mapping[str, Param]]:
    """Whether sums need 64 bits; and the parameters bias and scale of a node with constant weights.

    fold: the kernel multiplies codes, and the zero point of x goes into the bias; else it takes it off each element.
    """
    grid = weight_grid(ctx).reshape(ctx.ins[1].shape[0], -1)
    start = np.zeros(len(grid), dtype=np.int64)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    acc = ctx.accumulator
    wide = acc.lo < INT32[0] or acc.hi > INT32[1]
    if fold:
        start = start - zero_of(ctx.ins[0].format) * grid.sum(axis=1)
        most = max(abs(end) for end in ctx.ins[0].format.code_range)
        wide = wide or int((np.abs(start) + most * np.abs(grid).sum(axis=1)).max()) > INT32[1]
    dtype = np.dtype("<i8" if wide else "<i4")
    note = f"bias of {ctx.node.source}{', zero point of the input included' if fold else ''}"
    bias = Blob(f"{identifier(ctx.node.name)}_bias", f"int{8 * dtype.itemsize}_t", start.astype(dtype), note)
    return wide, {"bias": bias, **scale_params(ctx)}


def types(ctx: Context, *, constants: bool = False) -> tuple[str, ...]:
    """eq_type of each input (weights and biases left out)."""
    ins = ctx.ins if constants else ctx.ins[:1]
    return tuple(storage(v.format).eq_type for v in ins)
