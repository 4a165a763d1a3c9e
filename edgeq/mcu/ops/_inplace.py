"""Which inputs an element-wise kernel may overwrite while it reads them, first element first."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.storage import storage


def elementwise_inplace(graph: Graph, node: Node) -> tuple[int, ...]:
    """Inputs of the output's size whose elements are at least as wide: element i is read before i is written."""
    out = graph.outs(node)[0]
    width = storage(out.format).bytes
    return tuple(
        i
        for i, value in enumerate(graph.ins(node))
        if not value.constant and value.size == out.size and storage(value.format).bytes >= width
    )
