"""Drawing a study: accuracy against each cost, as SVG, PNG and on a page; the table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeq.errors import ToolError
from edgeq.report.page import write_text
from edgeq.report.sheet import Drawing, Sheet, Table
from edgeq.report.sheet import write as write_sheet
from edgeq.search.study import COSTS, Row, Study, better_format, front

#: family -> colour and marker, told apart without colour as well
STYLES = {"integer": ("#3b7ddd", "o"), "minifloat": ("#e08a1e", "^"), "mixed": ("#7a8699", "x")}
#: labels of points on one front: more would lie on each other
LABELS = 12
#: how far below the float network a plot reaches: what is worse is of no use, and would press the rest together
DEPTH = 0.25


def write_all(study: Study, folder: Path) -> dict[str, Path]:
    """study.csv, study.svg, study.png and study.html in a folder; each beside first and then renamed."""
    paths = {kind: folder / f"study.{kind}" for kind in ("csv", "svg", "png", "html")}
    write_text(table_text(study), paths["csv"])
    drawn = draw(study)
    try:
        svg = _saved(drawn, "svg").decode()
        write_text(svg, paths["svg"])
        beside = paths["png"].with_name(".study.png.part")
        beside.write_bytes(_saved(drawn, "png"))
        beside.replace(paths["png"])
    finally:
        _close(drawn)
    write_sheet(sheet(study, svg[svg.index("<svg") :]), paths["html"])
    return paths


def table_text(study: Study) -> str:
    """The table as CSV; what is not known is empty."""
    out = io.StringIO()
    rows = [row.to_json() for row in study.rows]
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "notes": "; ".join(row["notes"]), "front": " ".join(row["front"])})
    return out.getvalue()


def known_costs(study: Study) -> list[str]:
    """Costs that some row knows."""
    return [cost for cost in COSTS if any(getattr(row, cost) is not None for row in study.rows)]


def draw(study: Study) -> Any:
    """The figure of matplotlib: a plot for each cost that is known. ToolError without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise ToolError("plots need matplotlib: pip install 'edgeq[search]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    costs = known_costs(study)
    figure, axes = pyplot.subplots(1, len(costs), figsize=(5.2 * len(costs), 4.6), squeeze=False, sharey=True)
    for axis, cost in zip(axes[0], costs, strict=True):
        _plot(axis, study, cost)
    axes[0][0].set_ylabel("accuracy" if study.judged_by == "labels" else "agreement with the float network")
    axes[0][0].legend(frameon=False, fontsize=8, loc="lower right")
    least, below = _least(study)
    axes[0][0].set_ylim(bottom=least)
    title = f"{study.name}: {study.test_samples:,} test samples, bars: 95 % intervals"
    figure.suptitle(title + (f"; {below} points are below" if below else ""), fontsize=10)
    figure.tight_layout()
    return figure


def _least(study: Study) -> tuple[float | None, int]:
    """Where the accuracy axis begins (None: where it likes to), and how many points it leaves out."""
    known = [row.accuracy for row in study.rows if row.accuracy is not None]
    least = study.float_accuracy - DEPTH
    # Where nothing comes that near, everything is shown.
    return (least, sum(one < least for one in known)) if least < max(known) and min(known) < least else (None, 0)


def _plot(axis: Any, study: Study, cost: str) -> None:
    """One cost."""
    for family, (colour, marker) in STYLES.items():
        rows = [r for r in study.rows if r.point.family == family and r.accuracy is not None]
        rows = [r for r in rows if getattr(r, cost) is not None]
        if rows:
            x = [getattr(r, cost) for r in rows]
            y = [r.accuracy or 0.0 for r in rows]
            spread = [[v - (r.low or 0.0) for v, r in zip(y, rows, strict=True)],
                      [(r.high or 0.0) - v for v, r in zip(y, rows, strict=True)]]  # fmt: skip
            axis.errorbar(x, y, spread, fmt=marker, color=colour, markersize=4, elinewidth=0.5, alpha=0.8, label=family)
    best = [study.rows[i] for i in front(study.rows, cost)]
    axis.step(
        [getattr(r, cost) for r in best], [r.accuracy for r in best], where="post", color="#444", linewidth=0.8,
        label="front",
    )  # fmt: skip
    for row in best[-LABELS:]:
        axis.annotate(
            row.point.name, (getattr(row, cost), row.accuracy), fontsize=6, xytext=(2, 4), textcoords="offset points",
            annotation_clip=True,
        )  # fmt: skip
    axis.axhline(study.float_accuracy, color="#2f9e6e", linewidth=0.8, linestyle="--", label="float")
    axis.set_xlabel(COSTS[cost])
    axis.grid(alpha=0.25)


def _saved(figure: Any, kind: str) -> bytes:
    out = io.BytesIO()
    # no date, so that the same study gives the same file
    figure.savefig(out, format=kind, dpi=140, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()


def _close(figure: Any) -> None:
    from matplotlib import pyplot

    pyplot.close(figure)


def sheet(study: Study, svg: str) -> Sheet:
    """The page."""
    finished = [row for row in study.rows if row.accuracy is not None]
    best = max(finished, key=lambda row: row.accuracy or 0.0)
    judged = "accuracy by labels" if study.judged_by == "labels" else "agreement with the float network's classes"
    facts = [
        ("judged by", f"{judged}, {study.test_samples:,} samples; {study.calibration_samples:,} samples calibrate"),
        ("intervals", "95 %, Wilson"),
        ("instructions", study.instructions_by or "not counted"),
        ("LUTs", f"one engine of 16 products in logic, {study.tools}" if study.tools else "not synthesised"),
    ]
    return Sheet(
        f"{study.name}: number formats",
        f"{len(finished)} of {len(study.rows)} points",
        (
            ("float", f"{study.float_accuracy:.2%}", judged),
            ("best point", f"{best.accuracy:.2%}", f"{best.point.name}, {best.point.method}"),
        ),
        (Drawing("Accuracy against cost", svg, "The line joins points that no cheaper one betters."),),
        (_comparison(study), Table("All points", *rows_of(study.rows))),
        facts,
    )


def _comparison(study: Study) -> Table:
    """Integers and minifloats of equal width, the best method of each."""
    rows = []
    for found in better_format(study.rows):
        first, second = found["integer"], found["minifloat"]
        verdict = "minifloat" if second.accuracy > first.accuracy else "integer"
        verdict = verdict if found["clear"] else f"no clear difference ({verdict} ahead)"
        verdict = "equal" if first.accuracy == second.accuracy else verdict
        rows.append((
            str(found["bits"]), f"{first.accuracy:.2%}", first.point.method, f"{second.accuracy:.2%}",
            f"{second.point.name} {second.point.method}", verdict,
        ))  # fmt: skip
    columns = (">bits", ">integer", "method", ">minifloat", "format and method", "better")
    note = "Weights and activations of the same width, the best method of each kind; clear: the intervals do not touch."
    return Table("At equal width", columns, rows, note)


def rows_of(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and cells of the table of all points."""
    columns = (
        "weights/activations", "method", ">accuracy", ">95 %", ">as float", ">bytes", ">instructions", ">LUTs",
        "on the front of", "",
    )  # fmt: skip
    found = []
    for row in rows:
        interval = "–" if row.low is None or row.high is None else f"{100 * row.low:.1f}–{100 * row.high:.1f}"
        figures = [_count(getattr(row, cost)) for cost in ("weight_bytes", "instructions", "luts")]
        front_of = ", ".join(cost.replace("weight_", "") for cost in row.front)
        found.append((
            row.point.name, row.point.method, _share(row.accuracy), interval, _share(row.as_float), *figures, front_of,
            "; ".join(row.notes),
        ))  # fmt: skip
    return columns, found


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
