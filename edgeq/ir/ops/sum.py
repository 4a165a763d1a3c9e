"""sum: exact sum over some axes, rounded once; with a multiplier it is the mean of imported networks, too."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import Bounds, Exact, Grid, Interval
from edgeq.ir.ops.mean import Mean


class Sum(Mean):
    """x -> sum over `axes`, which become 1 (keep_axes 1) or vanish."""

    name = "sum"

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        total = super().exact(node, ins, grids)
        return Exact(total.num, total.frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        total = super().bounds(node, ins, ranges)
        return Bounds(total.lo, total.hi, total.frac)
