"""Lowering of operators without weights for Cortex-M cores with DSP where scales are no power of two."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator import reference
from edgeq.ir import GraphBuilder, Node
from edgeq.ir.ops._elementwise import rescaled, rescales
from edgeq.mcu.ops import _average, _dsp_scaled, _scale
from edgeq.mcu.ops._dsp import has_dsp
from edgeq.mcu.ops._dsp_bytes import MOST_TERMS
from edgeq.mcu.ops._dsp_scaled import ScaledStage, is_byte, saturation
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._strides import broadcast, join
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

Codes = npt.NDArray[np.int64]
#: bits behind the point of a sum
MOST_SHIFT = 31
#: factors are tried so far from the exact ones, which two roundings of an operator may miss
NEAR = 3


def _bytes(ctx: Context, operands: int) -> str | None:
    """A reason why the core or an operand does not suit."""
    if (reason := has_dsp(ctx)) is not None:
        return reason
    for value in (*ctx.ins[:operands], ctx.out):
        if not is_byte(value.format):
            return f"{value.name} is {value.format}; it reads and writes 8 bits"
    return None


def _rows(ctx: Context) -> tuple[int, int, int, bool] | None:
    """rows, n, b_step and swapped of `eq_dsp_pairs_t`; None where operands broadcast in another way."""
    shape, (a, b) = join(ctx.out.shape, *(broadcast(v.shape, ctx.out.shape) for v in ctx.ins))
    size = ctx.out.size
    if len(shape) == 1 and (size == 1 or (a == (1,) and b == (1,))):
        return 1, size, size, False
    if len(shape) == 2:
        for full, other, swapped in ((a, b, False), (b, a, True)):
            if full == (shape[1], 1) and other == (0, 1):
                return shape[0], shape[1], 0, swapped
    return None


def _pairs_reason(ctx: Context) -> str | None:
    if (reason := _bytes(ctx, 2)) is not None:
        return reason
    found = _rows(ctx)
    if found is None:
        return "an operand broadcasts in another way than whole rows"
    if ctx.ins[1 if found[3] else 0].constant:
        return "the operand that does not repeat is constant"
    return None


def _pairs(ctx: Context) -> tuple[dict[str, Param], tuple[str, ...]]:
    """The fields of `pairs`, and the values of x[]. A constant operand is the second one."""
    found = _rows(ctx)
    assert found is not None
    rows, n, step, swapped = found
    second = ctx.ins[0 if swapped else 1]
    lo, hi = _scale.code_bounds(ctx)
    params: dict[str, Param] = {"rows": rows, "n": n, "b_step": step, "swapped": int(swapped), "lo": lo, "hi": hi}
    params["b"] = plain_constant(ctx, second, "b")
    return {f"pairs.{k}": v for k, v in params.items()}, tuple(v.name for v in ctx.ins if not v.constant)


def _ordered(ctx: Context) -> tuple[int, int]:
    """Which input is the kernel's a, and which its b."""
    found = _rows(ctx)
    return (1, 0) if found is not None and found[3] else (0, 1)


def _signs(ctx: Context) -> tuple[str, ...]:
    return tuple(str(ctx.ins[i].format.signed).lower() for i in _ordered(ctx))


def _code_range(ctx: Context, index: int) -> Codes:
    lo, hi = ctx.ins[index].format.code_range
    return np.arange(lo, hi + 1)


def meaning(ctx: Context, codes: list[Codes]) -> Codes:
    """Output codes of a node on vectors of codes, one for each operand."""
    builder = GraphBuilder("meaning")
    size = len(codes[0])
    names = [builder.input(f"x{i}", (size,), v.format) for i, v in enumerate(ctx.ins)]
    graph = builder.build([builder.node(ctx.node.op, "y", names, ctx.out.format, **dict[str, Any](ctx.node.attrs))])
    data = {name: array[None] for name, array in zip(names, codes, strict=True)}
    found: Codes = reference(graph, data)["y"][0]
    return found


