"""concat in C: a copy where formats agree, else one output stage for each operand; constants are encoded here."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.formats import FixedPoint
from edgeq.ir.graph import Value
from edgeq.ir.operator import Exact, frac_of, output_bounds, output_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import eq_type_word, storage, to_memory


def _generic(ctx: Context) -> Call:
    ins, axis = ctx.ins, ctx.node.integer("axis")
    computed = [v for v in ins if not v.constant]
    made = stage(ctx, tuple(frac_of(v) for v in ins), fold=False)
    alike = {storage(v.format).eq_type for v in computed}
    places = iter(range(len(computed)))
    source = [-1 if v.constant else next(places) for v in ins]
    run = [prod(v.shape[axis:]) for v in ins]
    name = identifier(ctx.node.name)
    params: dict[str, Param] = {
        "parts": len(ins),
        "outer": prod(ctx.out.shape[:axis]),
        "row": sum(run),
        "lo": made.lo,
        "hi": made.hi,
        "source": Blob(f"{name}_source", "int32_t", np.array(source, dtype=np.int32), "operand in x[], -1: constant"),
        "run": Blob(f"{name}_run", "int32_t", np.array(run, dtype=np.int32), "elements of a run of each operand"),
        "shift": Blob(f"{name}_shift", "int8_t", np.array(made.shifts, dtype=np.int8), "shift of each operand"),
        "type": 0 if len(alike) == 1 else Blob(f"{name}_type", "uint32_t", _types(ctx), "eq_type of each operand"),
        "constant": encoded_constants(ctx),
    }
    one_type = alike.pop() if len(alike) == 1 else "EQ_VARIOUS"
    return Call((one_type, _copies(ctx), *made.fixed), params, tuple(v.name for v in computed))


def _types(ctx: Context) -> npt.NDArray[np.uint32]:
    return np.array([eq_type_word(v.format) for v in ctx.ins], dtype=np.uint32)


def _copies(ctx: Context) -> str:
    """Whether codes move unchanged. Minifloats do not: a negative zero becomes the positive one."""
    fmt = ctx.out.format
    same = all(v.constant or v.format == fmt for v in ctx.ins)
    return str(same and isinstance(fmt, FixedPoint) and output_bounds(ctx.node, fmt) == fmt.grid_range).lower()


def encoded_constants(ctx: Context) -> Param:
    """Codes of the constant operands in the output's format, one operand after the other."""
    axis = ctx.node.integer("axis")
    begins = np.cumsum([0, *(v.shape[axis] for v in ctx.ins)])
    parts = [_encoded(ctx, v, int(begin)) for v, begin in zip(ctx.ins, begins, strict=False) if v.constant]
    if not parts:
        return 0
    data = to_memory(np.concatenate(parts), ctx.out.format)
    return Blob(f"{identifier(ctx.node.name)}_constant", storage(ctx.out.format).ctype, data, "constant operands")


def _encoded(ctx: Context, value: Value, begin: int) -> npt.NDArray[np.int64]:
    """Codes of an operand that starts at `begin` of the axis; of multipliers for each channel it has its own."""
    assert value.data is not None
    node, last = ctx.node, len(value.shape) - 1
    if node.integer("axis") == last and "multiplier" in node.attrs and len(node.ints("multiplier")) > 1:
        own = {k: node.ints(k)[begin : begin + value.shape[last]] for k in ("multiplier", "shift")}
        node = replace(node, attrs={**node.attrs, **own})
    grid = value.format.to_grid(value.data)[None]
    exact = Exact(grid.astype(object) if ctx.accumulator.wide else grid, frac_of(value))
    codes: npt.NDArray[np.int64] = output_stage(node, exact, ctx.out.format).reshape(-1)
    return codes


VARIANTS = (Variant(PORTABLE, "concat", "whole runs, copied where formats agree", always, _generic),)
