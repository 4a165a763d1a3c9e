"""resize_nearest: spatial axes resampled by the nearest element at or below: in = floor(out * in_size / out_size)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement


class ResizeNearest(Movement):
    """x (*spatial, C) -> (*size, C); the index is exact integer arithmetic."""

    name = "resize_nearest"
    operands = ("x",)
    attributes = {"size": "new size of each spatial axis"}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, size = ins[0].shape, node.ints("size")
        if len(shape) not in (2, 3) or len(size) != len(shape) - 1 or any(n < 1 for n in size):
            raise self.fail(node, f"size {size} needs one positive entry for each spatial axis of {shape}")
        return ((*size, shape[-1]),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        for axis, size in enumerate(node.ints("size")):
            index = np.arange(size) * value.shape[axis] // size
            codes = codes.take(index, axis=axis + 1)
        return codes
