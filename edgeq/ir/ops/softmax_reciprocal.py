"""softmax_reciprocal: integer exponentials by table, their sum's reciprocal by Newton's method, as TensorFlow Lite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.formats.rounding import round_ratio
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Grid, Interval, Operator

#: exponentials have 31 bits behind the point, their sum has 19
EXP_BITS = 31
SUM_BITS = 19
#: rows of more elements could make a sum beyond 31 bits
MOST_TERMS = (1 << (31 - SUM_BITS)) - 1
#: 48/17 and -32/17 with 29 bits behind the point: the start of Newton's method for 1/d, 1/2 <= d <= 1
_START, _SLOPE = 1515870810, -1010580540
_ONE_29 = 1 << 29


class SoftmaxReciprocal(Operator):
    """x, table (T) -> codes least + round(e_i * r / 2^shift); e_i = table[min(max(x) - x_i, T - 1)].

    e: exp(-distance) with 31 bits behind the point. S: sum over `axis` of e_i / 2^12, each rounded half away from
    zero. r: 1 / (S scaled to 1..2), made by three steps of Newton's method in 32 bits. The product e_i * r is rounded
    half up at 31 bits and half away from zero for the rest of the shift; the result saturates. This is the quantised
    softmax of TensorFlow Lite's reference kernels; the output's format is 1 / 2^bits with its least code as zero.
    """

    name = "softmax_reciprocal"
    operands = ("x", "table")
    attributes = {"axis": "axis of the value, without the batch"}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        axis, shape = node.integer("axis"), ins[0].shape
        if not 0 <= axis < len(shape):
            raise self.fail(node, f"axis {axis} is not one of the {len(shape)} axes")
        if shape[axis] > MOST_TERMS:
            raise self.fail(node, f"a sum of {shape[axis]} exponentials needs more than 31 bits; {MOST_TERMS} fit")
        return (shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        table = ins[1]
        if table.data is None or len(table.shape) != 1 or table.format != FixedPoint(32, EXP_BITS):
            raise self.fail(node, f"table {table.name} must be a constant vector of {FixedPoint(32, EXP_BITS)}")
        if int(table.data.min()) < 0 or int(table.data[0]) != (1 << EXP_BITS) - 1:
            raise self.fail(node, f"table {table.name} must be non-negative and start with exp(0) = 2^31 - 1")
        if ins[0].format.channel_axis is not None or ins[0].format.bits > 16 or outs[0].format.bits > 16:
            raise self.fail(node, "reads and makes codes of up to 16 bits with one scale")
        if outs[0].format.grid_range[0] != 0:
            raise self.fail(node, f"output {outs[0].format} must have zero as its least number")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        x, axis, fmt = ins[0].format.to_grid(codes[0]), node.integer("axis") + 1, outs[0].format
        distance = x.max(axis=axis, keepdims=True) - x
        e = codes[1][np.minimum(distance, ins[1].size - 1)].astype(np.int64)
        terms = round_ratio(e, 1 << (EXP_BITS - SUM_BITS), "half_away")
        r, over = reciprocal(terms.sum(axis=axis, keepdims=True))
        rest = np.int64(1) << (over + EXP_BITS - fmt.bits)
        quotient = round_ratio(_product(e, r), rest, "half_away")
        return [fmt.from_grid(np.clip(quotient, *fmt.grid_range))]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None


def _product(a: Grid, b: Grid) -> Grid:
    """a * b / 2^31, rounded half up."""
    return round_ratio(a * b, 1 << 31, "half_up")


def reciprocal(total: Grid) -> tuple[Grid, Grid]:
    """1 / s with 31 bits behind the point, where s = total / 2^19 / 2^over lies between 1 and 2; and over."""
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    over = bits - SUM_BITS - 1
    half = _half_sum((total << (32 - bits)) - (1 << 31), (1 << 31) - 1)
    x = _START + _product(half, np.asarray(_SLOPE, dtype=np.int64))
    for _ in range(3):
        x = x + (_product(x, _ONE_29 - _product(half, x)) << 2)
    return np.minimum(x << 1, (1 << 31) - 1), over


def _half_sum(a: Grid, b: int) -> Grid:
    """(a + b) / 2 of numbers that are not negative, rounded up."""
    found: Grid = (a + b + 1) >> 1
    return found
