"""What can execute a graph, behind one method: golden emulator, slow reference, C, boards, simulated hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.ir import Graph

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.mcu.build import BuildResult

Arrays = dict[str, npt.NDArray[Any]]


@runtime_checkable
class Executor(Protocol):
    """One way to run a network.

    name:     what reports call it.
    may_skip: whether tensors may be absent from its traces (a float reference does not show fused layers, firmware no
              maps between fused nodes of which no tile needs all).
    """

    name: str
    may_skip: bool

    def trace(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Run a batch of input codes (graph layout, batch first); codes, or real numbers, of every value by name."""
        ...


@dataclass
class TraceFunction:
    """An executor from a function of input codes."""

    name: str
    function: Callable[[Mapping[str, npt.NDArray[Any]]], Mapping[str, npt.NDArray[Any]]]
    may_skip: bool = False

    def trace(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        return dict(self.function(inputs))


def emulator(graph: Graph) -> Executor:
    """The golden execution, fast path."""
    from edgeq.emulator import executor

    return TraceFunction("emulator", executor(graph).trace)


def reference(graph: Graph) -> Executor:
    """The golden execution, slow obvious path: every operator's own meaning."""
    from edgeq.emulator import reference as slow

    return TraceFunction("reference", lambda inputs: slow(graph, inputs))


def built(build: BuildResult, name: str) -> Executor:
    """Compiled firmware, on the host or on an emulated board."""
    from edgeq.mcu.execute import trace

    # Of a map inside fused blocks there may be parts that no tile needs.
    fused = any(stretch.fused for stretch in build.plan.stretches)
    return TraceFunction(name, lambda inputs: trace(build, inputs), may_skip=fused)


def simulated(graph: Graph, board: Board, **options: Any) -> Executor:
    """The Verilog for an FPGA board, or its C++ for the maker's HLS, in simulation; options: those of the build."""
    if board.kind == "hls":
        from edgeq.hls.execute import trace
    else:
        from edgeq.fpga.execute import trace

    return TraceFunction(board.name, lambda inputs: trace(graph, board, inputs, **options))


def on_board(graph: Graph, board: Board, folder: Path, options: Mapping[str, Any] | None = None) -> Executor:
    """The executor of a board; firmware is built into `folder`/<board name>, Verilog and C++ for HLS are simulated.

    options: of the firmware's build.
    """
    if options and board.kind not in ("mcu", "host"):
        raise InputError(f"board {board.name}: runs no firmware, so no schedule can be chosen for it")
    if board.kind == "emulator":
        return emulator(graph)
    if board.kind in ("fpga", "hls"):
        return simulated(graph, board)
    from edgeq.mcu.build import build

    return built(build(graph, board, folder / board.name, **(options or {})), board.name)


def find(what: Any, graph: Graph, folder: Path, options: Mapping[str, Any] | None = None) -> Executor:
    """Anything that names an execution to an `Executor`.

    what: "emulator", "reference", a board's name, file or `Board`; a `Graph` (run in the emulator: another
    version of the same network); a `BuildResult`; a prepared torch module (the float reference); an `Executor`.
    options: of the firmware that is built for a board.
    """
    from edgeq.boards import Board, load_board

    if isinstance(what, str) and what == "reference":
        return reference(graph)
    if isinstance(what, str | Path):
        return on_board(graph, load_board(what), folder, options)
    if isinstance(what, Board):
        return on_board(graph, what, folder, options)
    if isinstance(what, Graph):
        return TraceFunction(f"graph {what.name!r}", emulator(what).trace)
    if isinstance(what, Executor):
        found: Executor = what
        return found
    return _find_object(what, graph)


def _find_object(what: Any, graph: Graph) -> Executor:
    kinds = {cls.__module__ for cls in type(what).__mro__}
    if "edgeq.mcu.build" in kinds:
        return built(what, what.board.name)
    if "torch.nn.modules.module" in kinds:
        from edgeq.verify.torch_reference import torch_reference

        return torch_reference(graph, what)
    raise InputError(
        f"cannot execute a network on {type(what).__name__}; give a board's name, 'emulator', 'reference', "
        "a Graph, a BuildResult or a prepared torch module"
    )
