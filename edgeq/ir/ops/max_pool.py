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
        out = out_sizes(self, node, x.shape[:-1], kernel, node.ints("stride"), padding, dilation)
        for i, n in enumerate(x.shape[:-1]):
            if not _all_see(n, out[i], kernel[i], node.ints("stride")[i], padding[2 * i], dilation[i]):
                raise self.fail(node, f"padding {padding} and dilation {dilation} make windows that see no element")
        return ((*out, x.shape[-1]),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        grid: Int64Array = value.format.to_grid(codes)
        (out,) = self.shapes(node, [value])
        geometry = (node.ints("kernel"), node.ints("stride"), node.ints("padding"), node.ints("dilation"))
        views = [view for _, view in taps(grid, *geometry, out[:-1], _NOTHING)]
        return value.format.from_grid(np.maximum.reduce(views))


def _all_see(size: int, windows: int, kernel: int, stride: int, begin: int, dilation: int) -> bool:
    """Whether each window along one axis has a tap on an element; dilated taps can step over a small input."""
    if (windows - 1) * stride - begin >= size:
        return False
    for start in range(-begin, min(0, windows * stride - begin), stride):
        # The first tap at or after element 0.
        tap = -(start // dilation)
        if tap >= kernel or start + tap * dilation >= size:
            return False
    return True
