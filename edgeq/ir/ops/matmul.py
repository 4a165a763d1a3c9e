"""matmul: matrix product of two computed operands over their last two axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, frac_of
from edgeq.ir.ops._elementwise import batched


class MatMul(Arithmetic):
    """a (*batch, M, K), b (*batch, K, N) -> (*batch, M, N); the axes before the last two are equal."""

    name = "matmul"
    operands = ("a", "b")
    attributes = OUTPUT_STAGE

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        a, b = ins[0].shape, ins[1].shape
        if len(a) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or a[-1] != b[-2]:
            raise self.fail(node, f"operands {a} and {b} do not fit a matrix product")
        return ((*a[:-1], b[-1]),)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        a, b = batched(grids, ins)
        return Exact(np.matmul(a, b), frac_of(ins[0]) + frac_of(ins[1]))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        a, b = ranges
        products = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        terms = ins[0].shape[-1]
        frac = frac_of(ins[0]) + frac_of(ins[1])
        return Bounds((terms * min(*products, 0),), (terms * max(*products, 0),), (frac,))

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return outs[0].size * ins[0].shape[-1]
