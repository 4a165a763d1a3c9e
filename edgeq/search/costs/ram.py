"""Peak RAM: bytes that are alive at each step of the planner's order; the greatest counts, so there is a row for each.

Bytes of a tensor are those of its container in the firmware (`edgeq.mcu.storage`), so widths change the RAM only as
far as the kernels pack activations.
"""

from __future__ import annotations

import numpy as np

from edgeq.boards import load_board
from edgeq.ir import Graph
from edgeq.mcu.program import make_program
from edgeq.mcu.storage import value_bytes
from edgeq.schedule import Plan
from edgeq.search.costs._sum import Sum
from edgeq.search.network import Network
from edgeq.search.problem import Row

#: whose kernels say which inputs may be overwritten
BOARD = "cortex-m4"


def peak_ram(network: Network) -> tuple[Row, ...]:
    """A row for each point in time: bytes of the values that are alive, in the order planned for the widest options."""
    graph, last = network.widest, len(network.space.options) - 1
    plan = make_program(graph, load_board(BOARD)).plan
    graphs = [network.graph(last, k) for k in range(last + 1)]
    return tuple(_row(network, graphs, plan, time) for time in range(plan.times))


def _row(network: Network, graphs: list[Graph], plan: Plan, time: int) -> Row:
    total = Sum()
    for name in _buffers(plan, time):
        value = graphs[-1].values[name]
        sizes = [value_bytes(g.values[name]) if name in g.values else value_bytes(value) for g in graphs]
        aligned = [-(-size // plan.alignment) * plan.alignment for size in sizes]
        total.add(network.activation_of(graphs[-1], value), None, np.array(aligned, dtype=np.float64)[:, None])
    total.constant += sum(place.bytes for place in plan.scratch.values() if place.first == time)
    return total.row()


def _buffers(plan: Plan, time: int) -> list[str]:
    """One name for each buffer that is alive: not both an input and the output that overwrites it, nor an alias."""
    kept: dict[str, str] = {}
    for name in plan.live(time):
        overwrites_now = name in plan.in_place and plan.buffers[name].first == time
        if not overwrites_now:
            kept.setdefault(plan.root(name), name)
    return list(kept.values())
