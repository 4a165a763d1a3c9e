"""Where float32 holds the sums of a network.

In eval mode a prepared module on a CPU gives the emulator's numbers exactly. Sums of products are integers on one
grid; float32 holds them exactly, in whatever order they are added, while no partial sum reaches 2**24. A layer
where one could (worst case over all inputs, from its quantised weights) computes in float64, exact to 2**53.
Element-wise operations, means, pools and softmax always do. In training, everything is float32 but linear resizing,
which takes float64 there, too, where float32 would not hold it.
"""

from __future__ import annotations

from edgeq.ir import Graph, analyse, operator
from edgeq.quant.layers import FLOAT32_EXACT


def wide_sums(graph: Graph) -> dict[str, int]:
    """Nodes whose sums float32 may not hold, by range analysis: name -> bound of their magnitude, at least 2**24."""
    ranges = analyse(graph)
    found = {}
    for node in graph.nodes:
        if node.op == "resize_bilinear":
            continue
        ins = graph.ins(node)
        bounds = operator(node.op).bounds(node, ins, [ranges.values[v.name] for v in ins])
        if bounds is not None:
            most = max(max(-lo for lo in bounds.lo), max(bounds.hi))
            if most >= FLOAT32_EXACT:
                found[node.name] = most
    return found


def float32_exact(graph: Graph) -> bool:
    """Whether a float32 forward pass of the whole network (as in training) computes every sum exactly."""
    return not wide_sums(graph)
