"""Boards are data: one TOML file each, read into a frozen `Board` and checked field by field."""

from edgeq.boards.board import Board, Fpga, GccTarget, Hls, Memory, Pin, QemuMachine, ZigTarget
from edgeq.boards.find import all_boards, load_board, read_board
from edgeq.boards.page import boards_markdown

__all__ = [
    "Board",
    "Fpga",
    "GccTarget",
    "Hls",
    "Memory",
    "Pin",
    "QemuMachine",
    "ZigTarget",
    "all_boards",
    "boards_markdown",
    "load_board",
    "read_board",
]
