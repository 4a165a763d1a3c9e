"""Range analysis: the worst case of every value and accumulator, and so the accumulator each node needs.

Bounds come from formats, constants and output bounds by exact interval arithmetic in Python integers. They hold
for every input and for every order of summation, so an accumulator that holds them can never wrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from edgeq.errors import RangeError
from edgeq.formats import DEFAULT_RULE, FixedPoint, Format, encode_scalar, round_scalar, scale_scalar
from edgeq.formats.format import ENCODE_LIMIT, WIDE_LIMIT
from edgeq.ir.graph import Graph, Node, Value
from edgeq.ir.operator import (
    Bounds,
    Interval,
    aligned_bounds,
    clamp_of,
    fits,
    is_wide,
    output_bounds,
    overflows,
)
from edgeq.ir.ops import operator


@dataclass(frozen=True)
class Accumulator:
    """Worst case of one node, alignment to the output grid and rounding constant included.

    lo, hi: bounds of what the accumulator must hold; bits: width of the least signed integer that does; wide: whether
    that is more than the 63 bits in which sums are kept where they fit.
    """

    lo: int
    hi: int

    @property
    def bits(self) -> int:
        return signed_bits(self.lo, self.hi)

    @property
    def wide(self) -> bool:
        return not fits(Interval(self.lo, self.hi), ENCODE_LIMIT)


@dataclass(frozen=True)
class Ranges:
    """Result of `analyse`: value name -> Interval, node name -> Accumulator (None where codes only move)."""

    values: Mapping[str, Interval]
    accumulators: Mapping[str, Accumulator | None]


def signed_bits(lo: int, hi: int) -> int:
    """Bits of the least two's complement integer that holds lo..hi."""
    return max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length()) + 1


def analyse(graph: Graph) -> Ranges:
    """Bound every value and accumulator; RangeError names the first node that no accumulator holds."""
    values: dict[str, Interval] = {}
    accumulators: dict[str, Accumulator | None] = {}
    for value in graph.values.values():
        if value.constant or value.name in graph.inputs:
            values[value.name] = _known(value)
    for node in graph.nodes:
        op, ins, outs = operator(node.op, node.name), graph.ins(node), graph.outs(node)
        bounds = op.bounds(node, ins, [values[v.name] for v in ins])
        if bounds is None:
            accumulators[node.name] = None
            for out in outs:
                values[out.name] = op.reach(node, [values[v.name] for v in ins]) or _known(out)
            continue
        accumulators[node.name] = accumulator(node, bounds, outs[0].format)
        values[outs[0].name] = _output(node, bounds, outs[0].format)
    return Ranges(values, accumulators)


def _known(value: Value) -> Interval:
    """Range of a constant or of anything that its format allows."""
    if value.data is not None and value.data.size:
        grid = value.format.to_grid(value.data)
        return Interval(int(grid.min()), int(grid.max()))
    return Interval(*value.format.grid_range)


def accumulator(node: Node, bounds: Bounds, fmt: Format) -> Accumulator:
    """The accumulator that a node with that output format needs; RangeError where there is none of that width."""
    if "multiplier" in node.attrs:
        return _multiplied(node, bounds)
    limit = WIDE_LIMIT if is_wide(bounds, fmt) else ENCODE_LIMIT
    need = aligned_bounds(bounds, fmt, limit)
    if not fits(need, limit):
        what = "its sum" if bounds.den == (1, 1) else "its sum, which is divided,"
        raise RangeError(
            f"{node.label}: {what} needs {signed_bits(need.lo, need.hi)} bits, more than the {limit.bit_length()} that "
            "the arithmetic holds exactly; use narrower formats, closer binary points or fewer terms"
        )
    return Accumulator(need.lo, need.hi)


def _channels(node: Node, bounds: Bounds) -> list[tuple[int, int, int, int]]:
    """Bounds, multiplier and shift of each channel of a node with multipliers."""
    multiplier, shift = node.ints("multiplier"), node.ints("shift")
    count = max(len(multiplier), len(bounds.lo))
    columns = (bounds.lo, bounds.hi, multiplier, shift)
    return list(zip(*(c if len(c) == count else c * count for c in columns), strict=True))


