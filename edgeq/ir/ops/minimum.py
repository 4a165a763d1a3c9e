"""minimum: the lesser of two operands, element by element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import OUTPUT_STAGE, Bounds, Exact, Grid, Interval
from edgeq.ir.ops._elementwise import Elementwise, aligned, aligned_ranges


class Minimum(Elementwise):
    """min(a, b), broadcast from the right."""

    name = "minimum"
    attributes = OUTPUT_STAGE

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        frac, (a, b) = aligned(grids, ins)
        return Exact(np.minimum(a, b), frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        frac, (a, b) = aligned_ranges(ins, ranges)
        # Both operands have to fit, not the result alone.
        return Bounds((min(a.lo, b.lo),), (max(a.hi, b.hi),), (frac,))
