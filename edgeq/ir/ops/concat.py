"""concat: operands one after another along an axis, each brought to the output's format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, shifted
from edgeq.ir.ops._elementwise import align_shifts, aligned_ranges


class Concat(Arithmetic):
    """x0, x1, … -> their codes along `axis`, which counts without the batch."""

    name = "concat"
    operands = ("x*",)
    attributes = {"axis": "axis of the value, without the batch, 0 or more", **OUTPUT_STAGE}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        axis, first = node.integer("axis"), ins[0].shape
        if not 0 <= axis < len(first):
            raise self.fail(node, f"axis {axis} is not one of the {len(first)} axes of {first}")
        for value in ins[1:]:
            rest = value.shape[:axis] + value.shape[axis + 1 :]
            if len(value.shape) != len(first) or rest != first[:axis] + first[axis + 1 :]:
                raise self.fail(node, f"{value.name} {value.shape} does not fit {first} along axis {axis}")
        return ((*first[:axis], sum(v.shape[axis] for v in ins), *first[axis + 1 :]),)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        frac, shifts = align_shifts(ins)
        batch = max(1 if v.constant else g.shape[0] for g, v in zip(grids, ins, strict=True))
        parts = [
            shifted(np.broadcast_to(g if not v.constant else g[None], (batch, *v.shape)), s)
            for g, v, s in zip(grids, ins, shifts, strict=True)
        ]
        return Exact(np.concatenate(parts, axis=node.integer("axis") + 1), frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        frac, aligned = aligned_ranges(ins, ranges)
        return Bounds((min(r.lo for r in aligned),), (max(r.hi for r in aligned),), (frac,))
