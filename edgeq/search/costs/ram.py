"""Peak RAM: bytes that are alive at each step of the planner's order; the greatest counts, so there is a row for each.

Bytes of a tensor are those that it takes in firmware whose codes of up to 4 bits all share bytes (`--packing all`,
`edgeq.mcu.packing`): 8, 4 and 2 bits differ, 5 to 8 do not.
"""

from __future__ import annotations

import numpy as np

from edgeq.boards import load_board
from edgeq.ir import Graph, analyse
from edgeq.mcu.packing import packed_graph
from edgeq.mcu.program import make_program
from edgeq.mcu.scheduling import Schedule
from edgeq.mcu.storage import value_bytes
from edgeq.schedule import Plan
from edgeq.search.costs._sum import Sum
from edgeq.search.network import Network
from edgeq.search.problem import Array, Row

#: whose kernels say which inputs may be overwritten
BOARD = "cortex-m4"
#: of codes: what who searches for RAM builds with
SCHEDULE = Schedule(packing="all")


def peak_ram(network: Network) -> tuple[Row, ...]:
    """A row for each point in time: bytes of the values that are alive, in the order planned for the widest options.

    Scratch of a node is what it needs where all activations have the width of its input, or of its output where that
    of the input is fixed.
    """
    last, board = len(network.space.options) - 1, load_board(BOARD)
    graphs = [network.graph(last, k) for k in range(last + 1)]
    plans = [make_program(graph, board, SCHEDULE).plan for graph in graphs]
    stored = [packed_graph(graph, analyse(graph), board.isa, SCHEDULE.packing) for graph in graphs]
    return tuple(_row(network, stored, plans, time) for time in range(plans[-1].times))


def _row(network: Network, graphs: list[Graph], plans: list[Plan], time: int) -> Row:
    total, plan, graph = Sum(), plans[-1], graphs[-1]
    for name in _buffers(plan, time):
        value = graph.values[name]
        sizes = [value_bytes(g.values.get(name, value)) for g in graphs]
        total.add(network.activation_of(graph, value), None, _aligned(sizes, plan))
    for node in graph.nodes:
        places = [each.scratch.get(node.name) for each in plans]
        if any(place is not None and place.first == time for place in places):
            choices = (network.activation_of(graph, value) for value in (graph.ins(node)[0], graph.outs(node)[0]))
            choice = next((c for c in choices if c is not None), None)
            total.add(choice, None, _aligned([0 if place is None else place.bytes for place in places], plan))
    return total.row()


def _aligned(sizes: list[int], plan: Plan) -> Array:
    """Bytes that buffers take in the arena: a column, an option of activations in each line."""
    return np.array([-(-size // plan.alignment) * plan.alignment for size in sizes], dtype=np.float64)[:, None]


def _buffers(plan: Plan, time: int) -> list[str]:
    """One name for each buffer that is alive: not both an input and the output that overwrites it, nor an alias."""
    kept: dict[str, str] = {}
    for name in plan.live(time):
        overwrites_now = name in plan.in_place and plan.buffers[name].first == time
        if not overwrites_now:
            kept.setdefault(plan.root(name), name)
    return list(kept.values())
