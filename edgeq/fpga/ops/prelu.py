"""prelu: a table, where the slope is one constant and the codes are narrow."""

from __future__ import annotations

from edgeq.fpga.lowering import TABLE_BITS, Lowering, fail
from edgeq.fpga.ops._function import constant_operand, function_table
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """A function of one code."""
    if not constant_operand(ctx, node):
        raise fail(
            node,
            f"has a slope for each channel or codes of more than {TABLE_BITS} bits; hardware takes one constant slope "
            "and narrow codes: use a leaky ReLU, or run it on a microcontroller",
        )
    function_table(ctx, node)
