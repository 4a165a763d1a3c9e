"""The output stage of a kernel as parameters: shifts, rounding rule, folded constant, bounds, accumulator width."""

from __future__ import annotations

from dataclasses import dataclass

from edgeq.formats import DEFAULT_RULE, Minifloat
from edgeq.ir.operator import frac_of, output_bounds
from edgeq.mcu.select import Context
from edgeq.mcu.storage import storage

_INT32 = (-(1 << 31), (1 << 31) - 1)
#: a shift by more than this leaves the same as this one: range analysis keeps accumulators below 2**61 then
MAX_SHIFT = 62

_RULES = {"floor": "EQ_FLOOR", "half_up": "EQ_HALF_UP", "half_even": "EQ_HALF_EVEN"}


@dataclass(frozen=True)
class Stage:
    """shifts: to the right, one for each channel of the accumulator (one entry: all alike);
    starts: the folded rounding constant of each; rule, out_type, wide: C expressions of the fixed arguments;
    lo, hi: bounds on the output grid.
    """

    shifts: tuple[int, ...]
    starts: tuple[int, ...]
    rule: str
    lo: int
    hi: int
    out_type: str
    wide: bool

    @property
    def fixed(self) -> tuple[str, str, str]:
        """The last three fixed arguments of arithmetic kernels: yt, rule, wide."""
        return self.out_type, self.rule, "true" if self.wide else "false"


def is_wide(ctx: Context) -> bool:
    """Whether the accumulator, or an operand on its grid, needs more than 32 bits."""
    bounds = [ctx.accumulator, *(ctx.interval(v) for v in ctx.ins)]
    return any(b.lo < _INT32[0] or b.hi > _INT32[1] for b in bounds)


def stage(ctx: Context, fracs: tuple[int, ...], *, fold: bool = True, wide: bool | None = None) -> Stage:
    """The output stage of an accumulator with binary points `fracs`.

    fold: whether the kernel adds `starts`; then half_up to fixed point costs nothing more than floor.
    """
    wide = is_wide(ctx) if wide is None else wide
    out = frac_of(ctx.out)
    shifts = tuple(min(max(f - out, -MAX_SHIFT), MAX_SHIFT) for f in fracs)
    rule = ctx.node.text("rounding", DEFAULT_RULE)
    starts = (0,) * len(shifts)
    if all(s <= 0 for s in shifts) and not isinstance(ctx.out.format, Minifloat):
        rule = "floor"
    elif rule == "half_up" and fold and not isinstance(ctx.out.format, Minifloat):
        rule = "floor"
        starts = tuple((1 << s) >> 1 if s > 0 else 0 for s in shifts)
    lo, hi = output_bounds(ctx.node, ctx.out.format)
    if not wide and not isinstance(ctx.out.format, Minifloat):
        # What fits the accumulator cannot lie beyond it.
        lo, hi = max(lo, _INT32[0]), min(hi, _INT32[1])
    name = _RULES[rule] + (" | EQ_LEFT" if any(s < 0 for s in shifts) else "")
    return Stage(shifts, starts, name, lo, hi, storage(ctx.out.format).eq_type, wide)
