"""Running a network as C++ for `verify`: its HLS project in C simulation, every stream that carries a value watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from edgeq.hls.build import make_flow, with_clock
from edgeq.hls.project import device_of
from edgeq.hls.simulate import simulate
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
    """Codes of every value, batch first, as the C++ for that board computes them.

    inputs: codes in the graph's layout, batch first. inferences, dsps, style, clock_mhz: of `edgeq.hls.build.build`,
    so that what is compared is what would be built. Nothing stands in for a value: what no stream carries would be
    absent, and `verify` refuses that.
    """
    target = board if clock_mhz is None else with_clock(board, clock_mhz)
    flow = make_flow(graph, target, inferences, dsps, style)
    return dict(simulate(flow, inputs, width=device_of(board).dma_bits, folder=folder))