def _multiplied(node: Node, bounds: Bounds) -> Accumulator:
    """The sum itself, and a check that its product with the multiplier and half a step stay below 2**62."""
    worst = max(max(-lo, hi) * m + (1 << s >> 1) for lo, hi, m, s in _channels(node, bounds))
    if worst >= ENCODE_LIMIT:
        raise RangeError(
            f"{node.label}: its sum times the multiplier needs {signed_bits(0, worst)} bits, more than the 63 that the "
            "arithmetic holds exactly; use a smaller multiplier or fewer terms"
        )
    return Accumulator(min(*bounds.lo, 0), max(*bounds.hi, 0))


def output_rows(node: Node, bounds: Bounds, fmt: Format) -> list[Interval]:
    """The interval of each channel of an output whose bounds are given for each channel."""
    found = []
    multiplied = "multiplier" in node.attrs
    whole = zip(bounds.lo, bounds.hi, strict=True)
    columns = _channels(node, bounds) if multiplied else [(lo, hi, 0, 0) for lo, hi in whole]
    for (lo, hi, m, s), frac in zip(columns, bounds.frac, strict=True):
        attrs = {**node.attrs, "multiplier": (m,), "shift": (s,)} if multiplied else node.attrs
        one = Node(node.op, node.name, node.inputs, node.outputs, attrs, node.source)
        found.append(_output(one, Bounds((lo,), (hi,), (frac,), bounds.den), fmt))
    return found


def _output(node: Node, bounds: Bounds, fmt: Format) -> Interval:
    rule = node.text("rounding", DEFAULT_RULE)
    least, most = output_bounds(node, fmt)
    if "multiplier" in node.attrs:
        columns = _channels(node, bounds)
        low = min(scale_scalar(lo, m, s, rule) for lo, _, m, s in columns)
        high = max(scale_scalar(hi, m, s, rule) for _, hi, m, s in columns)
        return Interval(min(max(low, least), most), max(min(high, most), least))
    # Rounding is monotone: only the least and the greatest number of all channels, on their finest grid, matter.
    finest = max(bounds.frac)
    low = min(end << (finest - frac) for end, frac in zip(bounds.lo, bounds.frac, strict=True))
    high = max(end << (finest - frac) for end, frac in zip(bounds.hi, bounds.frac, strict=True))
    dens = (bounds.den[0] if low < 0 else bounds.den[1], bounds.den[0] if high > 0 else bounds.den[1])
    unit = Fraction(1, 2) ** finest
    if overflows(node):
        assert isinstance(fmt, FixedPoint)
        assert isinstance(fmt.frac, int)
        factor = unit * Fraction(2) ** fmt.frac
        low, high = (round_scalar(Fraction(e, d) * factor, rule) for e, d in zip((low, high), dens, strict=True))
        return _overflowing(node, fmt, low, high)
    ends = [encode_scalar(Fraction(end, den) * unit, fmt, rule) for end, den in zip((low, high), dens, strict=True)]
    # Both ends are clamped by both bounds: all of the range may lie outside.
    return Interval(min(max(min(ends), least), most), max(min(max(ends), most), least))


def _overflowing(node: Node, fmt: FixedPoint, low: int, high: int) -> Interval:
    """What is left of the rounded numbers low..high of a node with an overflow mode."""
    (lo, hi), (least, most) = clamp_of(node), fmt.grid_range
    if lo is not None:
        low, high = max(low, lo), max(high, lo)
    if hi is not None:
        low, high = min(low, hi), min(high, hi)
    if least <= low and high <= most:
        return Interval(low, high)
    if node.text("overflow") == "wrap":
        return Interval(least, most)
    if high < least or low > most:
        return Interval(0, 0)
    return Interval(min(max(low, least), 0), max(min(high, most), 0))
