"""The output stage on floats that hold integers: scale, one rounding, saturation — equal to `ir.operator.output_stage`.

Scaling by a power of two is exact, so it is folded into weights and operands; a number then arrives in units of the
output's grid. `half_up` is floor(x + 1/2): exact, because the bound that picks the float type counts the half in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from edgeq.emulator.carrier import FLOAT32_LIMIT, FLOAT64_LIMIT, Carried, FloatType
from edgeq.formats import DEFAULT_OVERFLOW, DEFAULT_RULE, FIXED_RULES, Format, Minifloat, scale
from edgeq.formats.rounding import round_scalar
from edgeq.ir.graph import Node
from edgeq.ir.operator import Bounds, clamp_of, output_bounds, overflows

#: exponents of scales stay inside the normal range of each type, with the numbers they multiply
_EXPONENT = {np.float32: 90, np.float64: 900}


@dataclass(frozen=True)
class Stage:
    """What is left to do with an accumulation.

    dtype:   float type that holds every partial sum and the rounding constant exactly.
    shifts:  binary point of the accumulator less that of the output, per channel (or one); 2**-shift scales.
    rule:    rounding rule; rounds: whether any channel loses bits.
    lo, hi:  saturation bounds, None where nothing can pass them.
    fmt:     format of the output.
    divisor: greatest divisor that is no power of two (a mean), or 1.
    dyadic:  multipliers and shifts (per channel, or one) of sums that come unscaled, or None.
    overflow: what becomes of numbers beyond the format; lo and hi are the node's own bounds where it is not saturation.
    """

    dtype: FloatType
    shifts: tuple[int, ...]
    rule: str
    rounds: bool
    lo: float | None
    hi: float | None
    fmt: Format
    divisor: int = 1
    dyadic: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    overflow: str = DEFAULT_OVERFLOW

    @property
    def scale(self) -> Carried:
        """2**-shift for each channel, in `dtype`."""
        found: Carried = np.ldexp(np.ones(len(self.shifts)), -np.array(self.shifts)).astype(self.dtype)
        return found

    def power(self, exponent: int) -> float:
        """2**exponent; where `dtype` has no room for it, what it multiplies is proved to be zero."""
        most = 120 if self.dtype is np.float32 else 1000
        return float(2.0 ** min(max(exponent, -most), most))

    @property
    def offset(self) -> Carried:
        """The half of `half_up` for each channel that rounds (a whole number gets none: it may have no room)."""
        half = 0.5 if self.rule == "half_up" and self.rounds and not isinstance(self.fmt, Minifloat) else 0.0
        return np.where(np.array(self.shifts) > 0, half, 0.0).astype(self.dtype)

    def finish(self, x: Carried) -> Carried:
        """Round and saturate numbers in units of the output's grid, `offset` already added; in place."""
        if self.dyadic is not None:
            # The product needs up to 62 bits, which no float has.
            x = scale(x.astype(np.int64), *self.dyadic, self.rule).astype(np.float64)
        elif isinstance(self.fmt, Minifloat):
            x = _round_minifloat(x, self.fmt.mantissa, self.rule)
        elif self.rounds:
            _round(x, self.rule)
        self.saturate(x)
        if isinstance(self.fmt, Minifloat):
            np.add(x, self.dtype(0), out=x)  # a zero that was computed is the positive zero
        return x

    def saturate(self, x: Carried) -> None:
        """Clamp to the bounds that the range analysis did not prove, in place."""
        if self.lo is not None:
            np.maximum(x, x.dtype.type(self.lo), out=x)
        if self.hi is not None:
            np.minimum(x, x.dtype.type(self.hi), out=x)
        if self.overflow != DEFAULT_OVERFLOW:
            _overflow(x, self.fmt, self.overflow)

    def divide(self, num: Carried, den: Carried | float) -> Carried:
        """Round num / den (den > 0, both exact integers with room for one bit more) and saturate."""
        whole = self.rule in ("floor", "to_zero")
        q: Carried = np.floor(num / den) if whole else np.rint(num / den)
        # The quotient is rounded by the float unit first, so it may be one off: the exact remainder tells.
        r = num - q * den
        if whole:
            step = (r >= den).astype(self.dtype) - (r < 0).astype(self.dtype)
            q += step
            if self.rule == "to_zero":
                q += ((num < 0) & (r != step * den)).astype(self.dtype)
        else:
            twice = r + r
            tie_up, tie_down = _TIES[self.rule](q, num)
            up, down = (twice > den) | ((twice == den) & tie_up), (twice < -den) | ((twice == -den) & tie_down)
            q += up.astype(self.dtype) - down.astype(self.dtype)
        self.saturate(q)
        return q


