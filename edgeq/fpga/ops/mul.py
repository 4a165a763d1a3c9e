"""mul: two streams joined element by element, then the output stage."""

from edgeq.fpga.ops._function import constant_operand
from edgeq.fpga.ops._join import lower_join as lower
from edgeq.ir import Graph, Node


def products(graph: Graph, node: Node) -> int:
    """One at least: folding decides how many lanes there are. None in a table."""
    return int(not constant_operand(graph, node))


__all__ = ["lower", "products"]
