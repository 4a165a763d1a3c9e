"""Building for a board of the vendor's tools: what `edgeq build` does and shows there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.commands.fpga import phases
from edgeq.commands.shell import console, emit, near, table

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.ir import Graph


def build_hls(net: Graph, board: Board, output: Path, json: bool, options: dict[str, Any]) -> int:
    """`edgeq build` for a board of the vendor's tools: the project, simulated where a C++ compiler is there."""
    from edgeq.hls.build import build, figures

    with phases(f"building for {board.name}") as progress:
        made = build(net, board, output, progress=progress, **options)
    found = {"path": made.path, "board": board.name, "checked": made.checked, **figures(made)}
    if json:
        emit(found)
    else:
        show(f"{net.name} on {board.name}", found)
    return 0


def refuse_bench(board: Board) -> None:
    """InputError: nothing here can measure what the vendor's tools will make."""
    from edgeq.errors import InputError

    raise InputError(
        f"board {board.name}: nothing here measures what the vendor's tools make of the C++; "
        "edgeq inspect and edgeq build print the estimate"
    )


def show(title: str, found: dict[str, Any]) -> None:
    """Print the estimate for a person."""
    from edgeq.ir.names import short_name

    out, has = console(False), found["available"]
    keys = ("luts", "ffs", "dsps", "brams")
    columns = (">LUTs", ">flip-flops", ">DSPs", ">block RAMs")
    shown = table(f"{title}, estimate", "layer", "operator", ">cycles", ">products a cycle", "made in", *columns)
    for row in found["layers"]:
        cycles = f"{row['cycles']:,}" if row["cycles"] else "–"
        counts = (f"{row[key]:,}" for key in keys)
        shown.add_row(
            *(short_name(row["layer"]), row["op"], cycles, str(row["multipliers"] or "–"), row["style"] or "–"), *counts
        )
    shown.add_row("all", "", "", str(found["multipliers"]), "", *(f"{found[key]:,}" for key in keys))
    shown.add_row("the board has", "", "", "", "", *(f"{has[key]:,}" for key in keys))
    out.print(shown)
    out.print(f"estimate: {found['model']}", soft_wrap=True)
    rate = f"{found['inferences_per_second']:,} inferences a second, if the clock and every initiation interval are met"
    out.print(f"{found['cycles_per_inference']:,} cycles an inference in steady state: {rate}", soft_wrap=True)
    out.print(f"{found['latency_cycles']:,} cycles from the first beat in to the last beat out of one inference alone")
    if found["checked"] is None:
        out.print("not simulated: no C++ compiler, or no ap_int.h (pip install 'edgeq[hls]')")
    else:
        out.print(f"C simulation: every value of {found['checked']} inferences equals the emulator")
    out.print(f"project: {near(found['path'])}; next: make -C {near(found['path'])} hls", soft_wrap=True)
