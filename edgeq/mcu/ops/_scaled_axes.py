"""Kernels for scales that are no power of two along axes: sum, mean and concat."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.formats import Affine, Format
from edgeq.ir.operator import frac_of, output_bounds
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._reduce import reduced_axes
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops.concat import encoded_constants
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import eq_type_word, storage

#: operators whose operands are not aligned to one grid
_PRODUCTS = ("mul", "prelu")


def _integers(fmt: Format) -> bool:
    return fmt.kind in ("affine", "fixed") and fmt.bits <= 16


def integers(ctx: Context) -> str | None:
    """A reason why not all operands and the output are integers of up to 16 bits."""
    for value in (*ctx.ins, ctx.out):
        if not _integers(value.format):
            return f"{value.name} is {value.format}; it reads and writes integers of up to 16 bits"
    if ctx.node.op not in _PRODUCTS and len({frac_of(v) for v in ctx.ins}) > 1:
        return "its operands have different binary points; it takes one"
    return None


def stage_params(ctx: Context) -> tuple[str, dict[str, Param]]:
    """Rounding rule and the fields of `scale`; a node without a multiplier keeps its scale: times one."""
    if "multiplier" in ctx.node.attrs:
        return _scale.rule(ctx), _scale.scale_params(ctx)
    return "EQ_FLOOR", _scale.scale_params(ctx, multiplier=(1,), shift=(0,))


def _reduce(ctx: Context) -> tuple[bool, dict[str, Param]]:
    """Whether sums of codes need 64 bits; and the fields of `reduce`."""
    x = ctx.ins[0]
    terms = prod(x.shape[i] for i in ctx.node.ints("axes"))
    start = -terms * _scale.zero_of(x.format)
    # The kernel adds codes, from the zero points on: partial sums lie between the start and the start plus all codes.
    codes = [terms * end for end in x.format.code_range]
    ends = [start, *(start + c for c in codes)]
    # Rounding a quotient compares twice the rest with the divisor.
    wide = min(ends) - terms < INT32[0] or max(ends) + terms > INT32[1]
    return wide, {**reduced_axes(ctx, "reduce."), "reduce.start": start}


def sums(ctx: Context) -> Call:
    """Parameters of `eq_sum_scaled_t`."""
    (wide, params), (rule, scale) = _reduce(ctx), stage_params(ctx)
    fixed = (*_scale.types(ctx), storage(ctx.out.format).eq_type, rule, str(wide).lower())
    return Call(fixed, {**params, **scale}, (ctx.ins[0].name,))


def means(ctx: Context) -> Call:
    """Parameters of `eq_mean_scaled_t`."""
    wide, params = _reduce(ctx)
    lo, hi = _scale.code_bounds(ctx)
    params |= {
        "divisor": prod(ctx.ins[0].shape[i] for i in ctx.node.ints("axes")),
        "zero": _scale.zero_of(ctx.out.format),
        "lo": lo,
        "hi": hi,
    }
    fixed = (*_scale.types(ctx), storage(ctx.out.format).eq_type, _scale.rule(ctx), str(wide).lower())
    return Call(fixed, params, (ctx.ins[0].name,))


def concat(ctx: Context) -> Call:
    """Parameters of `eq_concat_scaled_t`."""
    ins, axis, out = ctx.ins, ctx.node.integer("axis"), ctx.out
    rule, scale = stage_params(ctx)
    computed = [v for v in ins if not v.constant]
    places = iter(range(len(computed)))
    source = [-1 if v.constant else next(places) for v in ins]
    run = [prod(v.shape[axis:]) for v in ins]
    bare = "multiplier" not in ctx.node.attrs and output_bounds(ctx.node, out.format) == out.format.grid_range
    copies = bare and all(_codes_alike(v.format, out.format) for v in computed)
    name = identifier(ctx.node.name)
    zeros = [_scale.zero_of(v.format) for v in ins]
    words = [eq_type_word(v.format) for v in ins]
    params: dict[str, Param] = {
        "parts": len(ins),
        "outer": prod(out.shape[:axis]),
        "row": sum(run),
        **scale,
        "source": Blob(f"{name}_source", "int32_t", np.array(source, np.int32), "operand in x[], -1: constant"),
        "run": Blob(f"{name}_run", "int32_t", np.array(run, np.int32), "elements of a run of each operand"),
        "zero": Blob(f"{name}_zero", "int32_t", np.array(zeros, np.int32), "zero point of each operand"),
        "type": Blob(f"{name}_type", "uint32_t", np.array(words, np.uint32), "eq_type of each operand"),
        "constant": encoded_constants(ctx),
    }
    return Call((str(copies).lower(), storage(out.format).eq_type, rule), params, tuple(v.name for v in computed))


def _codes_alike(x: Format, y: Format) -> bool:
    """Whether one number has one code in both; scales are known to agree."""
    if not isinstance(x, Affine) or not isinstance(y, Affine):
        return x == y
    return (x.zero_point, x.code_range) == (y.zero_point, y.code_range)
