"""reshape: the same elements in the same order under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement


class Reshape(Movement):
    """x -> x with `shape`; costs nothing anywhere."""

    name = "reshape"
    operands = ("x",)
    attributes = {"shape": "new sizes without the batch, all positive"}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape = node.ints("shape")
        if any(n < 1 for n in shape) or prod(shape) != ins[0].size:
            raise self.fail(node, f"shape {shape} does not hold the {ins[0].size} elements of {ins[0].shape}")
        return (shape,)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        return codes.reshape(codes.shape[0], *node.ints("shape"))
