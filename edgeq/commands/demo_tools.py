"""What the demo needs from this computer, said before it starts, and how it shows where it is."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeq.demo.demo import Step


def check_tools(board_name: str) -> None:
    """ToolError in one line when a package, a compiler or an emulator is missing; nothing has run then."""
    from edgeq.boards import load_board
    from edgeq.errors import InputError, ToolError
    from edgeq.mcu.host import find_host_compiler
    from edgeq.mcu.runners import pick_runner
    from edgeq.mcu.toolchains import find_toolchain

    board = load_board(board_name)
    if board.kind != "mcu":
        raise InputError(f"demo: board {board.name} is not an emulated device; give a microcontroller (edgeq boards)")
    packages = {"torch": "torch", "brevitas": "brevitas", "sklearn": "scikit-learn"}
    missing = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ToolError(f"demo: {', '.join(missing)} missing; pip install 'edgeq[demo]'")
    find_host_compiler()
    find_toolchain(board)
    pick_runner(board)


@contextmanager
def steps() -> Iterator[Step]:
    """Shows the course of the demo on stderr: a bar where a person looks on, else one line for each step."""
    if not sys.stderr.isatty():
        yield _print_step
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TimeElapsedColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda what, done, total, detail: bars.update(
            task, description=f"{what}, {detail}" if detail else what, completed=done, total=total
        )


def _print_step(what: str, done: int, total: int, detail: str) -> None:
    if not detail:
        print(f"[{done + 1}/{total}] {what}", file=sys.stderr, flush=True)
