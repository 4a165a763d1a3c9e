"""linear: matrix product with constant weights on the last axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval
from edgeq.ir.ops import _matrix


class Linear(Arithmetic):
    """x (..., C), weight (O, C), bias (O) -> (..., O)."""

    name = "linear"
    operands = ("x", "weight", "bias?")
    attributes = OUTPUT_STAGE

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x, weight = ins[0], ins[1]
        if not x.shape or len(weight.shape) != 2 or x.shape[-1] != weight.shape[1]:
            raise self.fail(node, f"weight {weight.shape} does not fit input {x.shape}")
        return ((*x.shape[:-1], weight.shape[0]),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        _matrix.check_weight_and_bias(self, node, ins)

    def per_channel_input(self, node: Node, ins: Sequence[Value], value: Value) -> bool:
        return value in ins[1:]

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        num = np.einsum("...c,oc->...o", grids[0], grids[1])
        frac = np.asarray(_matrix.accumulator_frac(ins[0], ins[1]), dtype=np.int64)
        return Exact(_matrix.add_bias(num, ins), frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        return _matrix.matrix_bounds(ins, ranges)

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return outs[0].size * ins[1].shape[1]
