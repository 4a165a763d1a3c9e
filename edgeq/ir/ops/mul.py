"""mul: element-wise product of two operands."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import OUTPUT_STAGE, Bounds, Exact, Grid, Interval, frac_of
from edgeq.ir.ops._elementwise import Elementwise, batched


class Mul(Elementwise):
    """a * b, broadcast from the right."""

    name = "mul"
    attributes = OUTPUT_STAGE

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        a, b = batched(grids, ins)
        return Exact(a * b, frac_of(ins[0]) + frac_of(ins[1]))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        a, b = ranges
        products = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return Bounds((min(products),), (max(products),), (frac_of(ins[0]) + frac_of(ins[1]),))

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return outs[0].size
