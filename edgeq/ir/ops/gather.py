"""gather: listed elements along some axes, in any order and as often as they are listed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement


class Gather(Movement):
    """x -> x with axis `axes[k]` replaced by the elements at the next `sizes[k]` of `indices`."""

    name = "gather"
    operands = ("x",)
    attributes = {
        "axes": "axes, without the batch, that are picked from; ascending",
        "sizes": "how many elements are picked along each of them",
        "indices": "which: those of the first axis, then those of the second …",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape = list(ins[0].shape)
        axes, sizes, indices = node.ints("axes"), node.ints("sizes"), node.ints("indices")
        if not axes or sorted(set(axes)) != list(axes) or any(not 0 <= a < len(shape) for a in axes):
            raise self.fail(node, f"axes {axes} are not ascending axes of {ins[0].shape}")
        if len(sizes) != len(axes) or any(n < 1 for n in sizes) or sum(sizes) != len(indices):
            raise self.fail(node, f"sizes {sizes} do not divide {len(indices)} indices among axes {axes}")
        for axis, picked in zip(axes, picks(node), strict=True):
            if picked.min() < 0 or picked.max() >= shape[axis]:
                raise self.fail(node, f"picks {picked.min()} to {picked.max()} of the {shape[axis]} along axis {axis}")
            shape[axis] = len(picked)
        return (tuple(shape),)

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        for axis, picked in zip(node.ints("axes"), picks(node), strict=True):
            codes = codes.take(picked, axis=axis + 1)
        return codes


def picks(node: Node) -> list[npt.NDArray[np.int64]]:
    """The indices of each of `axes`."""
    ends = np.cumsum(node.ints("sizes"))[:-1]
    return [part.astype(np.int64) for part in np.split(np.array(node.ints("indices"), dtype=np.int64), ends)]
