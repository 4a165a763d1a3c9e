"""BitOPs: multiply–accumulates times the widths of both operands, as HAWQ-V3 counts them (arXiv 2011.10680)."""

from __future__ import annotations

import numpy as np

from edgeq.ir import operator
from edgeq.search.costs._sum import Sum
from edgeq.search.network import Network
from edgeq.search.problem import Array, Row
from edgeq.search.space import bits_of


def bitops(network: Network) -> tuple[Row, ...]:
    """One row: BitOPs of one inference."""
    graph, total = network.widest, Sum()
    widths = np.array([bits_of(option) for option in network.space.options], dtype=np.float64)
    for node in graph.nodes:
        ins = graph.ins(node)
        macs = operator(node.op).macs(node, ins, graph.outs(node))
        if not macs:
            continue
        data, other = network.operands(graph, node)
        left = _widths(data, ins[0].format.bits, widths)
        right = _widths(other, ins[1].format.bits, widths) if len(ins) > 1 else np.ones(len(widths))
        total.add(data, other, macs * np.outer(left, right))
    return (total.row(),)


def _widths(choice: int | None, fixed: int, widths: Array) -> Array:
    return widths if choice is not None else np.full(len(widths), float(fixed))
