"""What the commands share: options, output to people or programs, progress bars, models and boards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgeq.boards import Board
    from edgeq.ir import Graph
    from edgeq.progress import Progress

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A network: a file .edgeq, .tflite or .onnx.", show_default=False)
]
BoardName = Annotated[
    str, typer.Option("--board", "-b", metavar="B", help="A board's name (see `edgeq boards`) or its .toml file.")
]
OptionalBoard = Annotated[
    str | None, typer.Option("--board", "-b", metavar="B", help="A board's name (see `edgeq boards`) or .toml file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; everything else on stderr.")]


def load_model(path: Path) -> Graph:
    """Read MODEL by its suffix; EdgeqError in one line where that fails."""
    from edgeq.frontends import load

    return load(path)


def find_board(name: str) -> Board:
    """The board of that name or file."""
    from edgeq.boards import load_board

    return load_board(name)


def console(as_json: bool) -> Console:
    """Where text for people goes: stdout, or stderr when stdout belongs to a JSON object."""
    from rich.console import Console

    # Into a file or a pipe a table goes unfolded: rich would take 80 columns there.
    stream = sys.stderr if as_json else sys.stdout
    return Console(stderr=as_json, highlight=False, width=None if stream.isatty() else 200)


def emit(found: dict[str, Any]) -> None:
    """Print the one JSON object."""
    print(json.dumps(found, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    """JSON of what the standard encoder does not know: numpy scalars, paths, tuples' relatives."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(title: str, *columns: str) -> Table:
    """A table in the house's style; a column whose name starts with ">" holds numbers."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = column.startswith(">")
        justify: Literal["left", "right"] = "right" if number else "left"
        made.add_column(column.lstrip(">"), justify=justify, overflow="fold", no_wrap=number)
    return made


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A progress bar on stderr; yields the function to call with done and total. Silent unless a person looks on."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr around something of unknown length. Silent unless a person looks on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def near(path: Path) -> Path:
    """A path as it is seen from the current folder, where it lies below it."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path
