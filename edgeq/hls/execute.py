"""Running a network as C++ for `verify`: its HLS project in C simulation, every stream that carries a value watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from edgeq.fpga.lower import lower
from edgeq.hls.project import device_of
from edgeq.hls.simulate import simulate
from edgeq.ir import Graph

if TYPE_CHECKING:
    from edgeq.boards import Board


def trace(
    graph: Graph, board: Board, inputs: Mapping[str, npt.NDArray[Any]], folder: Path | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Codes of every value, batch first, as the C++ for that board computes them.

    inputs: codes in the graph's layout, batch first. Nothing stands in for a value: what no stream carries would be
    absent, and `verify` refuses that.
    """
    return dict(simulate(lower(graph, board), inputs, width=device_of(board).dma_bits, folder=folder))
