"""max_pool: greatest value of each window; padding never wins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats.rounding import Int64Array
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement
from edgeq.ir.window import WINDOW_ATTRIBUTES, check_window, out_sizes, taps

#: less than any grid integer, so that padding never wins
_NOTHING = -(1 << 62)


class MaxPool(Movement):
    """x (*spatial, C) -> (*out, C), in the input's format. Every window must see at least one element."""

    name = "max_pool"
    operands = ("x",)
    attributes = {"kernel": "size of the window along each spatial axis", **WINDOW_ATTRIBUTES}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x = ins[0]
        rank = len(x.shape) - 1
        if rank not in (1, 2):
            raise self.fail(node, f"input {x.shape} must have 1 or 2 spatial axes")
        check_window(self, node, rank, ("kernel", "stride", "padding", "dilation"))
        kernel, padding, dilation = node.ints("kernel"), node.ints("padding"), node.ints("dilation")
        for i in range(rank):
            if max(padding[2 * i : 2 * i + 2]) > dilation[i] * (kernel[i] - 1):
                raise self.fail(node, f"padding {padding} makes windows that see no element")
        out = out_sizes(self, node, x.shape[:-1], kernel, node.ints("stride"), padding, dilation)
        return ((*out, x.shape[-1]),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        grid: Int64Array = value.format.to_grid(codes)
        (out,) = self.shapes(node, [value])
        geometry = (node.ints("kernel"), node.ints("stride"), node.ints("padding"), node.ints("dilation"))
        views = [view for _, view in taps(grid, *geometry, out[:-1], _NOTHING)]
        return value.format.from_grid(np.maximum.reduce(views))
