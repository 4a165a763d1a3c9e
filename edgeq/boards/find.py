"""Finding boards: those that come with edgeq by name, a user's own by file."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

from edgeq.boards.board import KINDS, Board
from edgeq.boards.fpga import read_fpga
from edgeq.boards.hls import read_hls
from edgeq.boards.mcu import read_mcu
from edgeq.boards.table import Table
from edgeq.errors import FileError, InputError
from edgeq.resources import resource_dir

MAX_BOARD_FILE = 64 * 1024  # bytes; a board is a page of text, more is a mistake or an attack
_ORDER = ("host", "emulator", "mcu", "fpga", "hls")


def _board_from(root: Table) -> Board:
    """The board that a file's table describes."""
    common: dict[str, Any] = {
        "name": root.text("name"),
        "description": root.text("description"),
        "kind": root.text("kind", KINDS),
        "source": root.text("source"),
        "aliases": root.texts("aliases"),
        "path": root.path,
    }
    if common["kind"] == "mcu":
        return read_mcu(root, common)
    if common["kind"] == "fpga":
        return read_fpga(root, common)
    if common["kind"] == "hls":
        return read_hls(root, common)
    root.done()
    return Board(**common)


def read_board(path: Path) -> Board:
    """Read one board file; `FileError` names the file and the field of the first thing wrong."""
    try:
        size = path.stat().st_size
        if size > MAX_BOARD_FILE:
            raise FileError(f"board file {path}: {size} bytes; a board file has at most {MAX_BOARD_FILE}")
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise FileError(f"board file {path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"board file {path}: is not UTF-8 text (byte {error.start})") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileError(f"board file {path}: is not TOML: {error}") from error
    return _board_from(Table(data, path))


@functools.cache
def all_boards() -> tuple[Board, ...]:
    """Return every board that comes with edgeq: host and emulator first, then microcontrollers, then FPGAs, by name."""
    folder = resource_dir("boards")
    boards = [read_board(path) for path in sorted(folder.glob("*.toml"))]
    boards += [read_board(path) for kind in ("mcu", "fpga", "hls") for path in sorted(folder.glob(f"{kind}/*.toml"))]
    taken: dict[str, Path] = {}
    for board in boards:
        for name in (board.name, *board.aliases):
            if name in taken:
                raise FileError(f"board file {board.path}: field name: {name!r} is taken by {taken[name]}")
            taken[name] = board.path
    return tuple(sorted(boards, key=lambda b: (_ORDER.index(b.kind), b.name)))


def load_board(name_or_path: str | Path) -> Board:
    """Return the board of that name or alias, or read the board file at that path (it ends in `.toml`).

    Raises `InputError` for an unknown name, with the nearest ones, and `FileError` for a damaged file.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or name.endswith(".toml"):
        return read_board(Path(name_or_path))
    for board in all_boards():
        if name == board.name or name in board.aliases:
            return board
    names = [board.name for board in all_boards()]
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"board {name!r}: unknown; {hint}choose one of {', '.join(names)} or give a .toml file")
