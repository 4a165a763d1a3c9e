"""Choosing an emulator: QEMU when it is there, else unicorn."""

from __future__ import annotations

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.runners.qemu import QemuRunner, qemu_present
from edgeq.mcu.runners.result import Runner
from edgeq.mcu.runners.unicorn import UnicornRunner, unicorn_present
from edgeq.mcu.toolchains.ports import require_mcu


def available_runners(board: Board) -> list[Runner]:
    """Return the emulators of `board` that are installed here, the preferred one first."""
    found: list[Runner] = []
    if qemu_present(require_mcu(board)):
        found.append(QemuRunner(board))
    if unicorn_present(board):
        found.append(UnicornRunner(board))
    return found


def pick_runner(board: Board, prefer: str | None = None) -> Runner:
    """Return an emulator of `board`: the one named `prefer` ("qemu" or "unicorn"), else QEMU, else unicorn.

    Raises `ToolError` when none is installed or the preferred one is not.
    """
    if prefer not in (None, "qemu", "unicorn"):
        raise ToolError(f"runner {prefer!r}: unknown; choose qemu or unicorn")
    for runner in available_runners(board):
        if prefer is None or runner.name == prefer:
            return runner
    if prefer == "qemu":
        return QemuRunner(board)  # raises, with the reason
    if prefer == "unicorn":
        return UnicornRunner(board)
    ways = [f"install qemu-system-{board.qemu.system}"] if board.qemu else []
    ways += ["pip install unicorn"] if board.unicorn_cpu else []
    raise ToolError(f"board {board.name}: no emulator of it is installed; {' or '.join(ways) or 'none is known'}")