def plan_stage(node: Node, bounds: Bounds, fmt: Format) -> Stage | None:
    """The output stage of a node whose accumulation is bounded by `bounds`; None where no float type holds it."""
    assert isinstance(fmt.frac, int)
    rule = node.text("rounding", DEFAULT_RULE)
    if "multiplier" in node.attrs:
        return _plan_dyadic(node, bounds, fmt, rule)
    if rule not in FIXED_RULES:
        return None
    least, most = bounds.den
    shifts, divisor = [f - fmt.frac for f in bounds.frac], 1
    if least == most and most & (most - 1) == 0:
        shifts = [s + most.bit_length() - 1 for s in shifts]
    elif isinstance(fmt, Minifloat):
        return None
    else:
        divisor = most
    need = 0
    for low, high, shift in zip(bounds.lo, bounds.hi, shifts, strict=True):
        magnitude = max(-low, high)
        if divisor > 1:
            # Twice the remainder and the aligned numerator must fit as well.
            need = max(need, (magnitude << max(-shift, 0)) * 2 + (divisor << max(shift, 0)) * 2)
        else:
            need = max(need, magnitude + ((1 << max(shift, 0)) >> 1))
    lo, hi = _open_bounds(node, bounds, fmt)
    if not isinstance(fmt, Minifloat):
        # A bound that is compared with has to be exact, too.
        need = max(need, *(abs(int(b)) for b in (lo, hi) if b is not None), 0)
    mode = DEFAULT_OVERFLOW
    if overflows(node):
        mode = node.text("overflow")
        # Wrapping takes the least number off, and turns of 2**bits: on whole numbers of the output's grid.
        ends = zip(bounds.lo, bounds.hi, shifts, strict=True)
        need = max(need, *((max(-low, high) << max(-shift, 0)) + (3 << fmt.bits) for low, high, shift in ends))
    dtype = _float_type(need, max(map(abs, shifts)))
    if dtype is None:
        return None
    return Stage(dtype, tuple(shifts), rule, max(shifts) > 0, lo, hi, fmt, divisor, overflow=mode)


def _plan_dyadic(node: Node, bounds: Bounds, fmt: Format, rule: str) -> Stage | None:
    """The output stage of a node with multipliers: its sums are neither scaled nor given a rounding constant."""
    dtype = _float_type(max(-min(bounds.lo), max(bounds.hi), 0), 0)
    if dtype is None or "left" in node.attrs:
        return None
    lo, hi = output_bounds(node, fmt)
    dyadic = (node.ints("multiplier"), node.ints("shift"))
    return Stage(dtype, (0,) * len(bounds.frac), rule, False, float(lo), float(hi), fmt, 1, dyadic)


def _float_type(need: int, exponent: int) -> FloatType | None:
    if need <= FLOAT32_LIMIT and exponent <= _EXPONENT[np.float32]:
        return np.float32
    if need <= FLOAT64_LIMIT and exponent <= _EXPONENT[np.float64]:
        return np.float64
    return None


def _open_bounds(node: Node, bounds: Bounds, fmt: Format) -> tuple[float | None, float | None]:
    """Bounds that saturate, each None where the range analysis proves that nothing passes it."""
    if overflows(node):
        own = clamp_of(node)
        return tuple(None if end is None else float(end) for end in own)  # type: ignore[return-value]
    lo, hi = output_bounds(node, fmt)
    if isinstance(fmt, Minifloat):
        return float(lo), float(hi)
    assert isinstance(fmt.frac, int)
    rule = node.text("rounding", DEFAULT_RULE)
    least, most = 0, 0
    for low, high, frac in zip(bounds.lo, bounds.hi, bounds.frac, strict=True):
        scale = Fraction(2) ** (fmt.frac - frac) / bounds.den[0]
        least = min(least, round_scalar(low * scale, rule))
        most = max(most, round_scalar(high * scale, rule))
    return None if least >= lo else float(lo), None if most <= hi else float(hi)


def _round(x: Carried, rule: str) -> None:
    """Round numbers to integers, in place; `half_up` has its half already."""
    if rule in _WHOLE:
        _WHOLE[rule](x, out=x)
        return
    # The fraction is exact; a half added to a whole number might not be.
    part, negative = x - np.floor(x), x < 0
    np.floor(x, out=x)
    tie_up = {"half_down": False, "half_away": ~negative, "half_to_zero": negative}[rule]
    x += (part > 0.5) | ((part == 0.5) & tie_up)


_WHOLE: dict[str, Callable[..., Any]] = {
    "half_up": np.floor,
    "floor": np.floor,
    "half_even": np.rint,
    "to_zero": np.trunc,
}


#: rule -> whether a quotient q of num that was rounded down (up) at a tie goes up (down) after all
_TIES: dict[str, Callable[[Carried, Carried], tuple[Any, Any]]] = {
    "half_up": lambda q, num: (True, False),
    "half_down": lambda q, num: (False, True),
    "half_even": lambda q, num: (np.mod(q, 2) == 1, np.mod(q, 2) == 1),
    "half_away": lambda q, num: (num > 0, num < 0),
    "half_to_zero": lambda q, num: (num < 0, num > 0),
}


def _overflow(x: Carried, fmt: Format, mode: str) -> None:
    """The numbers of `fmt` that integers become, in place; the float type has room for one turn of 2**bits more."""
    lo, hi = (x.dtype.type(end) for end in fmt.grid_range)
    if mode == "zero":
        x[(x < lo) | (x > hi)] = 0
    else:
        turn = x.dtype.type(2.0**fmt.bits)
        x -= np.floor((x - lo) / turn) * turn


def _round_minifloat(x: Carried, mantissa: int, rule: str) -> Carried:
    """Round to the nearest integer with `mantissa` + 1 significant bits."""
    mask, uint = (0x7F800000, np.uint32) if x.dtype == np.float32 else (0x7FF0000000000000, np.uint64)
    # The exponent field alone is the power of two below |x|.
    bits: Carried = np.bitwise_and(x.view(uint), uint(mask))
    step = bits.view(x.dtype) * x.dtype.type(0.5**mantissa)
    np.maximum(step, x.dtype.type(1), out=step)
    np.divide(x, step, out=x)
    if rule == "half_even":
        np.rint(x, out=x)
    elif rule == "floor":
        np.floor(x, out=x)
    else:
        np.floor(x + x.dtype.type(0.5), out=x)
    found: Carried = np.multiply(x, step, out=x)
    return found