def _slopes(node: Node) -> tuple[Fraction, Fraction]:
    """By how much a code of either operand moves the code of the output, before anything is rounded."""
    whole = Fraction(1)
    if "multiplier" in node.attrs:
        whole = Fraction(node.ints("multiplier")[0], 1 << node.ints("shift")[0])
    own = [whole, whole]
    if rescales(node):
        own = [
            whole * Fraction(node.integer(f"{o}_multiplier") << node.integer("left"), 1 << node.integer(f"{o}_shift"))
            for o in "ab"
        ]
    return own[0], -own[1] if node.op == "sub" else own[1]


def line(ctx: Context) -> tuple[int, int, int, int] | None:
    """A, B, C and shift of add_scaled_dsp.h that give the operator's own code for every pair of codes, or None.

    A and B belong to the kernel's a and b, whose unsigned codes are read less 128.
    """
    order = _ordered(ctx)
    slopes = [_slopes(ctx.node)[i] for i in order]
    flips = [0 if ctx.ins[i].format.signed else 128 for i in order]
    centre = Fraction(_scale.zero_of(ctx.out.format)) + Fraction(1, 2)
    centre -= sum(s * (_scale.zero_of(ctx.ins[i].format) - f) for s, i, f in zip(slopes, order, flips, strict=True))
    reach = abs(centre) + sum(128 * abs(s) for s in slopes) + 1
    shift = MOST_SHIFT
    while shift > 0 and (reach * (1 << shift) >= 1 << 31 or max(map(abs, slopes)) * (1 << (shift + 8)) >= 1 << 31):
        shift -= 1
    factors = [round(s * (1 << (shift + 8))) for s in slopes]
    first, second = (_code_range(ctx, i) for i in order)
    codes = [np.repeat(first, len(second)), np.tile(second, len(first))]
    want = meaning(ctx, codes if order == (0, 1) else codes[::-1])
    least, most = _scale.code_bounds(ctx)
    near = sorted(product(range(-NEAR, NEAR + 1), repeat=2), key=lambda step: abs(step[0]) + abs(step[1]))
    for da, db in near:
        a, b = factors[0] + da, factors[1] + db
        sums = (a * (codes[0] - flips[0]) >> 8) + (b * (codes[1] - flips[1]) >> 8)
        # C must lift every sum to its code, or beyond a bound, and no sum to the next one.
        low = int(((want << shift) - sums)[want > least].max(initial=-(1 << 40)))
        high = int((((want + 1) << shift) - 1 - sums)[want < most].min(initial=1 << 40))
        start = min(max(round(centre * (1 << shift)), low), high)
        fits = max(abs(a), abs(b), int(np.abs(sums).max()) + abs(start)) <= INT32[1]
        if low <= start and fits:
            return a, b, start, shift
    return None


def supports_line(ctx: Context) -> str | None:
    """No rounding of a tie that a line cannot follow."""
    if (reason := _pairs_reason(ctx)) is not None:
        return reason
    return "no line through both operands rounds every pair as the operator does" if line(ctx) is None else None


def by_line(ctx: Context) -> Call:
    """Parameters of `eq_add_scaled_dsp_t`."""
    found = line(ctx)
    assert found is not None
    a, b, start, shift = found
    params, inputs = _pairs(ctx)
    params |= {"a_factor": a, "b_factor": b, "start": start}
    return Call((*_signs(ctx), str(shift), *saturation(ctx)), params, inputs)


def _operand_table(ctx: Context, index: int) -> Codes:
    """What each byte of an operand stands for in the sum; 0 for bytes that are no code."""
    value = ctx.ins[index]
    codes = _code_range(ctx, index)
    grids = [value.format.to_grid(codes)] * 2
    grid = (rescaled(ctx.node, grids) if rescales(ctx.node) else grids)[index]
    found = np.zeros(256, dtype=np.int64)
    found[codes & 0xFF] = -grid if index == 1 and ctx.node.op == "sub" else grid
    return found


