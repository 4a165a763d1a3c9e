"""table: any function of one variable (sigmoid, tanh, GELU, …), one entry for each code of its input."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Bounds, Codes, Interval, Operator


class Table(Operator):
    """x, table (2**bits) -> table[code of x - least code]. Made once, when the graph is made."""

    name = "table"
    operands = ("x", "table")
    attributes = {"[function": "name of the function, for reports"}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x, table = ins
        lo, hi = x.format.code_range
        if not table.constant or table.shape != (hi - lo + 1,):
            raise self.fail(node, f"table {table.name} must be a constant of {hi - lo + 1} entries for {x.format}")
        return (x.shape,)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        if ins[0].format.bits > 16:
            raise self.fail(node, f"a table for {ins[0].format} is too large; requantise the input to 16 bits or less")
        if ins[0].format.channel_axis is not None or ins[1].format.channel_axis is not None:
            raise self.fail(node, "needs formats with one grid")
        if ins[1].format != outs[0].format:
            raise self.fail(node, f"entries are {ins[1].format}, the output is {outs[0].format}; they must be equal")

    def evaluate(self, node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> list[Codes]:
        return [codes[1][codes[0] - ins[0].format.code_range[0]]]

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds | None:
        return None
