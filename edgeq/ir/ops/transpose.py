"""transpose: the axes of a tensor in another order."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement


class Transpose(Movement):
    """x -> x with output axis i taken from input axis `permutation[i]`."""

    name = "transpose"
    operands = ("x",)
    attributes = {"permutation": "input axis, without the batch, of each output axis"}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, permutation = ins[0].shape, node.ints("permutation")
        if sorted(permutation) != list(range(len(shape))):
            raise self.fail(node, f"permutation {permutation} does not name each axis of {shape} once")
        return (tuple(shape[p] for p in permutation),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        return codes.transpose(0, *(p + 1 for p in node.ints("permutation")))
