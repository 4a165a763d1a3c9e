"""What element-wise operators of two operands share: broadcasting, alignment to the finer grid, worst case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Arithmetic, Grid, Interval, frac_of


class Elementwise(Arithmetic):
    """Two operands whose shapes broadcast from the right, without the batch dimension."""

    operands = ("a", "b")

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(ins[0].shape, ins[1].shape)),)
        except ValueError:
            raise self.fail(node, f"shapes {ins[0].shape} and {ins[1].shape} do not broadcast") from None


def batched(grids: Sequence[Grid], ins: Sequence[Value]) -> list[Grid]:
    """Grids shaped to broadcast: batch first, then from the right (a constant gets a batch of one)."""
    rank = max(len(v.shape) for v in ins)
    found = []
    for grid, value in zip(grids, ins, strict=True):
        batch = 1 if value.constant else grid.shape[0]
        found.append(grid.reshape(batch, *(1,) * (rank - len(value.shape)), *value.shape))
    return found


def align_shifts(ins: Sequence[Value]) -> tuple[int, list[int]]:
    """The finest binary point among the operands, and how far left each must go to reach it."""
    fracs = [frac_of(v) for v in ins]
    return max(fracs), [max(fracs) - f for f in fracs]


def aligned(grids: Sequence[Grid], ins: Sequence[Value]) -> tuple[int, list[Grid]]:
    """Operands on the finest grid among them, shaped to broadcast."""
    frac, shifts = align_shifts(ins)
    return frac, [g << min(s, 62) for g, s in zip(batched(grids, ins), shifts, strict=True)]


def aligned_ranges(ins: Sequence[Value], ranges: Sequence[Interval]) -> tuple[int, list[Interval]]:
    """The operands' intervals on the finest grid among them."""
    frac, shifts = align_shifts(ins)
    return frac, [Interval(r.lo << min(s, 256), r.hi << min(s, 256)) for r, s in zip(ranges, shifts, strict=True)]
