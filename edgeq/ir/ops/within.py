"""within: whether every number of a tensor lies between two bounds."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Interval, Operator

#: the answer: 1 or 0
BIT = FixedPoint(1, 0, False)


class Within(Operator):
    """x -> one code: 1 where least <= number <= most for all numbers of x on their grid, else 0."""

    name = "within"
    operands = ("x",)
    attributes = {
        "least": "least grid integer of x that is allowed",
        "most": "greatest grid integer of x that is allowed",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        least, most = node.integer("least"), node.integer("most")
        lo, hi = ins[0].format.grid_range
        exact = all(ins[0].format.round_scalar(Fraction(end), "floor") == end for end in (least, most))
        if not lo <= least <= most <= hi or not exact:
            raise self.fail(node, f"bounds {least}..{most} are not values of {ins[0].format} ({lo}..{hi})")
        return ((1,),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        if outs[0].format != BIT:
            raise self.fail(node, f"answers 1 or 0, so its output must be {BIT}, not {outs[0].format}")
        if ins[0].format.channel_axis is not None:
            raise self.fail(node, f"{ins[0].name} has a format per channel; requantise it to one per tensor")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        grid = ins[0].format.to_grid(codes[0] if not ins[0].constant else codes[0][None])
        inside = (grid >= node.integer("least")) & (grid <= node.integer("most"))
        every: Codes = np.asarray(inside.reshape(len(grid), -1).all(axis=1, keepdims=True), dtype=np.int64)
        return [every]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None
