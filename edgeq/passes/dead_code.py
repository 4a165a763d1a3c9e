"""Remove nodes whose results reach no output, and constants that nothing reads. Inputs are the interface: they stay."""

from __future__ import annotations

from edgeq.ir import Graph, Node
from edgeq.passes._edit import rebuilt


def remove_dead_code(graph: Graph) -> Graph:
    """Legal because a node has no effect but its outputs."""
    wanted = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted |= set(node.inputs)
    small = rebuilt(graph, reversed(kept))
    return graph if len(kept) == len(graph.nodes) and small.values.keys() == graph.values.keys() else small
