"""softmax_lines: exponential and reciprocal by lines between entries of tables, as TensorFlow Lite on 16 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.errors import FormatError
from edgeq.formats import FixedPoint, scale
from edgeq.formats.dyadic import check_dyadic
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Grid, Interval, Operator

#: entries of a table: the upper 9 bits of a 16-bit number choose one, the lower 7 lie on the line to the next
ENTRIES = 513
LINE_BITS = 7
TABLE = FixedPoint(16, 15)
#: lines of more elements could make a sum beyond 31 bits
MOST_TERMS = 1 << 16
_LEAST, _MOST = -(1 << 15), (1 << 15) - 1


class SoftmaxLines(Operator):
    """x, exp (513), reciprocal (513) -> codes of 15 bits: e_i * r / 2^k, rounded half up.

    e_i = line(exp, 2^15 - 1 + d_i), d_i = (x_i - max(x)) * distance_multiplier / 2^distance_shift rounded as `tflite`.
    S = sum of e_i over `axis`; its 17 leading bits, half up, less 2^16 + 2^15, are v; r = line(reciprocal, v), and
    k = bits of S - 1. Arguments of `line` saturate to 16 bits, u; line(t, u) = t[j] + floor(((t[j + 1] - t[j]) * f +
    64) / 128) with j = floor(u / 128) + 256 and f = u modulo 128. This is TensorFlow Lite's softmax of 16 bits.
    """

    name = "softmax_lines"
    operands = ("x", "exp", "reciprocal")
    attributes = {
        "axis": "axis of the value, without the batch",
        "distance_multiplier": "distances from the greatest element times this / 2^distance_shift, 0 to 2^31 - 1",
        "distance_shift": "see distance_multiplier, 0 to 62",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        axis, shape = node.integer("axis"), ins[0].shape
        if not 0 <= axis < len(shape):
            raise self.fail(node, f"axis {axis} is not one of the {len(shape)} axes")
        if shape[axis] > MOST_TERMS:
            raise self.fail(node, f"a sum of {shape[axis]} exponentials needs more than 31 bits; {MOST_TERMS} fit")
        return (shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        try:
            check_dyadic(node.integer("distance_multiplier"), node.integer("distance_shift"))
        except FormatError as error:
            raise self.fail(node, f"distance: {error}") from None
        for table in ins[1:]:
            if table.data is None or table.shape != (ENTRIES,) or table.format != TABLE or int(table.data.min()) < 0:
                raise self.fail(
                    node, f"table {table.name} must be {ENTRIES} constants of {TABLE}, none of them negative"
                )
        assert ins[1].data is not None
        if int(ins[1].data[-2:].min()) < 1 << 14:
            raise self.fail(node, f"table {ins[1].name} must end with 1/2 and more, the exponential of zero")
        least, most = ins[0].format.grid_range
        if ins[0].format.channel_axis is not None or ins[0].format.bits > 16 or most - least >= 1 << 30:
            raise self.fail(node, "reads codes of up to 16 bits with one scale, on a grid of less than 2^30 steps")
        lo, hi = outs[0].format.grid_range
        if outs[0].format.bits != 16 or (lo, hi) != (_LEAST, _MOST) or outs[0].format.code_range != (lo, hi):
            raise self.fail(node, f"makes 16-bit integers around zero, not {outs[0].format}")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        x, axis = ins[0].format.to_grid(codes[0]), node.integer("axis") + 1
        m, s = node.integer("distance_multiplier"), node.integer("distance_shift")
        e = line(codes[1], scale(x - x.max(axis=axis, keepdims=True), m, s, "tflite") + _MOST)
        total = e.sum(axis=axis, keepdims=True)
        bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
        leading = ((total << (31 - bits)) + (1 << 13)) >> 14
        r = line(codes[2], leading - (1 << 16) - (1 << 15))
        made = (e * r + (np.int64(1) << (bits - 2))) >> (bits - 1)
        return [outs[0].format.from_grid(np.minimum(made, _MOST))]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None


def line(table: Codes, at: Grid) -> Grid:
    """Numbers on the lines between the entries of a table."""
    at = np.clip(at, _LEAST, _MOST)
    index, part, entries = (at >> LINE_BITS) + 256, at & ((1 << LINE_BITS) - 1), table.astype(np.int64)
    found: Grid = entries[index] + (
        ((entries[index + 1] - entries[index]) * part + (1 << (LINE_BITS - 1))) >> LINE_BITS
    )
    return found
