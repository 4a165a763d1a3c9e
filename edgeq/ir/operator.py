"""What an operator is: shape rule, format rule, exact meaning, range and cost. One subclass per file in `ops/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import GraphError
from edgeq.formats import (
    DEFAULT_OVERFLOW,
    DEFAULT_RULE,
    FixedPoint,
    Format,
    align,
    encode,
    encode_scalar,
    overflow,
    overflow_scalar,
    round_ratio,
    round_scalar,
    scale,
)
from edgeq.formats.format import ENCODE_LIMIT, WIDE_LIMIT
from edgeq.formats.overflow import Clamp
from edgeq.ir.graph import Node, Shape, Value

Codes = npt.NDArray[Any]
#: grid integers: of 64 bits, or Python's own (dtype object) in a node whose sums need more
Grid = npt.NDArray[Any]


@dataclass(frozen=True)
class Exact:
    """Exact result of arithmetic: num / den * 2**-frac, batch first; frac broadcasts along the last axis."""

    num: Grid
    frac: npt.NDArray[np.int64] | int
    den: npt.NDArray[np.int64] | int = 1


@dataclass(frozen=True)
class Bounds:
    """Worst case of an accumulation, in Python integers so that nothing here can wrap.

    lo, hi: bounds of every partial sum in any order, one for each channel of `frac`.
    frac:   binary point of each; den: least and greatest divisor of an average.
    """

    lo: tuple[int, ...]
    hi: tuple[int, ...]
    frac: tuple[int, ...]
    den: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Interval:
    """Least and greatest grid integer of a value."""

    lo: int
    hi: int

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))


#: attributes of the output stage that every arithmetic operator shares
OUTPUT_STAGE = {
    "rounding": "rounding rule of the one rounding (default half_up)",
    "overflow": "fixed point only: what becomes of a rounded and clamped number that the format does not hold "
    "(default saturate)",
    "lo": "least grid integer of the output after saturation (default: that of its format); a fused ReLU sets 0",
    "hi": "greatest grid integer of the output after saturation (default: that of its format)",
    "multiplier": "in place of the alignment: the exact result times multiplier / 2^shift is the number to round; one, "
    "or one for each channel of the last axis, 0 to 2^31 - 1",
    "shift": "see multiplier; as many, 0 to 62",
}


class Operator(ABC):
    """One operator. The class is the single statement of its meaning; backends have twins tested against it."""

    #: the word in `Node.op`, also the name of the file
    name: ClassVar[str]
    #: names of the inputs; a trailing "?" marks an optional one, a trailing "*" any number from one up
    operands: ClassVar[tuple[str, ...]]
    #: attribute -> meaning; one that starts with "[" may be absent
    attributes: ClassVar[dict[str, str]] = {}

    @abstractmethod
    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        """Output shapes; GraphError where the inputs do not fit."""

    @abstractmethod
    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        """Format rule: GraphError where formats do not go together."""

    @abstractmethod
    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        """The exact meaning: output codes of input codes (activations batch first, constants without batch)."""

    @abstractmethod
    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        """Worst case of the accumulation; None where codes only move."""

    def reach(self, node: Node, ranges: Sequence[Interval]) -> Interval | None:
        """Range of an output whose codes nobody computes (`bounds` is None); None: all that its format allows."""
        return None

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def fail(self, node: Node, fact: str) -> GraphError:
        """An error about this node that speaks the user's layer name."""
        return GraphError(f"{node.label}: {fact}")


class Arithmetic(Operator):
    """An operator that computes exactly on grids and rounds once, in the output stage."""

    @abstractmethod
    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        """The result before rounding. Grids of activations are batch first, those of constants are not."""

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        for value in ins:
            if value.format.channel_axis is not None and not self.per_channel_input(node, ins, value):
                raise self.fail(node, f"{value.name} has a format per channel; requantise it to one per tensor")
        if outs[0].format.channel_axis is not None:
            raise self.fail(node, "its output format is per channel; only constants may be")

    def per_channel_input(self, node: Node, ins: Sequence[Value], value: Value) -> bool:
        """Whether this input may have a format per channel (weights and biases of matrix operators)."""
        return False

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        grids = self.grids(node, ins, outs[0], codes)
        return [output_stage(node, self.exact(node, ins, grids), outs[0].format)]

    def grids(self, node: Node, ins: Sequence[Value], out: Value, codes: Sequence[Codes]) -> list[Grid]:
        """What `exact` takes: in 64 bits where these hold the worst case of these codes, else in Python's integers."""
        found: list[Grid] = [value.format.to_grid(c) for value, c in zip(ins, codes, strict=True)]
        if "multiplier" in node.attrs or not all(grid.size for grid in found):
            return found
        bounds = self.bounds(node, ins, [Interval(int(grid.min()), int(grid.max())) for grid in found])
        if bounds is None or not is_wide(bounds, out.format):
            return found
        return [grid.astype(object) for grid in found]


def is_wide(bounds: Bounds, fmt: Format) -> bool:
    """Whether sums that go to `fmt` need more than 63 bits, which only those may that nothing divides."""
    return bounds.den == (1, 1) and not fits(aligned_bounds(bounds, fmt), ENCODE_LIMIT)


