"""The output stage in hardware: eq_shift for power-of-two grids, eq_scale for multipliers; quotients for minifloats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgeq.formats import DEFAULT_RULE, FIXED_RULES, Minifloat
from edgeq.formats import RULES as RULES_OF_ALL
from edgeq.fpga.dataflow import Param, Stream
from edgeq.fpga.lowering import Lowering, fail, packed, signed_codes, zero_of
from edgeq.ir import Node, Value
from edgeq.ir.operator import frac_of, output_bounds, overflows

#: numbers of the rounding rules in hls/rtl; the rule of codes is half_away on a sum that has the zero point in it
RULES = {
    "half_up": 0,
    "half_even": 1,
    "floor": 2,
    "tflite": 3,
    "code_half_away": 4,
    "half_away": 4,
    "half_down": 5,
    "half_to_zero": 6,
    "to_zero": 7,
}
#: rounding of a quotient that eq_shift will round once more: what division leaves goes into the lowest bit
ODD = 8
#: places that such a quotient has below the grid: one halves its step, one tells halves from more than halves
ODD_PLACES = 2
#: numbers of the overflow modes of eq_round
OVERFLOW = {"saturate": 0, "zero": 1, "wrap": 2}
#: rules of stages that shift or divide
PLAIN_RULES = tuple(FIXED_RULES)


def rule_number(node: Node, known: tuple[str, ...]) -> int:
    """The number of the node's rounding rule; UnsupportedError where the stage does not have it."""
    rule = node.text("rounding", DEFAULT_RULE)
    if rule not in known:
        raise fail(node, f"rounds by {rule}, which this stage does not have in hardware; it has {', '.join(known)}")
    return RULES[rule]


def overflow_params(node: Node) -> dict[str, Param]:
    """What eq_shift has to know of a node that does not saturate; nothing where it does."""
    if not overflows(node):
        return {}
    clamp = ("lo" in node.attrs) | ("hi" in node.attrs) << 1
    return {"OVERFLOW": OVERFLOW[node.text("overflow")], "CLAMP": clamp}


def saturating(node: Node) -> None:
    """Refuse what a stage that divides does not have."""
    if overflows(node):
        raise fail(
            node,
            f"divides, and overflows by {node.text('overflow')}: in hardware a quotient only saturates; put the mode "
            "into a requantise after it",
        )


def quotient_bits(lo: int, hi: int) -> int:
    """Q of eq_divide: the bits of a quotient that may lie within the bounds (hls/rtl/eq_divide.v)."""
    return (max(abs(lo), abs(hi)) + 1).bit_length()


#: intervals of the multipliers of eq_scale, slowest and smallest first
INTERVALS = (17, 9, 5, 1)
#: widest accumulator that eq_scale takes
SCALE_BITS = 40


def interval_of(cycles: int) -> int:
    """The interval of eq_scale for beats that may take so many cycles each."""
    return next(i for i in INTERVALS if i <= max(cycles, 1))


