"""LUTs of the network on an FPGA, products in logic, by the estimate fitted to synthesis (`edgeq.fpga.estimate`).

All engines are folded for one number of cycles, that of the widest options with as many products at once as
`edgeq.fpga.lower` takes by default, so that widths are compared at equal speed.
"""

from __future__ import annotations

from edgeq.boards import load_board
from edgeq.errors import UnsupportedError
from edgeq.fpga.estimate import estimate
from edgeq.fpga.lower import DEFAULT_DSPS, lower
from edgeq.search.costs._sum import by_node
from edgeq.search.network import Network
from edgeq.search.problem import Row

#: an ECP5 that any network of this size fits, so that the board is no limit
BOARD = "ulx3s-85f"
STYLE = "lut"


def luts(network: Network) -> tuple[Row, ...]:
    """One row: LUTs of all stages and of the border. UnsupportedError for minifloats: the estimate lacks them."""
    names = [option for option in network.space.options if isinstance(option, str)]
    if names:
        raise UnsupportedError(
            f"search: LUTs of {', '.join(names)} are not known, the estimate is fitted to fixed point; take bits only"
        )
    board = load_board(BOARD)
    cycles = lower(network.widest, board, dsps=DEFAULT_DSPS, style=STYLE).cycles

    def price(w: int, a: int) -> dict[str, float]:
        flow = lower(network.graph(w, a), board, cycles=cycles, style=STYLE)
        nodes = {stage.name: stage.node for stage in flow.stages}
        found: dict[str, float] = {}
        for part, used in estimate(flow, board).items():
            node = nodes.get(part, "")
            found[node] = found.get(node, 0.0) + used.luts
        return found

    return (by_node(network, price),)
