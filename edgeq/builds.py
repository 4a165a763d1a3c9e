"""build: a network for any board into a folder: firmware, a bitstream's project, or one for the vendor's tools."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.boards import Board, load_board
from edgeq.errors import InputError
from edgeq.ir import Graph

if TYPE_CHECKING:
    from edgeq.fpga.build import FpgaBuild
    from edgeq.hls.build import HlsBuild
    from edgeq.mcu.build import BuildResult


def build(graph: Graph, board: Board | str, out: Path | str, **options: Any) -> BuildResult | FpgaBuild | HlsBuild:
    """Build `graph` for `board` into the folder `out`, all of it or nothing.

    board:   by object, name or file. Its kind says what is made: compiled firmware ("mcu", "host"), Verilog and a
             bitstream ("fpga"), C++ and scripts for the vendor's tools ("hls").
    out:     a new or empty folder, or that of an earlier build, which is replaced when all went well.
    options: those of `edgeq.mcu.build.build` (budget_ram, budget_flash, optimize, …), `edgeq.fpga.build.build` or
             `edgeq.hls.build.build` (inferences, dsps, style, clock_mhz, …).

    Raises InputError for an option that a board's build does not have, and what those raise.
    """
    target = board if isinstance(board, Board) else load_board(board)
    make: Any
    if target.kind == "fpga":
        from edgeq.fpga.build import build as make
    elif target.kind == "hls":
        from edgeq.hls.build import build as make
    else:
        from edgeq.mcu.build import build as make
    known = [name for name, p in inspect.signature(make).parameters.items() if p.kind is p.KEYWORD_ONLY]
    if unknown := [name for name in options if name not in known]:
        raise InputError(f"build for board {target.name}: has no option {unknown[0]}; choose of {', '.join(known)}")
    result: BuildResult | FpgaBuild | HlsBuild = make(graph, target, out, **options)
    return result
