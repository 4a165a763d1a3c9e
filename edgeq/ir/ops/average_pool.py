"""average_pool: exact mean of each window, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval, frac_of
from edgeq.ir.window import WINDOW_ATTRIBUTES, check_window, out_sizes, taps


class AveragePool(Arithmetic):
    """x (*spatial, C) -> (*out, C). The divisor is the window's size, or the elements it sees (include_pad 0)."""

    name = "average_pool"
    operands = ("x",)
    attributes = {
        "kernel": "size of the window along each spatial axis",
        **{k: v for k, v in WINDOW_ATTRIBUTES.items() if k != "dilation"},
        "include_pad": "1: padding counts as zeros in the divisor; 0: it does not count",
        **OUTPUT_STAGE,
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x = ins[0]
        rank = len(x.shape) - 1
        if rank not in (1, 2):
            raise self.fail(node, f"input {x.shape} must have 1 or 2 spatial axes")
        check_window(self, node, rank, ("kernel", "stride", "padding"))
        kernel, padding = node.ints("kernel"), node.ints("padding")
        if any(max(padding[2 * i : 2 * i + 2]) >= kernel[i] for i in range(rank)):
            raise self.fail(node, f"padding {padding} makes windows that see no element")
        out = out_sizes(self, node, x.shape[:-1], kernel, node.ints("stride"), padding, (1,) * rank)
        return ((*out, x.shape[-1]),)

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        (out,) = self.shapes(node, ins)
        ones = (1,) * (len(out) - 1)
        geometry = (node.ints("kernel"), node.ints("stride"), node.ints("padding"), ones, out[:-1], 0)
        num = np.sum([view for _, view in taps(grids[0], *geometry)], axis=0)
        if node.integer("include_pad"):
            return Exact(num, frac_of(ins[0]), prod(node.ints("kernel")))
        seen = np.ones((1, *ins[0].shape[:-1], 1), dtype=np.int64)
        return Exact(num, frac_of(ins[0]), np.sum([view for _, view in taps(seen, *geometry)], axis=0))

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        terms = prod(node.ints("kernel"))
        lo, hi = terms * min(ranges[0].lo, 0), terms * max(ranges[0].hi, 0)
        least = terms if node.integer("include_pad") else 1
        return Bounds((lo,), (hi,), (frac_of(ins[0]),), (least, terms))
