"""The HTML page: one self-contained file with everything known of a build."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeq.errors import FileError
from edgeq.ir.names import short_name
from edgeq.report.histograms import Histogram
from edgeq.report.timeline import Timeline


@dataclass(frozen=True)
class LayerRow:
    """One row of the layer table; what is not known is None.

    format: of the result; formats: of operands and result.
    kernel, variant, why: what runs it and why that was chosen; instructions, cycles: of one inference.
    """

    layer: str
    op: str
    shape: str
    format: str
    formats: str
    weights: str
    accumulator_bits: int | None
    macs: int
    constant_bytes: int
    output_bytes: int
    kernel: str = ""
    variant: str = ""
    why: str = ""
    instructions: int | None = None
    cycles: int | None = None


@dataclass(frozen=True)
class Part:
    """A named part of a whole, for the bars of flash and RAM: bytes, and one line that says what it is."""

    name: str
    bytes: int
    note: str = ""


@dataclass(frozen=True)
class Page:
    """Everything on the page. Empty parts are left out.

    title, subtitle: the network and where it runs; tiles: (label, value, note) of the figures to see first.
    accuracy: (execution, correct share 0..1 or None, note); checks: (ok, one line) of what was compared.
    flash, ram: parts and the size of the memory they lie in; warnings: lines the reader must not miss.
    facts: (name, value) lines for the end of the page.
    """

    title: str
    subtitle: str
    tiles: Sequence[tuple[str, str, str]] = ()
    accuracy: Sequence[tuple[str, float | None, str]] = ()
    checks: Sequence[tuple[bool, str]] = ()
    layers: Sequence[LayerRow] = ()
    timeline: Timeline | None = None
    flash: Sequence[Part] = ()
    ram: Sequence[Part] = ()
    flash_size: int | None = None
    ram_size: int | None = None
    weights: Sequence[Histogram] = ()
    activations: Sequence[Histogram] = ()
    warnings: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)


def render(page: Page) -> str:
    """The page as HTML text: no scripts, no outside resources, everything escaped."""
    text: str = template("page.html.j2").render(page=page, totals=_totals(page.layers))
    return text


def template(name: str) -> Any:
    """A template of the report's folder, with the filters of its pages."""
    import jinja2

    from edgeq.resources import resource_dir

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates") / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=_count, percent=_percent, bars=_bars, real=_real, short=short_name)
    return environment.get_template(name)


def write(page: Page, path: Path) -> Path:
    """Render to `path`, beside first and then renamed; returns the path."""
    return write_text(render(page), path)


def write_text(text: str, path: Path) -> Path:
    """Write a page's text to `path`, beside first and then renamed; returns the path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            made = Path(scratch, path.name)
            made.write_text(text, "utf-8")
            os.replace(made, path)
    except OSError as error:
        raise FileError(f"report {path}: cannot be written ({error.strerror})") from None
    return path


def _totals(rows: Sequence[LayerRow]) -> Mapping[str, Any]:
    instructions = [row.instructions for row in rows if row.instructions is not None]
    return {
        "macs": sum(row.macs for row in rows),
        "constant_bytes": sum(row.constant_bytes for row in rows),
        "instructions": sum(instructions) if instructions else None,
        "most": max(instructions, default=0),
        "cycles": any(row.cycles is not None for row in rows),
        "kernels": any(row.kernel for row in rows),
    }


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def _real(number: float) -> str:
    return f"{number:.4g}".replace("-", "−")


def _bars(shown: Histogram) -> list[tuple[float, float, float, int]]:
    """(x, width, height, elements) of each bar in per cent; heights go by the square root, so that rare values show."""
    most = math.sqrt(max(shown.counts, default=1) or 1)
    width = 100 / len(shown.counts)
    return [(i * width, width, 100 * math.sqrt(n) / most, n) for i, n in enumerate(shown.counts)]
