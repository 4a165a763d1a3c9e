"""select: one of two tensors, chosen as a whole by a condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Interval, Operator
from edgeq.ir.ops.within import BIT


class Select(Operator):
    """condition, a, b -> the codes of a where the condition is 1, those of b where it is 0.

    Both operands mean something for every input. A machine that runs node after node need not compute the one that is
    not chosen, nor what only that one needs (edgeq/schedule/guards.py).
    """

    name = "select"
    operands = ("condition", "a", "b")

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        condition, a, b = ins
        if condition.size != 1:
            raise self.fail(node, f"condition {condition.name} must be one element, not {condition.shape}")
        if a.shape != b.shape:
            raise self.fail(node, f"chooses between {a.shape} and {b.shape}; they must be equal")
        return (a.shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        condition, a, b = ins
        if condition.format != BIT:
            raise self.fail(node, f"condition {condition.name} must be {BIT}, not {condition.format}")
        if not a.format == b.format == outs[0].format:
            raise self.fail(node, f"moves codes, so {a.format}, {b.format} and {outs[0].format} must be equal")
        if a.format.channel_axis is not None:
            raise self.fail(node, f"{a.name} has a format per channel; only constants of matrix operators may")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        condition, a, b = (c if not v.constant else c[None] for v, c in zip(ins, codes, strict=True))
        chosen = condition.reshape(-1, *(1 for _ in outs[0].shape)) != 0
        return [np.where(chosen, a, b)]

    def reach(self, node: Node, ranges: Sequence[Interval]) -> Interval:
        return ranges[1].hull(ranges[2])

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None
