"""Running a network as hardware for `verify`: its Verilog in a simulator, every stream that carries a value watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from edgeq.fpga.build import make_flow
from edgeq.fpga.simulate import simulate
from edgeq.fpga.toolchain.pll import wanted_clock
from edgeq.ir import Graph

if TYPE_CHECKING:
    from edgeq.boards import Board


def trace(
    graph: Graph,
    board: Board,
    inputs: Mapping[str, npt.NDArray[Any]],
    folder: Path | None = None,
    *,
    inferences: float | None = None,
    dsps: int | None = None,
    style: str | None = None,
    clock_mhz: float | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Codes of every value, batch first, as the Verilog for that board computes them.

    inputs: codes in the graph's layout, batch first. inferences, dsps, style, clock_mhz: of `edgeq.fpga.build.build`,
    so that what is compared is what would be built. Nothing stands in for a value: what no stream carries would be
    absent, and `verify` refuses that.
    """
    flow = make_flow(graph, board, wanted_clock(board, clock_mhz), inferences, dsps, style)
    return dict(simulate(flow, inputs, folder=folder).trace)
