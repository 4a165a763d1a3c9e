"""Shared by the tests of toolchains and runners: the tiny network, its meaning in numpy, and what is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeq.boards import Board, all_boards, load_board
from edgeq.mcu.runners import Runner, available_runners
from edgeq.mcu.toolchains import LinkResult, Toolchain, available_toolchains

C = Path(__file__).parent / "c"
TINY = C / "tiny_net.c"
BROKEN = {
    name: number
    for number, name in enumerate(
        ["good", "wrong_output", "hard_fault", "loop", "bad_run", "bad_init", "deep_stack", "lockup", "undefined"]
    )
}
MCU_BOARDS = [board.name for board in all_boards() if board.kind == "mcu"]
# zig first builds its run-time library for each core, some seconds: the quick set has four of the seven.
SLOW_ZIG_CORES = ("cortex-m3", "cortex-m7", "cortex-m33")
BUILDS = [
    pytest.param(
        board.name,
        compiler,
        marks=[pytest.mark.heavy] if compiler == "zig" and board.core in SLOW_ZIG_CORES else [],
        id=f"{board.name}-{compiler}",
    )
    for board in all_boards()
    if board.kind == "mcu"
    for compiler in ("gcc", "zig")
]


def toolchain(board: Board, name: str) -> Toolchain:
    """The toolchain of that name, or a skip with the reason."""
    for found in available_toolchains(board):
        if found.name == name:
            return found
    pytest.skip(f"{name} for {board.name} is not installed")


def any_toolchain(board: Board) -> Toolchain:
    """The preferred toolchain of a board, or a skip."""
    found = available_toolchains(board)
    if not found:
        pytest.skip(f"no compiler for {board.name} is installed")
    return found[0]


def runner(board: Board, name: str) -> Runner:
    """The runner of that name, or a skip with the reason."""
    for found in available_runners(board):
        if found.name == name:
            return found
    pytest.skip(f"{name} cannot run {board.name} here")


def build(board_name: str, out: Path, *defines: str, broken: str = "good") -> LinkResult:
    """The tiny network for a board, with its preferred compiler."""
    board = load_board(board_name)
    return any_toolchain(board).link(
        [TINY], out / f"{board_name}-{broken}.elf", board, defines=[*defines, f"BREAK={BROKEN[broken]}"]
    )


def samples(count: int = 3) -> npt.NDArray[np.int8]:
    """Inputs of `count` samples, 17 bytes each; the first holds the extremes."""
    x = np.random.default_rng(7).integers(-128, 128, (count, 17)).astype(np.int8)
    x[0, :4] = (-128, 127, 0, -1)
    return x


def meaning(x: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(mid, y) of every sample, each of shape (samples, 16)."""
    wide = x.astype(np.int64)
    mid = 3 * wide[:, :16] + 2 * wide[:, 16:]
    product = (mid + 1) * 1000003
    y = np.sign(product) * (np.abs(product) // 7)  # C divides towards zero
    return mid.astype(np.int32), y.astype(np.int32)


def expected_output(x: npt.NDArray[np.int8]) -> bytes:
    """The bytes of edgeq_out.bin: per sample y, then mid[0]."""
    mid, y = meaning(x)
    return b"".join(y[i].tobytes() + mid[i, :1].tobytes() for i in range(len(x)))


def expected_trace(x: npt.NDArray[np.int8]) -> bytes:
    """The bytes of edgeq_trace.bin: per sample mid, then y."""
    mid, y = meaning(x)
    return b"".join(mid[i].tobytes() + y[i].tobytes() for i in range(len(x)))