def supports_tables(ctx: Context) -> str | None:
    """Any scales. Where codes below zero are clipped a line serves."""
    if (reason := _pairs_reason(ctx) or _scale.needs_multiplier(ctx) or _dsp_scaled.stage_reason(ctx, 1)) is not None:
        return reason
    return None if _dsp_scaled.stage(ctx, 1).one else "rounds once, or has a shift of 31"


def by_tables(ctx: Context) -> Call:
    """Parameters of `eq_add_table_dsp_t`."""
    made = _dsp_scaled.stage(ctx, 1)
    params, inputs = _pairs(ctx)
    params |= _stage_params(made)
    for field, index in zip("ab", _ordered(ctx), strict=True):
        data = _operand_table(ctx, index).astype(np.int32)
        note = f"{ctx.ins[index].name} in the scale of the sum, one entry for each byte"
        params[f"{field}_table"] = Blob(f"{identifier(ctx.node.name)}_{field}_table", "int32_t", data, note)
    return Call(saturation(ctx), params, inputs)


def _stage_params(made: ScaledStage) -> dict[str, Param]:
    m, c = int(made.factor[0]) & 0xFFFFFFFF, int(made.constant[0]) & 0xFFFFFFFF
    return {"constants": (m, 0, c, 0), "shift": int(made.shift[0])}


def supports_mul(ctx: Context) -> str | None:
    """Operands of one size, or one that repeats for each row; one multiplier."""
    if (reason := _pairs_reason(ctx) or _scale.needs_multiplier(ctx)) is not None:
        return reason
    if len(ctx.node.ints("multiplier")) > 1:
        return "has a multiplier for each channel; it takes one"
    if ctx.node.ints("multiplier") == (0,):
        return "its multiplier is 0"
    return _dsp_scaled.stage_reason(ctx, 1)


def mul(ctx: Context) -> Call:
    """Parameters of `eq_mul_scaled_dsp_t`."""
    made = _dsp_scaled.stage(ctx, 1)
    params, inputs = _pairs(ctx)
    params |= _stage_params(made)
    for field, index in zip("ab", _ordered(ctx), strict=True):
        params[f"{field}_zero"] = _scale.zero_of(ctx.ins[index].format)
    return Call((*_signs(ctx), *saturation(ctx), made.name), params, inputs)


def supports_average_pool(ctx: Context) -> str | None:
    """Any window of up to 256 elements."""
    if (reason := _bytes(ctx, 1)) is not None:
        return reason
    if (reason := _average.unknown_rule(ctx)) is not None:
        return reason
    terms = prod(ctx.node.ints("kernel"))
    return f"{terms} terms; a lane holds the sum of {MOST_TERMS}" if terms > MOST_TERMS else None


def average_pool(ctx: Context) -> Call:
    """Parameters of `eq_average_pool_scaled_dsp_t`."""
    x = ctx.ins[0]
    return Call((str(x.format.signed).lower(), _average.away(ctx)), _average.params(ctx), (x.name,))


def supports_table(ctx: Context) -> str | None:
    """One scale for all channels."""
    if (reason := _bytes(ctx, 1)) is not None:
        return reason
    many = "multiplier" in ctx.node.attrs and len(ctx.node.ints("multiplier")) > 1
    return "has a multiplier for each channel; a table has one" if many else None


def table(ctx: Context) -> Call:
    """Parameters of `eq_table_t`: the operator's own code for each code."""
    x = ctx.ins[0]
    codes = _code_range(ctx, 0)
    place = storage(ctx.out.format)
    data = meaning(ctx, [codes]).astype(place.dtype)
    blob = Blob(f"{identifier(ctx.node.name)}_table", place.ctype, data, f"{ctx.node.source} of each code")
    params: dict[str, Param] = {"count": x.size, "least": int(codes[0]), "table": blob}
    return Call((storage(x.format).eq_type, place.eq_type), params, (x.name,))
