"""The output stage of a kernel as parameters: shifts, rounding rule, folded constant, bounds, accumulator width."""

from __future__ import annotations

from dataclasses import dataclass

from edgeq.formats import DEFAULT_OVERFLOW, DEFAULT_RULE, FIXED_RULES, FixedPoint, Minifloat
from edgeq.ir.operator import frac_of, output_bounds, overflows
from edgeq.mcu.select import Context
from edgeq.mcu.storage import storage

INT32 = (-(1 << 31), (1 << 31) - 1)
#: `wide` of the kernels as C has it, by its number: accumulators of 32, 64 and 96 bits
WIDE = ("false", "true", "EQ_96")
WIDEST = 2
#: a shift by more than this leaves the same as this one: range analysis keeps accumulators below 2**61 (2**93) then
MAX_SHIFT = 62
WIDEST_SHIFT = 94


def most_left(wide: int) -> int:
    """The most that an accumulator is shifted to the left; beyond it the range analysis leaves nothing but zero."""
    return (31, MAX_SHIFT, WIDEST_SHIFT)[wide]


_RULES = {rule: f"EQ_{rule.upper()}" for rule in FIXED_RULES}


@dataclass(frozen=True)
class Stage:
    """shifts: to the right, one for each channel of the accumulator (one entry: all alike);
    starts: the folded rounding constant of each; rule, out_type: C expressions of the fixed arguments; wide: index in
    `WIDE`; lo, hi: bounds on the output grid.
    """

    shifts: tuple[int, ...]
    starts: tuple[int, ...]
    rule: str
    lo: int
    hi: int
    out_type: str
    wide: int

    @property
    def fixed(self) -> tuple[str, str, str]:
        """The last three fixed arguments of arithmetic kernels: yt, rule, wide."""
        return self.out_type, self.rule, WIDE[self.wide]


def how_wide(ctx: Context) -> int:
    """Index in `WIDE`: as the accumulator, an operand on its grid, or a bound that lifts every result asks for."""
    acc, operands = ctx.accumulator, [ctx.interval(v) for v in ctx.ins]
    if acc.wide:
        return WIDEST
    lifted = output_bounds(ctx.node, ctx.out.format)[0]
    greatest = max(acc.hi, lifted, *(r.hi for r in operands))
    return int(min(acc.lo, *(r.lo for r in operands)) < INT32[0] or greatest > INT32[1])


def stage(ctx: Context, fracs: tuple[int, ...], *, fold: bool = True, wide: int | None = None) -> Stage:
    """The output stage of an accumulator with binary points `fracs`.

    fold: whether the kernel adds `starts`; then half_up to fixed point costs nothing more than floor.
    """
    wide = how_wide(ctx) if wide is None else wide
    out, right = frac_of(ctx.out), WIDEST_SHIFT if wide == WIDEST else MAX_SHIFT
    shifts = tuple(min(max(f - out, -most_left(wide)), right) for f in fracs)
    rule = ctx.node.text("rounding", DEFAULT_RULE)
    starts = (0,) * len(shifts)
    if all(s <= 0 for s in shifts) and not isinstance(ctx.out.format, Minifloat):
        rule = "floor"
    elif rule == "half_up" and fold and wide != WIDEST and not isinstance(ctx.out.format, Minifloat):
        rule = "floor"
        starts = tuple((1 << s) >> 1 if s > 0 else 0 for s in shifts)
    lo, hi = _bounds(ctx, wide)
    name = _RULES[rule] + (" | EQ_LEFT" if any(s < 0 for s in shifts) else "") + _overflow(ctx)
    return Stage(shifts, starts, name, lo, hi, storage(ctx.out.format).eq_type, wide)


def _overflow(ctx: Context) -> str:
    """What is added to a rule where the node does not saturate."""
    if not overflows(ctx.node):
        return ""
    fmt, mode = ctx.out.format, ctx.node.text("overflow", DEFAULT_OVERFLOW)
    assert isinstance(fmt, FixedPoint)
    wrap = f"EQ_WRAP_{'S' if fmt.sign else 'U'}({fmt.width})"
    own = [name for key, name in (("lo", "EQ_CLAMP_LO"), ("hi", "EQ_CLAMP_HI")) if key in ctx.node.attrs]
    return "".join(f" | {part}" for part in ("EQ_OVER_ZERO" if mode == "zero" else wrap, *own))


def _bounds(ctx: Context, wide: int) -> tuple[int, int]:
    lo, hi = output_bounds(ctx.node, ctx.out.format)
    if wide or isinstance(ctx.out.format, Minifloat):
        return lo, hi
    # What fits the accumulator cannot lie beyond it.
    return max(lo, INT32[0]), min(hi, INT32[1])


@dataclass(frozen=True)
class RatioStage:
    """The output stage of a quotient.

    divide:  C expression: false where the divisor is a power of two and part of `shift`;
    shift:   of the sum: to the output where it does not divide, to the left (and not negative) where it does;
    divisor: of the sum, alignment included; unit: the part of it that stands for one element;
    start:   folded rounding constant; the rest as in `Stage`.
    """

    divide: str
    shift: int
    divisor: int
    unit: int
    start: int
    lo: int
    hi: int
    fixed: tuple[str, str, str]


def ratio_stage(ctx: Context, frac: int, *, terms: int = 1, wide: int | None = None) -> RatioStage:
    """The output stage of an exact division of a sum with binary point `frac` by up to `terms` elements."""
    right = min(max(frac - frac_of(ctx.out), 0), MAX_SHIFT)
    wide = int(how_wide(ctx) or terms << right > INT32[1]) if wide is None else wide
    left = min(max(frac_of(ctx.out) - frac, 0), most_left(wide))
    lo, hi = _bounds(ctx, wide)
    rule = _RULES[ctx.node.text("rounding", DEFAULT_RULE)] + _overflow(ctx)
    fixed = (storage(ctx.out.format).eq_type, rule, WIDE[wide])
    return RatioStage("true", left, terms << right, 1 << right, 0, lo, hi, fixed)


def mean_stage(ctx: Context, frac: int, terms: int, *, varies: bool = False) -> RatioStage:
    """The output stage of a mean over `terms` elements (up to as many, where the divisor varies)."""
    if varies or terms & (terms - 1):
        return ratio_stage(ctx, frac, terms=terms)
    made = stage(ctx, (frac + terms.bit_length() - 1,))
    return RatioStage("false", made.shifts[0], terms, 1, made.starts[0], made.lo, made.hi, made.fixed)
