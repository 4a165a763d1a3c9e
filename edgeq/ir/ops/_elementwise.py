"""What element-wise operators of two operands share: broadcasting, alignment to the finer grid, worst case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.errors import FormatError, RangeError
from edgeq.formats import DEFAULT_RULE, scale, scale_scalar
from edgeq.formats.dyadic import check_dyadic
from edgeq.formats.format import ENCODE_LIMIT
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Arithmetic, Grid, Interval, frac_of, shifted


class Elementwise(Arithmetic):
    """Two operands whose shapes broadcast from the right, without the batch dimension."""

    operands = ("a", "b")

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        check_rescale(self, node)

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(ins[0].shape, ins[1].shape)),)
        except ValueError:
            raise self.fail(node, f"shapes {ins[0].shape} and {ins[1].shape} do not broadcast") from None


def batched(grids: Sequence[Grid], ins: Sequence[Value]) -> list[Grid]:
    """Grids shaped to broadcast: batch first, then from the right (a constant gets a batch of one)."""
    rank = max(len(v.shape) for v in ins)
    found = []
    for grid, value in zip(grids, ins, strict=True):
        batch = 1 if value.constant else grid.shape[0]
        found.append(grid.reshape(batch, *(1,) * (rank - len(value.shape)), *value.shape))
    return found


def align_shifts(ins: Sequence[Value]) -> tuple[int, list[int]]:
    """The finest binary point among the operands, and how far left each must go to reach it."""
    fracs = [frac_of(v) for v in ins]
    return max(fracs), [max(fracs) - f for f in fracs]


def aligned(grids: Sequence[Grid], ins: Sequence[Value]) -> tuple[int, list[Grid]]:
    """Operands on the finest grid among them, shaped to broadcast."""
    frac, shifts = align_shifts(ins)
    return frac, [shifted(g, s) for g, s in zip(batched(grids, ins), shifts, strict=True)]


def aligned_ranges(ins: Sequence[Value], ranges: Sequence[Interval]) -> tuple[int, list[Interval]]:
    """The operands' intervals on the finest grid among them."""
    frac, shifts = align_shifts(ins)
    return frac, [Interval(r.lo << min(s, 256), r.hi << min(s, 256)) for r, s in zip(ranges, shifts, strict=True)]


#: operands whose scales differ, each brought to a common one before they are joined
OPERAND_STAGE = {
    "[left": "both operands times 2^left before their multipliers, 0 to 30; needs multiplier, a_multiplier, "
    "b_multiplier and their shifts",
    "[a_multiplier": "a * 2^left * a_multiplier / 2^a_shift, rounded by `rounding`, is the operand a that is joined",
    "[a_shift": "see a_multiplier",
    "[b_multiplier": "as a_multiplier",
    "[b_shift": "see b_multiplier",
}
_KEYS = {key.lstrip("[") for key in OPERAND_STAGE}


def rescales(node: Node) -> bool:
    """Whether each operand has a multiplier of its own."""
    return not _KEYS.isdisjoint(node.attrs)


def check_rescale(op: Arithmetic, node: Node) -> None:
    """Raise GraphError unless the attributes of `OPERAND_STAGE` are all there and sound, or all absent."""
    if not rescales(node):
        return
    if not (_KEYS | {"multiplier", "shift"}) <= node.attrs.keys():
        raise op.fail(node, f"needs {', '.join(sorted(_KEYS))}, multiplier and shift together")
    if not 0 <= node.integer("left") <= 30:
        raise op.fail(node, f"left {node.integer('left')} is outside 0..30")
    for operand in "ab":
        try:
            check_dyadic(node.integer(f"{operand}_multiplier"), node.integer(f"{operand}_shift"))
        except FormatError as error:
            raise op.fail(node, f"{operand}: {error}") from None


def rescaled(node: Node, grids: Sequence[Grid]) -> list[Grid]:
    """The operands after multipliers of their own."""
    rule, left = node.text("rounding", DEFAULT_RULE), node.integer("left")
    return [
        scale(grid << left, node.integer(f"{o}_multiplier"), node.integer(f"{o}_shift"), rule)
        for o, grid in zip("ab", grids, strict=True)
    ]


def rescaled_ranges(op: Arithmetic, node: Node, ranges: Sequence[Interval]) -> list[Interval]:
    """The operands' intervals after their multipliers; RangeError where a product needs more than 63 bits."""
    rule, left = node.text("rounding", DEFAULT_RULE), node.integer("left")
    found = []
    for o, r in zip("ab", ranges, strict=True):
        m, s = node.integer(f"{o}_multiplier"), node.integer(f"{o}_shift")
        if (max(-r.lo, r.hi) << left) * m + (1 << s) >= ENCODE_LIMIT:
            raise RangeError(f"{node.label}: operand {o} times its multiplier needs more than 63 bits; lower `left`")
        found.append(Interval(*(scale_scalar(end << left, m, s, rule) for end in (r.lo, r.hi))))
    return found
