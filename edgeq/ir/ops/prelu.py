"""prelu: numbers below zero times a slope, the others as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats import DEFAULT_RULE, scale
from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import OUTPUT_STAGE, Bounds, Codes, Exact, Grid, Interval, frac_of, output_bounds, shifted
from edgeq.ir.ops._elementwise import Elementwise, batched


def prelu_shifts(ins: Sequence[Value]) -> tuple[int, int, int]:
    """Binary point of the result, and how far left x and the product x * slope go to reach it."""
    up = frac_of(ins[1])
    return frac_of(ins[0]) + max(up, 0), max(up, 0), max(-up, 0)


class Prelu(Elementwise):
    """x for x >= 0, x * slope below; broadcast from the right. Two multipliers: of the product, and of x itself."""

    name = "prelu"
    operands = ("x", "slope")
    attributes = {
        **OUTPUT_STAGE,
        "multiplier": "in place of the alignment, two numbers: the product times the first / 2^(first shift), or x "
        "times the second / 2^(second shift), is the number to round; 0 to 2^31 - 1",
        "shift": "see multiplier; two numbers, 0 to 62",
    }
    #: entries of `multiplier`
    stages = 2

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        frac, x_left, product_left = prelu_shifts(ins)
        x, slope = batched(grids, ins)
        below = shifted(np.minimum(x, 0) * slope, product_left)
        return Exact(np.where(x >= 0, shifted(np.maximum(x, 0), x_left), below), frac)

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        if "multiplier" not in node.attrs:
            return super().evaluate(node, ins, outs, codes)
        x, slope = batched([v.format.to_grid(c) for v, c in zip(ins, codes, strict=True)], ins)
        rule, fmt = node.text("rounding", DEFAULT_RULE), outs[0].format
        (m, x_m), (s, x_s) = node.ints("multiplier"), node.ints("shift")
        below, above = scale(np.minimum(x, 0) * slope, m, s, rule), scale(np.maximum(x, 0), x_m, x_s, rule)
        return [fmt.from_grid(np.clip(np.where(x >= 0, above, below), *output_bounds(node, fmt)))]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        frac, x_left, product_left = prelu_shifts(ins)
        x, slope = ranges
        products = [0, min(x.lo, 0) * slope.lo, min(x.lo, 0) * slope.hi]
        if "multiplier" in node.attrs:
            return Bounds((min(products), 0), (max(products), max(x.hi, 0)), (frac, frac))
        below, above = [p << min(product_left, 256) for p in products], max(x.hi, 0) << min(x_left, 256)
        return Bounds((min(below),), (max(*below, above),), (frac,))