def fits(interval: Interval, limit: int) -> bool:
    """Whether all numbers of an interval stay below a limit."""
    return max(-interval.lo, interval.hi) < limit


def aligned_bounds(bounds: Bounds, fmt: Format, limit: int = ENCODE_LIMIT) -> Interval:
    """What an accumulator with that output format has to hold: sums, the left shift of their alignment, half a step.

    Half a step of the output's grid is added before a shift to the right. A shift that leaves nothing of what is below
    `limit` rounds to 0 or -1 like any larger one.
    """
    lo, hi, most = 0, 0, limit.bit_length() - 1
    points = fmt.frac if isinstance(fmt.frac, tuple) else (fmt.frac,) * len(bounds.frac)
    for low, high, frac, point in zip(bounds.lo, bounds.hi, bounds.frac, points, strict=True):
        up, down = max(point - frac, 0), max(frac - point, 0)
        half = ((bounds.den[1] << min(down, most)) >> 1) if down or bounds.den[1] > 1 else 0
        lo, hi = min(lo, (low << min(up, 128)) - half), max(hi, (high << min(up, 128)) + half)
    return Interval(lo, hi)


def shifted(grid: Grid, places: int) -> Grid:
    """grid * 2^places, which fits by the range analysis: beyond the limits there are only zeros to be shifted."""
    most = WIDE_LIMIT if grid.dtype == object else ENCODE_LIMIT
    moved: Grid = grid << min(places, most.bit_length() - 1)
    return moved


def output_stage(node: Node, exact: Exact, fmt: Format) -> Codes:
    """One rounding (`tflite`: two), saturation (or what `overflow` says), optional tighter bounds, and the codes."""
    rounding = node.text("rounding", DEFAULT_RULE)
    lo, hi = output_bounds(node, fmt)
    if exact.num.dtype == object:
        frac = np.broadcast_to(np.asarray(exact.frac), exact.num.shape).astype(object)
        found = np.frompyfunc(lambda num, f: _rounded(node, num * Fraction(2) ** -f, fmt), 2, 1)(exact.num, frac)
        return fmt.from_grid(found.astype(np.int64))
    if "multiplier" in node.attrs:
        scaled = scale(exact.num, node.ints("multiplier"), node.ints("shift"), rounding)
        return fmt.from_grid(np.clip(scaled, lo, hi))
    if overflows(node):
        assert isinstance(fmt, FixedPoint)
        rounded = round_ratio(*align(exact.num, np.asarray(exact.frac), fmt, exact.den), rounding)
        return fmt.from_grid(overflow(rounded, fmt, node.text("overflow"), clamp_of(node)))
    grid = encode(exact.num, np.asarray(exact.frac), fmt, rounding, exact.den)
    return fmt.from_grid(np.clip(grid, lo, hi))


def _rounded(node: Node, x: Fraction, fmt: Format) -> int:
    """The output stage of one real number of any size, as a grid integer of the output."""
    rounding = node.text("rounding", DEFAULT_RULE)
    if overflows(node):
        assert isinstance(fmt, FixedPoint)
        assert isinstance(fmt.frac, int)
        rounded = round_scalar(x * Fraction(2) ** fmt.frac, rounding)
        return overflow_scalar(rounded, fmt, node.text("overflow"), clamp_of(node))
    lo, hi = output_bounds(node, fmt)
    return min(max(encode_scalar(x, fmt, rounding), lo), hi)


def output_bounds(node: Node, fmt: Format) -> tuple[int, int]:
    """Grid bounds of the output stage: those of the format, tightened by the attributes `lo` and `hi`."""
    lo, hi = fmt.grid_range
    return node.integer("lo", lo), node.integer("hi", hi)


def overflows(node: Node) -> bool:
    """Whether the node does anything but saturate."""
    return node.text("overflow", DEFAULT_OVERFLOW) != DEFAULT_OVERFLOW


def clamp_of(node: Node) -> Clamp:
    """The bounds that the node itself gives: clamped to before its overflow mode acts."""
    return tuple(node.integer(key) if key in node.attrs else None for key in ("lo", "hi"))  # type: ignore[return-value]


class Movement(Operator):
    """An operator that only moves codes: the output has the input's format, bit for bit."""

    @abstractmethod
    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        """Output codes, batch first."""

    def reach(self, node: Node, ranges: Sequence[Interval]) -> Interval | None:
        fill = node.integer("value", 0)  # a pad may bring zeros or its fill value in
        return ranges[0].hull(Interval(min(fill, 0), max(fill, 0)))

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        if ins[0].format != outs[0].format:
            raise self.fail(node, f"moves codes, so its output must be {ins[0].format}, not {outs[0].format}")
        if ins[0].format.channel_axis is not None:
            raise self.fail(node, f"{ins[0].name} has a format per channel; only constants of matrix operators may")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        return [self.move(node, ins[0], codes[0])]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None


def frac_of(value: Value) -> int:
    """Binary point of a value with one grid."""
    frac = value.format.frac
    if not isinstance(frac, int):
        raise GraphError(f"{value.name}: {value.format} has a grid per channel where one grid is needed")
    return frac
