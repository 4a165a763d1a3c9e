"""sigmoid_lines: sigmoid or tanh by lines between 256 entries of a table, as TensorFlow Lite on 16 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.errors import FormatError
from edgeq.formats import FixedPoint, scale
from edgeq.formats.dyadic import check_dyadic
from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Interval, Operator

ENTRIES = 256
TABLE = FixedPoint(16, 16, False)
#: function -> bits of the argument that lie on a line between two entries, bits that are rounded off, greatest r
FUNCTIONS = {"sigmoid": (9, 10, (1 << 15) - 1), "tanh": (8, 8, (1 << 16) - 1)}
_LEAST, _MOST = -(1 << 15), (1 << 15) - 1
#: what the argument before its shift stays below, with half a step added
LIMIT = 1 << 31


class SigmoidLines(Operator):
    """x, table (256) -> codes of 15 bits of sigmoid or tanh, at x * argument_multiplier / 2^argument_shift, half up: u.

    The table holds sigmoid from zero up. v = table[j] * 2^b + (table[j + 1] - table[j]) * f with j = floor(|u| / 2^b)
    and f = |u| modulo 2^b; b is 9 for sigmoid, and 8 for tanh, which is 2 * sigmoid of twice the argument - 1. Then
    sigmoid: r = v / 2^10 half up, 2^15 - 1 where j >= 255; y = r for u >= 0, 2^15 - r below.
    tanh: r = v / 2^8 half up, 2^16 - 1 where j >= 255; y = r - 2^15 for u >= 0, 2^15 - r below.
    Both saturate to 16 bits. This is TensorFlow Lite's LOGISTIC and TANH of 16 bits.
    """

    name = "sigmoid_lines"
    operands = ("x", "table")
    attributes = {
        "function": "sigmoid or tanh",
        "argument_multiplier": "the argument is x times this / 2^argument_shift, 0 to 2^31 - 1",
        "argument_shift": "see argument_multiplier, 0 to 31",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        return (ins[0].shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        if node.text("function") not in FUNCTIONS:
            raise self.fail(node, f"function {node.text('function')!r} is not one of {', '.join(FUNCTIONS)}")
        m, s = node.integer("argument_multiplier"), node.integer("argument_shift")
        try:
            check_dyadic(m, s)
        except FormatError as error:
            raise self.fail(node, f"argument: {error}") from None
        table = ins[1]
        if table.data is None or table.shape != (ENTRIES,) or table.format != TABLE:
            raise self.fail(node, f"table {table.name} must be {ENTRIES} constants of {TABLE}")
        least, most = ins[0].format.grid_range
        if ins[0].format.channel_axis is not None or ins[0].format.bits > 16:
            raise self.fail(node, "reads codes of up to 16 bits with one scale")
        if s > 31 or max(-least, most) * max(m, 1) + (1 << s >> 1) >= LIMIT:
            raise self.fail(node, f"argument: {ins[0].format} times {m}, shifted by {s}, needs more than 32 bits")
        lo, hi = outs[0].format.grid_range
        if outs[0].format.bits != 16 or (lo, hi) != (_LEAST, _MOST) or outs[0].format.code_range != (lo, hi):
            raise self.fail(node, f"makes 16-bit integers around zero, not {outs[0].format}")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        x, function = ins[0].format.to_grid(codes[0]), node.text("function")
        u = scale(x, node.integer("argument_multiplier"), node.integer("argument_shift"), "half_up")
        table, (bits, drop, most) = codes[1].astype(np.int64), FUNCTIONS[function]
        j, f = np.abs(u) >> bits, np.abs(u) & ((1 << bits) - 1)
        low = np.minimum(j, ENTRIES - 2)
        v = (table[low] << bits) + (table[low + 1] - table[low]) * f
        r = np.where(j < ENTRIES - 1, (v + (1 << (drop - 1))) >> drop, most)
        y = np.where(u >= 0, r - (0 if function == "sigmoid" else 1 << 15), (1 << 15) - r)
        return [outs[0].format.from_grid(np.clip(y, _LEAST, _MOST))]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None
