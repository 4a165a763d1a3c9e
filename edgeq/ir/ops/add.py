"""add: element-wise sum of two operands on the finer of their grids."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import OUTPUT_STAGE, Bounds, Exact, Grid, Interval
from edgeq.ir.ops._elementwise import (
    OPERAND_STAGE,
    Elementwise,
    aligned,
    aligned_ranges,
    batched,
    rescaled,
    rescaled_ranges,
    rescales,
)


class Add(Elementwise):
    """a + b, broadcast from the right."""

    name = "add"
    attributes = {**OPERAND_STAGE, **OUTPUT_STAGE}

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        if rescales(node):
            a, b = rescaled(node, batched(grids, ins))
            return Exact(a + b, 0)
        frac, (a, b) = aligned(grids, ins)
        return Exact(a + b, frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        frac, (a, b) = (0, rescaled_ranges(self, node, ranges)) if rescales(node) else aligned_ranges(ins, ranges)
        lo, hi = a.lo + b.lo, a.hi + b.hi
        # The aligned operands have to fit too.
        return Bounds((min(lo, a.lo, b.lo),), (max(hi, a.hi, b.hi),), (frac,))
