"""mean: exact mean over some axes, rounded once (a global average pool is the mean over the spatial axes)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, frac_of


class Mean(Arithmetic):
    """x -> mean over `axes`, which become 1 (keep_axes 1) or vanish."""

    name = "mean"
    operands = ("x",)
    attributes = {
        "axes": "axes of the value, without the batch, ascending",
        "keep_axes": "1: the axes stay with size 1; 0: they vanish",
        **OUTPUT_STAGE,
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, axes = ins[0].shape, node.ints("axes")
        if not axes or list(axes) != sorted(set(axes)) or axes[0] < 0 or axes[-1] >= len(shape):
            raise self.fail(node, f"axes {axes} must be ascending axes of {shape}")
        if node.integer("keep_axes"):
            return (tuple(1 if i in axes else n for i, n in enumerate(shape)),)
        return (tuple(n for i, n in enumerate(shape) if i not in axes) or (1,),)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        (out,) = self.shapes(node, ins)
        num = grids[0].sum(axis=tuple(a + 1 for a in node.ints("axes"))).reshape(-1, *out)
        return Exact(num, frac_of(ins[0]), self.terms(node, ins))

    def terms(self, node: Node, ins: Sequence[Value]) -> int:
        """Number of elements averaged."""
        return prod(ins[0].shape[a] for a in node.ints("axes"))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        terms = self.terms(node, ins)
        lo, hi = terms * min(ranges[0].lo, 0), terms * max(ranges[0].hi, 0)
        return Bounds((lo,), (hi,), (frac_of(ins[0]),), (terms, terms))
