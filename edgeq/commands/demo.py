"""`edgeq demo`: the whole job once on real data, ending in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeq.commands.shell import Json, console, emit, near, table

if TYPE_CHECKING:
    from edgeq.demo.outcome import Outcome


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where everything goes.")] = Path(
        "demo"
    ),
    board: Annotated[str, typer.Option("--board", "-b", metavar="B", help="A microcontroller board.")] = "cortex-m4",
    json: Json = False,
) -> int:
    """Train, quantise, build firmware, run it on an emulated board and compare everything (about two minutes)."""
    from edgeq.commands.demo_tools import check_tools, steps
    from edgeq.demo.demo import run_demo

    check_tools(board)
    with steps() as step:
        outcome = run_demo(output, board, step)
    if json:
        emit({**outcome.to_json(), "output": output})
    else:
        show(outcome)
    return 0 if outcome.good else 1


def show(outcome: Outcome) -> None:
    """Print the final table for a person."""
    out = console(False)
    out.print("[bold]Handwritten digits, one network in two number formats[/bold]")
    shown = table("", "", *(f">{v.name}" for v in outcome.variants))

    def row(label: str, *cells: str) -> None:
        shown.add_row(label, *cells)

    variants = outcome.variants
    for key in ("float", "quantised", "emulator", "device"):
        row(f"accuracy, {key}", *(f"{100 * getattr(v, f'accuracy_{key}'):.2f} %" for v in variants))
    shown.add_section()
    row("images on every machine", *(f"{v.samples:,}" for v in variants))
    row("tensors compared for each", *(f"{v.tensors:,}" for v in variants))
    row("values compared in all", *(f"{v.values:,}" for v in variants))
    row("values that differ", *(f"[{'green' if v.good else 'red'}]{v.differing:,}[/]" for v in variants))
    shown.add_section()
    row("flash, bytes", *(f"{v.flash:,}" for v in variants))
    row("RAM with stack, bytes", *(f"{v.ram:,}" for v in variants))
    row("multiply–accumulates", *(f"{v.macs:,}" for v in variants))
    row("instructions", *(f"{'' if v.counted_exactly else 'about '}{v.instructions:,}" for v in variants))
    out.print(shown)
    counted = ", ".join(sorted({v.counted_by for v in variants}))
    out.print(f"Device: {outcome.runner}, {outcome.toolchain}; instructions counted by {counted}.")
    out.print("Compared: trained network, emulator, C on this computer and firmware on the device, every tensor.")
    for v in variants:
        out.print(f"{v.name} page: {near(v.page)}   firmware: {near(v.project)}", soft_wrap=True)
