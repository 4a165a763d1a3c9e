"""What a network is: graph, operators, checker, range analysis and the file `net.edgeq`."""

from edgeq.ir.check import check
from edgeq.ir.graph import Attr, Graph, GraphBuilder, Node, Shape, Value
from edgeq.ir.operator import Interval
from edgeq.ir.ops import OPERATORS, operator
from edgeq.ir.ranges import Accumulator, Ranges, analyse

__all__ = [
    "OPERATORS",
    "Accumulator",
    "Attr",
    "Graph",
    "GraphBuilder",
    "Interval",
    "Node",
    "Ranges",
    "Shape",
    "Value",
    "analyse",
    "check",
    "operator",
]
