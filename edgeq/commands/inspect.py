"""`edgeq inspect`: what a model is made of, what it needs, and what a board cannot give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.commands.shell import Json, Model, OptionalBoard, console, emit, find_board, load_model, table

if TYPE_CHECKING:
    from edgeq.report.inspection import Inspection, Needs


def inspect(model: Model, board: OptionalBoard = None, json: Json = False) -> int:
    """Show operators, formats, MACs and bytes; with --board what it needs and what to change. Exit code 1 if it does not fit."""  # noqa: E501
    from edgeq.report.inspection import inspect as look

    found = look(load_model(model), find_board(board) if board else None)
    if json:
        emit(found.to_json())
    else:
        show(found)
    return 1 if found.problems else 0


def show(found: Inspection) -> None:
    """Print an inspection for a person."""
    out = console(False)
    columns = ("layer", "operator", "output", "formats", "weights", ">sum bits", ">MACs", ">constants", ">bytes out")
    shown = table(found.name, *columns, *(["kernel"] if found.kernels else []))
    for row in found.layers:
        formats = f"{', '.join(row.formats)} → {row.output_format}"
        kernel, variant, _ = found.kernels.get(row.node, ("none", "", ""))
        cells = [
            row.layer, row.op, "×".join(map(str, row.output)), formats, row.weights.get("weight", "–"),
            str(row.accumulator_bits or "–"), f"{row.macs:,}" if row.macs else "–",
            f"{row.constant_bytes:,}" if row.constant_bytes else "–", f"{row.output_bytes:,}",
        ]  # fmt: skip
        shown.add_row(*cells, *([f"{kernel} {variant}".strip()] if found.kernels else []))
    out.print(shown)
    for label, borders in (("input", found.inputs), ("output", found.outputs)):
        for name, shape, fmt in borders:
            out.print(f"{label} {name}: {' × '.join(map(str, shape))}, {fmt}")
    out.print(f"{found.macs:,} MACs, {found.constant_bytes:,} bytes of weights, biases and tables")
    if found.needs is not None:
        _show_needs(found.needs)
    for problem in found.problems:
        out.print(f"[red]does not work:[/red] {problem.line()}", soft_wrap=True)
    if found.board and not found.problems:
        out.print(f"[green]Nothing stands in the way of {found.board}.[/green]")


def _show_needs(needs: Needs) -> None:
    out = console(False)
    of_flash = f" of {needs.flash_size:,}" if needs.flash_size else ""
    of_ram = f" of {needs.ram_size:,}" if needs.ram_size else ""
    out.print(
        f"RAM: {needs.ram:,}{of_ram} bytes: arena {needs.arena:,} (planned, exact), "
        f"stack {needs.stack:,}; peak at {needs.peak_at}"
    )
    out.print(
        f"Flash: about {needs.flash:,}{of_flash} bytes: constants {needs.constants:,} (exact), code about "
        f"{needs.code:,}"
    )
