"""Sum: a row of costs put together term by term."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.ir import Node
from edgeq.search.network import Network
from edgeq.search.problem import Array, Row


class Sum:
    """Adds terms of no, one or two choices."""

    def __init__(self) -> None:
        self.constant = 0.0
        self.single: dict[int, Array] = {}
        self.pairs: dict[tuple[int, int], Array] = {}

    def add(self, first: int | None, second: int | None, table: Array) -> None:
        """Add table[option of first, option of second]; of a choice that is None the last option counts."""
        if first is None and second is None:
            self.constant += float(table[-1, -1])
        elif second is None or first is None:
            line = table[:, -1] if second is None else table[-1]
            index = first if second is None else second
            assert index is not None
            self.single[index] = self.single.get(index, 0.0) + line
        elif first == second:
            self.single[first] = self.single.get(first, 0.0) + np.diagonal(table)
        else:
            key = (min(first, second), max(first, second))
            turned = table if first < second else table.T
            self.pairs[key] = self.pairs.get(key, 0.0) + turned

    def row(self) -> Row:
        """The finished row."""
        return Row(self.constant, self.single, self.pairs)


def by_node(network: Network, price: Callable[[int, int], dict[str, float]]) -> Row:
    """A row from what a backend says of each node under uniform widths.

    price: options of weights and of activations -> node -> cost; what belongs to no node stands under "". A node costs
    what it costs in the graph where its own weights and input have these options everywhere, so its neighbours' widths
    count where the backend looks at them (the output's), which the search's final check makes good.
    """
    graph, count = network.widest, len(network.space.options)
    tables: dict[str, Array] = {}
    for w in range(count):
        for a in range(count):
            for name, cost in price(w, a).items():
                tables.setdefault(name, np.zeros((count, count)))[a, w] += cost
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    total = Sum()
    for name, table in tables.items():
        node = nodes.get(name)
        if node is None:
            total.add(None, None, table)
            continue
        total.add(network.operands(graph, node)[0], network.weights_of(node), table)
    return total.row()
