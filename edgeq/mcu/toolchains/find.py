"""Choosing a toolchain: the system's GCC when it is there, else zig."""

from __future__ import annotations

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.toolchains.gcc import GccToolchain, gcc_present
from edgeq.mcu.toolchains.ports import require_mcu
from edgeq.mcu.toolchains.toolchain import Toolchain
from edgeq.mcu.toolchains.zig import ZigToolchain, zig_present


def available_toolchains(board: Board) -> list[Toolchain]:
    """Return the toolchains that can build for `board` here, the preferred one first."""
    found: list[Toolchain] = []
    if require_mcu(board).gcc is not None and gcc_present(board):
        assert board.gcc is not None
        found.append(GccToolchain(board.gcc.prefix))
    if board.zig is not None and zig_present():
        found.append(ZigToolchain())
    return found


def find_toolchain(board: Board, prefer: str | None = None) -> Toolchain:
    """Return a toolchain for `board`: the one named `prefer` ("gcc" or "zig"), else GCC if present, else zig.

    Raises `ToolError` when none is installed or the preferred one is not.
    """
    if prefer not in (None, "gcc", "zig"):
        raise ToolError(f"toolchain {prefer!r}: unknown; choose gcc or zig")
    for toolchain in available_toolchains(board):
        if prefer is None or toolchain.name == prefer:
            return toolchain
    gcc = f"{board.gcc.prefix}gcc" if board.gcc else None
    ways = [f"install {gcc}"] if gcc and prefer != "zig" else []
    ways += ["pip install ziglang"] if board.zig and prefer != "gcc" else []
    raise ToolError(f"board {board.name}: no compiler for it is installed; {' or '.join(ways) or 'none is known'}")
