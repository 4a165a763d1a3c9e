"""softmax: integer exponentials by table, exact sum, one rounded division."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval


class Softmax(Arithmetic):
    """x, table (T) -> e_i / sum(e), e_i = table[min(max(x) - x_i, T - 1)], distances on the grid of x.

    The table holds exp(-d * 2**-frac(x)) for d = 0 … T-1 as non-negative integers of any common scale, the
    first of them positive; a distance beyond it takes the last entry (0 in tables that edgeq makes).
    """

    name = "softmax"
    operands = ("x", "table")
    attributes = {"axis": "axis of the value, without the batch", **OUTPUT_STAGE}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        if not 0 <= node.integer("axis") < len(ins[0].shape):
            raise self.fail(node, f"axis {node.integer('axis')} is not one of the {len(ins[0].shape)} axes")
        return (ins[0].shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        table = ins[1]
        if table.data is None or len(table.shape) != 1:
            raise self.fail(node, f"table {table.name} must be a constant vector")
        grid = table.format.to_grid(table.data)
        if grid.min() < 0 or grid[0] < 1:
            raise self.fail(node, f"table {table.name} must be non-negative and start with a positive entry")

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        x, table = grids
        axis = node.integer("axis") + 1
        distance = x.max(axis=axis, keepdims=True) - x
        e = table[np.minimum(distance, table.size - 1)]
        return Exact(e, 0, e.sum(axis=axis, keepdims=True))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        # The numerator is at most the sum, which is the divisor: the quotient is at most one.
        top = ranges[1].hi
        total = top * ins[0].shape[node.integer("axis")]
        return Bounds((0,), (top,), (0,), (max(top, 1), max(total, 1)))
