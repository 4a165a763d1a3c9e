"""Bytes of flash that constants take, packed at the width of their formats: weights by their options, biases as is."""

from __future__ import annotations

import numpy as np

from edgeq.report.layers import packed_bytes
from edgeq.search.costs._sum import Sum
from edgeq.search.network import Network
from edgeq.search.problem import Row
from edgeq.search.space import bits_of


def flash_bytes(network: Network) -> tuple[Row, ...]:
    """One row: bytes of all constants."""
    graph, total = network.widest, Sum()
    widths = [bits_of(option) for option in network.space.options]
    for node in graph.nodes:
        weights = network.weights_of(node)
        for index, value in enumerate(graph.ins(node)):
            if value.constant and index == 1 and weights is not None:
                table = np.array([[-(-value.size * bits // 8) for bits in widths]], dtype=np.float64)
                total.add(None, weights, table)
            elif value.constant:
                total.constant += packed_bytes(value)
    return (total.row(),)