def output_stage(
    ctx: Lowering,
    node: Node,
    acc: Stream,
    fracs: tuple[int, ...],
    out: Value,
    interval: int | None = None,
    biased: bool = False,
) -> None:
    """Join the accumulators `acc` (signed, binary points `fracs`) to a new stream that carries `out`.

    fracs: one for each channel of the last axis, or one. interval: cycles between beats, where the engine before it
    needs more than one beat every target / beats cycles.
    biased: `acc` has the output's zero point in it, and codes are rounded half away from zero (`code_half_away`).
    """
    if isinstance(out.format, Minifloat):
        ctx.bind(out, minifloat_stage(ctx, node, acc, fracs, out))
        return
    lo, hi = output_bounds(node, out.format)
    zero = zero_of(out.format)
    if biased:
        lo, hi, zero = lo + zero, hi + zero, 0
    made = ctx.output(out, acc.lanes)
    params: dict[str, Param] = {
        "LANES": acc.lanes,
        "IN_BITS": acc.bits,
        "OUT_BITS": out.format.bits,
        "LO": lo,
        "HI": hi,
        "ZERO": zero,
    }
    if "multiplier" in node.attrs:
        params |= {"RULE": rule_number(node, ("half_up", "half_even", "floor", "tflite")), **_scale(ctx, node, acc)}
        if acc.bits > SCALE_BITS:
            raise fail(
                node, f"multiplies sums of {acc.bits} bits; hardware takes up to {SCALE_BITS}: use narrower formats"
            )
        params["CYCLES"] = cycles = interval_of(ctx.target // acc.beats if interval is None else interval)
        module = "eq_scale"
    else:
        rules = ("code_half_away",) if biased else PLAIN_RULES
        params |= {
            "RULE": rule_number(node, rules),
            **_shift(ctx, acc, fracs, out, out.format.bits),
            **overflow_params(node),
        }
        module, cycles = "eq_shift", 1
    ctx.stage(module, params, {"s": acc.name}, {"m": made.name}, acc.beats * cycles)


def minifloat_stage(ctx: Lowering, node: Node, acc: Stream, fracs: tuple[int, ...], out: Value) -> Stream:
    """The same to a minifloat: eq_shift with a format. The stream is not bound yet."""
    fmt = out.format
    assert isinstance(fmt, Minifloat)
    bounds = np.asarray(output_bounds(node, fmt), np.int64)
    lo, hi = (int(c) if g >= 0 else -int(c) for g, c in zip(bounds, fmt.from_grid(np.abs(bounds)), strict=True))
    params: dict[str, Param] = {
        "LANES": acc.lanes,
        "IN_BITS": acc.bits,
        "OUT_BITS": fmt.bits,
        "LO": lo,
        "HI": hi,
        "ZERO": 0,
        "RULE": rule_number(node, tuple(RULES_OF_ALL)),
        "EXPONENT": fmt.exponent,
        "MANTISSA": fmt.mantissa,
        "STEP_MAX": max(fmt.max_magnitude.bit_length() - 1 - fmt.mantissa, 0),
        **_shift(ctx, acc, fracs, out, fmt.max_magnitude.bit_length() + 1),
    }
    made = ctx.stream("y", fmt.bits, False, acc.lanes, acc.beats)
    ctx.stage("eq_shift", params, {"s": acc.name}, {"m": made.name}, acc.beats)
    return made


class Quotient(NamedTuple):
    """How a stage divides: parameters of eq_divide without its widths, and the width of what it gives."""

    rule: int
    lo: int
    hi: int
    zero: int
    frac: int
    bits: int
    signed: bool


def quotient_of(node: Node, out: Value, rules: tuple[str, ...], most: int | None = None) -> Quotient:
    """The quotient of a node that divides: its output's codes, or what `minifloat_stage` makes them of.

    Minifloats have steps of many sizes, so the quotient stays on the grid of the smallest one, `ODD_PLACES` finer, and
    is rounded to odd: truncated, with a one at the end where anything is left. Rounding that once more gives what
    rounding the exact quotient gives (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
    algorithms using rounding to odd", IEEE Transactions on Computers 57, 2008). most: greatest quotient in units of
    2^-(frac + ODD_PLACES), where it is known; none is negative then.
    """
    saturating(node)
    fmt, frac = out.format, frac_of(out)
    if not isinstance(fmt, Minifloat):
        lo, hi = output_bounds(node, fmt)
        return Quotient(rule_number(node, rules), lo, hi, zero_of(fmt), frac, fmt.bits, signed_codes(fmt))
    top = fmt.max_magnitude << ODD_PLACES
    least = -top
    if most is not None:
        least, top = 0, min(top, most)
    return Quotient(ODD, least, top, 0, frac + ODD_PLACES, top.bit_length() + 1, True)


def within(places: int, right: int, left: int) -> int:
    """A shift to the left (negative: to the right) of what is divided, of so many places at most.

    Beyond the limits nothing changes: all bits are gone, or everything but zero saturates.
    """
    return min(max(places, -right - 1), left + 1)


def quotient_codes(ctx: Lowering, node: Node, quotient: Stream, out: Value) -> Stream:
    """Codes of the output, not bound yet: the quotients themselves, or to minifloats their second rounding."""
    if not isinstance(out.format, Minifloat):
        return quotient
    return minifloat_stage(ctx, node, quotient, (frac_of(out) + ODD_PLACES,), out)


def _scale(ctx: Lowering, node: Node, acc: Stream) -> dict[str, Param]:
    """Multipliers and shifts, of one channel or of each."""
    multiplier, shift = node.ints("multiplier"), node.ints("shift")
    common: dict[str, Param] = {"SHIFT_MIN": min(shift), "SHIFT_MAX": max(shift), "STYLE": "lut"}
    if len(multiplier) == len(shift) == 1:
        return {"CHANNELS": 1, "MULTIPLIER": multiplier[0], "SHIFT": shift[0], **common}
    channels = max(len(multiplier), len(shift))
    columns = [np.broadcast_to(np.asarray(c, np.int64), channels) for c in (multiplier, shift)]
    table = (columns[1] << 31 | columns[0]).reshape(-1, acc.lanes)
    rom = ctx.rom("scale", 37 * acc.lanes, packed(table, 37))
    return {"CHANNELS": channels, "TABLE": rom, **common}


def _shift(ctx: Lowering, acc: Stream, fracs: tuple[int, ...], out: Value, bits: int) -> dict[str, Param]:
    """Shifts to the right (negative: to the left), of one channel or of each; results beyond `bits` saturate."""
    point = frac_of(out)
    # Beyond these limits nothing changes: all bits are gone, or everything but zero saturates.
    shifts = [min(max(f - point, -bits - 1), acc.bits + 1) for f in fracs]
    if len(set(shifts)) == 1:
        return {"CHANNELS": 1, "SHIFT": shifts[0]}
    table = np.asarray(shifts, np.int64).reshape(-1, acc.lanes)
    rom = ctx.rom("shifts", 8 * acc.lanes, packed(table, 8))
    return {"CHANNELS": len(shifts), "SHIFTS": rom, "SHIFT_MIN": min(shifts), "SHIFT_MAX": max(shifts)}
