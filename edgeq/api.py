"""The functions of the command contract that take a board by name: build and bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.ir import Graph
    from edgeq.mcu.build import BuildResult


def build(net: Graph, board: Board | str | Path, out: str | Path, **options: Any) -> BuildResult:
    """Generate and compile the firmware of `net` for `board` in the folder `out`.

    board: a board's name or `.toml` file, or a `Board`; options: as `edgeq.mcu.build.build` has them.
    """
    from edgeq.mcu.build import build as make

    return make(net, find_board(board), Path(out), **options)


def find_board(board: Board | str | Path) -> Board:
    """The board itself, whichever way it was named."""
    from edgeq.boards import Board, load_board

    return board if isinstance(board, Board) else load_board(board)
