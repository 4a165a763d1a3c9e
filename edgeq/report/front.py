"""The front of RAM against work: the schedules of a network that no other betters in both, as rows and as a plot."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeq.boards import Board
from edgeq.errors import InputError, ToolError
from edgeq.ir import Graph
from edgeq.mcu.fit import STATIC_RESERVE
from edgeq.mcu.program import front
from edgeq.schedule import Choice


@dataclass(frozen=True)
class Point:
    """A schedule.

    arena: bytes that its worst part needs; budget_ram: what to build with for it, static data and stack included;
    extra_instructions: beyond those of whole layers, about; extra_macs: multiply-accumulates that are done again; how:
    what runs by rows and what by patches.
    """

    arena: int
    budget_ram: int
    extra_instructions: int
    extra_macs: int
    how: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def points(net: Graph, board: Board, push_rows: bool = False) -> list[Point]:
    """The front, from least work to least RAM. InputError for boards that run no firmware."""
    if board.kind not in ("mcu", "host"):
        raise InputError(f"board {board.name}: runs no firmware, so there is no schedule to choose for it")
    return [
        Point(c.bytes, c.bytes + STATIC_RESERVE, round(c.work), c.macs, _how(c, len(net.nodes)))
        for c in front(net, board, pushed=push_rows, kind="patches")
    ]


def _how(choice: Choice, nodes: int) -> str:
    fused = [patches for stretch in choice.stretches for patches in stretch.fused]
    patched = sum(len(patches.nodes) for patches in fused)
    by_rows = sum(len(stretch.nodes) for stretch in choice.stretches) - patched
    ways = [f"{by_rows} of {nodes} nodes by rows"] if by_rows else []
    if fused:
        sizes = dict.fromkeys(f"{patches.tile[0]} x {patches.tile[1]}" for patches in fused)
        ways.append(f"{patched} of {nodes} nodes by patches of {', '.join(sizes)}")
    return "; ".join(ways) or "layer by layer"


def draw(found: list[Point], title: str, path: Path) -> None:
    """Write the plot of a front, as .svg or .png. ToolError without matplotlib, or where it cannot be written."""
    try:
        import matplotlib
    except ImportError:
        raise ToolError("plots need matplotlib: pip install 'edgeq[search]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.2, 4.4))
    x, y = [point.arena / 1024 for point in found], [point.extra_instructions / 1e6 for point in found]
    axis.step(x, y, where="post", color="#3b7ddd", linewidth=0.8, alpha=0.6)
    axis.plot(x, y, "o", color="#3b7ddd", markersize=4)
    axis.set_xscale("log", base=2)
    axis.set_xticks([n for k in range(-4, 12) for n in (2.0**k, 1.5 * 2.0**k) if min(x) * 0.8 <= n <= max(x) * 1.25])
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("arena, KiB")
    axis.set_ylabel("million instructions more, estimated")
    axis.set_title(f"{title}: RAM against work", fontsize=10)
    axis.grid(alpha=0.25, which="both")
    figure.tight_layout()
    beside = path.with_name(f".{path.name}")
    try:
        # no date, so that the same figures give the same file
        figure.savefig(beside, format=path.suffix.removeprefix(".") or "svg", metadata=_undated(path))
        beside.replace(path)
    except (OSError, ValueError) as error:
        raise ToolError(f"{path}: the plot cannot be written ({error})") from error
    finally:
        beside.unlink(missing_ok=True)
        pyplot.close(figure)


def _undated(path: Path) -> dict[str, None] | None:
    return {"Date": None} if path.suffix in ("", ".svg") else None
