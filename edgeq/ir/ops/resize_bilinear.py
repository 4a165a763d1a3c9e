"""resize_bilinear: spatial axes resampled by linear interpolation between two listed elements, rounded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, frac_of

#: places that a weight has behind the point, at most: the product of two stays in 32 bits
MOST_BITS = 14


class ResizeBilinear(Arithmetic):
    """x (*spatial, C) -> (*size, C).

    Position i of a spatial axis is `x[low] * (1 - share) + x[high] * share`, share = weight / 2^bits, exactly; one axis
    after the other, one rounding.
    """

    name = "resize_bilinear"
    operands = ("x",)
    attributes = {
        "size": "new size of each spatial axis",
        "low": "first element of each position, those of the first spatial axis, then those of the second",
        "high": "second element of each position, as `low`",
        "weight": "share of the second element of each position in units of 2^-bits, 0 to 2^bits",
        "bits": f"places behind the point of the weights, 0 to {MOST_BITS}",
        **OUTPUT_STAGE,
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, size, bits = ins[0].shape, node.ints("size"), node.integer("bits")
        if len(shape) not in (2, 3) or len(size) != len(shape) - 1 or any(n < 1 for n in size):
            raise self.fail(node, f"size {size} needs one positive entry for each spatial axis of {shape}")
        if not 0 <= bits <= MOST_BITS:
            raise self.fail(node, f"weights of {bits} bits; 0 to {MOST_BITS} are supported")
        for key in ("low", "high", "weight"):
            if len(node.ints(key)) != sum(size):
                raise self.fail(node, f"{key} has {len(node.ints(key))} entries, one for each of {sum(size)} is needed")
        for n, (low, high, weight) in zip(shape, positions(node), strict=False):
            if min(low.min(), high.min()) < 0 or max(low.max(), high.max()) >= n:
                raise self.fail(node, f"reads elements outside the {n} of an axis")
            if weight.min() < 0 or weight.max() > 1 << bits:
                raise self.fail(node, f"weights {weight.min()}..{weight.max()} are outside 0..{1 << bits}")
        return ((*size, shape[-1]),)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        num, bits = grids[0], node.integer("bits")
        for axis, (low, high, weight) in enumerate(positions(node), start=1):
            along = weight.reshape(-1, *(1,) * (num.ndim - axis - 1))
            num = num.take(low, axis=axis) * ((1 << bits) - along) + num.take(high, axis=axis) * along
        return Exact(num, frac_of(ins[0]) + fraction_bits(node))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        bits = fraction_bits(node)
        return Bounds((min(ranges[0].lo, 0) << bits,), (max(ranges[0].hi, 0) << bits,), (frac_of(ins[0]) + bits,))

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return outs[0].size << len(node.ints("size"))


def positions(node: Node) -> list[tuple[npt.NDArray[np.int64], ...]]:
    """(low, high, weight) of each spatial axis."""
    ends = np.cumsum(node.ints("size"))[:-1]
    columns = [np.split(np.array(node.ints(key), dtype=np.int64), ends) for key in ("low", "high", "weight")]
    return list(zip(*columns, strict=True))


def fraction_bits(node: Node) -> int:
    """Places that the exact result has behind those of x."""
    return node.integer("bits") * len(node.ints("size"))
