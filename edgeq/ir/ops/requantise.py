"""requantise: the same numbers in another format; with bounds it is ReLU, ReLU6 and every other clip."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, frac_of


class Requantise(Arithmetic):
    """x -> x in the output's format, clamped to [lo, hi]. Rounding is monotone, so clip and rounding commute."""

    name = "requantise"
    operands = ("x",)
    attributes = OUTPUT_STAGE

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        return (ins[0].shape,)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        return Exact(grids[0], frac_of(ins[0]))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        return Bounds((ranges[0].lo,), (ranges[0].hi,), (frac_of(ins[0]),))
