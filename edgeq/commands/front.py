"""`edgeq front`: RAM against work, every schedule of a network on a board that no other betters in both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeq.commands.schedule import PushRows
from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, near, table, working


def front(
    model: Model,
    board: BoardName,
    push_rows: PushRows = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, too: .svg or .png.")] = None,
    json: Json = False,
) -> int:
    """Show how little RAM a network can run in and what that costs: layer by layer, by rows, by patches."""
    from edgeq.report.front import draw, points

    net, target = load_model(model), find_board(board)
    with working(f"schedules of {net.name}"):
        found = points(net, target, push_rows)
    if plot is not None:
        draw(found, f"{net.name} on {target.name}", plot)
    if json:
        emit({"network": net.name, "board": target.name, "points": [point.to_json() for point in found], "plot": plot})
        return 0
    columns = (">arena", ">--budget-ram", ">extra instructions", ">MACs done again", "how")
    shown = table(f"{net.name} on {target.name}, as planned", *columns)
    for point in found:
        figures = (point.arena, point.budget_ram, point.extra_instructions, point.extra_macs)
        shown.add_row(*(f"{figure:,}" for figure in figures), point.how)
    out = console(False)
    out.print(shown)
    out.print("Extra instructions are estimated, beyond those of whole layers; `edgeq bench --budget-ram` counts them.")
    if plot is not None:
        out.print(f"plot: {near(plot)}")
    return 0
