"""argmax: index of the greatest value along an axis; the first of equals wins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Interval, Operator


class ArgMax(Operator):
    """x -> indices along `axis`, which becomes 1 (keep_axes 1) or vanishes."""

    name = "argmax"
    operands = ("x",)
    attributes = {
        "axis": "axis of the value, without the batch",
        "keep_axes": "1: the axis stays with size 1",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, axis = ins[0].shape, node.integer("axis")
        if not 0 <= axis < len(shape):
            raise self.fail(node, f"axis {axis} is not one of the {len(shape)} axes of {shape}")
        kept = (1,) if node.integer("keep_axes") else ()
        return ((*shape[:axis], *kept, *shape[axis + 1 :]) or (1,),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        fmt, count = outs[0].format, ins[0].shape[node.integer("axis")]
        if not isinstance(fmt, FixedPoint) or fmt.frac != 0 or fmt.code_range[1] < count - 1:
            raise self.fail(node, f"indices up to {count - 1} need an integer output format, not {fmt}")
        if ins[0].format.channel_axis is not None:
            raise self.fail(node, f"{ins[0].name} has a format per channel; requantise it to one per tensor")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        grid = ins[0].format.to_grid(codes[0])
        return [np.argmax(grid, axis=node.integer("axis") + 1).reshape(-1, *outs[0].shape)]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None
