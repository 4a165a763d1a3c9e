"""Lowering of operators without weights for Cortex-M cores with DSP: bytes four at a time."""

from __future__ import annotations

from math import prod

from edgeq.formats import Affine, Format
from edgeq.ir.operator import frac_of
from edgeq.mcu.ops._dsp import has_dsp, is_byte, plain_stage, saturation
from edgeq.mcu.ops._elementwise import plain_constant
from edgeq.mcu.ops._stage import RatioStage, Stage, mean_stage, stage
from edgeq.mcu.ops._window import window
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage

#: powers of two up to this one are factors of a signed 16-bit lane
MOST_LEFT = 14
#: elements whose sum fits a 16-bit lane
MOST_TERMS = 256


def is_affine_byte(fmt: Format) -> bool:
    """Whether codes are integers of a scale in a byte."""
    return isinstance(fmt, Affine) and storage(fmt).bits == 8


def _bytes_in(ctx: Context) -> str | None:
    """A reason why the core or an input does not suit."""
    if (reason := has_dsp(ctx)) is not None:
        return reason
    bad = next((v for v in ctx.ins if not is_byte(v.format)), None)
    return None if bad is None else f"input {bad.format}; it reads fixed point of up to 8 bits, unpacked"


def _signed(ctx: Context, index: int) -> str:
    return str(ctx.ins[index].format.signed).lower()


def _sum_stage(ctx: Context) -> tuple[Stage, int]:
    """The output stage of a sum on the finest grid of the inputs, and by how much they move to the left before it."""
    made = stage(ctx, (max(frac_of(v) for v in ctx.ins),))
    return made, max(-made.shifts[0], 0)


def _factors(ctx: Context) -> list[int]:
    """Exponents of two that take each input to the grid of the sum."""
    frac, left = max(frac_of(v) for v in ctx.ins), _sum_stage(ctx)[1]
    return [frac - frac_of(v) + left for v in ctx.ins]


def supports_sum(ctx: Context) -> str | None:
    """One size, no broadcasting; grids that are not too far apart."""
    if (reason := _bytes_in(ctx)) is not None:
        return reason
    if any(v.size != ctx.out.size for v in ctx.ins):
        return "an operand broadcasts"
    if max(_factors(ctx)) > MOST_LEFT:
        return f"grids 2^{max(_factors(ctx))} apart; it has 2^{MOST_LEFT}"
    return plain_stage(ctx, _sum_stage(ctx)[0], left=True)


def _sum_fixed(made: Stage) -> tuple[str, ...]:
    """The fixed arguments shift, sat and clamp; beyond 31 only the sign is left."""
    return (str(min(max(made.shifts[0], 0), 31)), *saturation(made))


def _sum(ctx: Context, sign: int) -> Call:
    made, (a, b) = _sum_stage(ctx)[0], _factors(ctx)
    factors = (1 << a) | ((sign << b) & 0xFFFF) << 16
    params: dict[str, Param] = {
        "count": ctx.out.size,
        "factors": factors,
        "start": made.starts[0],
        "lo": made.lo,
        "hi": made.hi,
        "a": plain_constant(ctx, ctx.ins[0], "a"),
        "b": plain_constant(ctx, ctx.ins[1], "b"),
    }
    signs = (_signed(ctx, 0), _signed(ctx, 1))
    return Call((*signs, *_sum_fixed(made)), params, tuple(v.name for v in ctx.ins if not v.constant))


def add(ctx: Context) -> Call:
    """Parameters of `eq_add_dsp_t`."""
    return _sum(ctx, 1)


def sub(ctx: Context) -> Call:
    """Parameters of `eq_add_dsp_t`, the second factor negative."""
    return _sum(ctx, -1)


def requantise(ctx: Context) -> Call:
    """Parameters of `eq_requantise_dsp_t`."""
    made, (left,) = _sum_stage(ctx)[0], _factors(ctx)
    params: dict[str, Param] = {
        "count": ctx.out.size,
        "factor": 1 << left,
        "start": made.starts[0],
        "lo": made.lo,
        "hi": made.hi,
    }
    return Call((_signed(ctx, 0), *_sum_fixed(made)), params, (ctx.ins[0].name,))


def _mean_reason(ctx: Context, made: RatioStage, terms: int) -> str | None:
    if terms > MOST_TERMS:
        return f"{terms} terms; a lane holds the sum of {MOST_TERMS}"
    if not is_byte(ctx.out.format):
        return f"output {ctx.out.format}; it writes fixed point of up to 8 bits, unpacked"
    if made.fixed[2] == "true":
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    if "EQ_LEFT" in made.fixed[1]:
        return "the output is finer than the sum; it shifts to the right only"
    return None if made.lo <= 0 <= made.hi else f"bounds {made.lo}..{made.hi} without zero"


def _mean_params(made: RatioStage) -> dict[str, Param]:
    return {"shift": made.shift, "divisor": made.divisor, "start": made.start, "lo": made.lo, "hi": made.hi}


def _mean(ctx: Context) -> tuple[RatioStage, int]:
    terms = prod(ctx.ins[0].shape[i] for i in ctx.node.ints("axes"))
    return mean_stage(ctx, frac_of(ctx.ins[0]), terms), terms


def supports_mean(ctx: Context) -> str | None:
    """Leading axes are averaged, up to 256 elements."""
    if (reason := _bytes_in(ctx)) is not None:
        return reason
    axes = ctx.node.ints("axes")
    if set(axes) != set(range(len(axes))):
        return f"axes {axes}; it averages leading ones"
    return _mean_reason(ctx, *_mean(ctx))


def mean(ctx: Context) -> Call:
    """Parameters of `eq_mean_dsp_t`."""
    made, terms = _mean(ctx)
    params: dict[str, Param] = {"terms": terms, "count": ctx.out.size, **_mean_params(made)}
    return Call((_signed(ctx, 0), made.divide, made.fixed[1], *saturation(made)), params, (ctx.ins[0].name,))


def _pool(ctx: Context) -> tuple[RatioStage, int, bool]:
    terms = prod(ctx.node.ints("kernel"))
    varies = not ctx.node.integer("include_pad") and any(ctx.node.ints("padding"))
    return mean_stage(ctx, frac_of(ctx.ins[0]), terms, varies=varies), terms, varies


def supports_average_pool(ctx: Context) -> str | None:
    """Any window of up to 256 elements."""
    return _bytes_in(ctx) or _mean_reason(ctx, *_pool(ctx)[:2])


def average_pool(ctx: Context) -> Call:
    """Parameters of `eq_average_pool_dsp_t`."""
    made, _, varies = _pool(ctx)
    params: dict[str, Param] = {**window(ctx), **_mean_params(made), "unit": made.unit}
    if varies:
        params["divisor"] = 0
    return Call((_signed(ctx, 0), made.divide, made.fixed[1], *saturation(made)), params, (ctx.ins[0].name,))


def supports_max_pool(ctx: Context) -> str | None:
    """Any window of bytes."""
    if (reason := has_dsp(ctx)) is not None or is_affine_byte(ctx.ins[0].format):
        return reason
    return _bytes_in(ctx)


def max_pool(ctx: Context) -> Call:
    """Parameters of `eq_max_pool_dsp_t`."""
    return Call((_signed(ctx, 0),), window(ctx), (ctx.ins[0].name,))
