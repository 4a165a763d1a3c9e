"""Instructions of one inference on a microcontroller, by the cost tables of the kernels (`edgeq.mcu.costs`)."""

from __future__ import annotations

from edgeq.boards import Board, load_board
from edgeq.errors import UnsupportedError
from edgeq.ir import Graph, check
from edgeq.mcu import costs, ops
from edgeq.mcu.select import Context
from edgeq.search.costs._sum import by_node
from edgeq.search.network import Network
from edgeq.search.problem import Row

#: a Cortex-M4, whose kernels were measured most
BOARD = "cortex-m4"


def instructions(network: Network) -> tuple[Row, ...]:
    """One row: what the chosen kernels need, about. Layers whose kernel has no table count nothing; see `estimated`."""
    board = load_board(BOARD)
    return (by_node(network, lambda w, a: estimated(network.graph(w, a), board)[0]),)


def estimated(graph: Graph, board: Board) -> tuple[dict[str, float], list[str]]:
    """Instructions of each node with a table, and the layers without one.

    Raises UnsupportedError where no node has one: then nothing can be compared.
    """
    ranges = check(graph)
    found: dict[str, float] = {}
    missing: list[str] = []
    for node in graph.nodes:
        step = ops.lower(graph, node, ranges, board.isa)
        if step is None:
            continue
        cost = costs.estimate(step.kernel, Context(graph, node, ranges, frozenset(board.isa)))
        if cost is None:
            missing.append(f"{node.source or node.name} ({step.kernel})")
        else:
            found[node.name] = float(cost.instructions)
    if not found:
        raise UnsupportedError(
            f"search: no kernel of this network has a table of instructions for {board.name}; take another cost"
        )
    return found, missing
