"""slice: a regular part of a tensor."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement


class Slice(Movement):
    """x -> elements begin, begin + step, … below end along each axis."""

    name = "slice"
    operands = ("x",)
    attributes = {
        "begin": "first index on each axis without the batch",
        "end": "index after the last on each axis",
        "step": "distance on each axis, 1 or more",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape = ins[0].shape
        begin, end, step = node.ints("begin"), node.ints("end"), node.ints("step")
        if not len(begin) == len(end) == len(step) == len(shape):
            raise self.fail(node, f"begin, end and step need one entry for each axis of {shape}")
        if any(not 0 <= b < e <= n or s < 1 for b, e, s, n in zip(begin, end, step, shape, strict=True)):
            raise self.fail(node, f"slice {begin}:{end}:{step} does not lie within {shape}")
        return (tuple((e - b + s - 1) // s for b, e, s in zip(begin, end, step, strict=True)),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        parts = zip(node.ints("begin"), node.ints("end"), node.ints("step"), strict=True)
        return codes[(slice(None), *(slice(b, e, s) for b, e, s in parts))]
