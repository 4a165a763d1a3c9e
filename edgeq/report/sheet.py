"""A page of figures and tables in the style of the build's page, for studies and searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeq.report.page import template, write_text


@dataclass(frozen=True)
class Table:
    """A table: `columns` whose name starts with ">" hold numbers; cells are text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """A plot as SVG text of our own making, put into the page as it is."""

    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """Everything on the page: tiles (label, value, note), drawings, tables, facts (name, value)."""

    title: str
    subtitle: str
    tiles: Sequence[tuple[str, str, str]] = ()
    drawings: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()
    facts: Sequence[tuple[str, str]] = ()


def render(sheet: Sheet) -> str:
    """The page as HTML text: no scripts, no outside resources; all but the drawings is escaped."""
    text: str = template("sheet.html.j2").render(sheet=sheet)
    return text


def write(sheet: Sheet, path: Path) -> Path:
    """Render to `path`, beside first and then renamed; returns the path."""
    return write_text(render(sheet), path)
