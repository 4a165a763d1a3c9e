"""`edgeq inspect`: what a model is made of, what it needs, and what a board cannot give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.commands.shell import Json, Model, OptionalBoard, console, emit, find_board, load_model, table

if TYPE_CHECKING:
    from edgeq.errors import EdgeqError
    from edgeq.frontends.survey import Survey
    from edgeq.report.hardware import Hardware
    from edgeq.report.inspection import Inspection, Needs


def inspect(model: Model, board: OptionalBoard = None, json: Json = False) -> int:
    """Show operators, formats, MACs and bytes; with --board what it needs and what to change. Exit code 1 if it does not fit or is not read."""  # noqa: E501
    from edgeq.errors import UnsupportedError
    from edgeq.frontends.survey import survey
    from edgeq.report.inspection import inspect as look

    target = find_board(board) if board else None
    try:
        net = load_model(model)
    except UnsupportedError as error:
        missing = survey(model)
        if missing is None:
            raise
        _not_read(missing, error, json)
        return 1
    found, file = look(net, target), survey(model)
    if json:
        emit(found.to_json() | ({"file": file.to_json()} if file else {}))
    else:
        if file is not None:
            show_file(file)
        show(found)
    return 1 if found.problems else 0


def _not_read(file: Survey, error: EdgeqError, json: bool) -> None:
    """What a file is made of that cannot be imported."""
    if json:
        emit({"name": file.name, "file": file.to_json(), "error": str(error)})
        return
    show_file(file)
    out = console(False)
    if file.missing == 0 and file.floats:
        out.print("[yellow]float network:[/yellow] calibrate it with samples: edgeq.load(path, calibrate=samples)")
    out.print(f"[red]is not read:[/red] {error}", soft_wrap=True)


def show_file(file: Survey) -> None:
    """Print the operators of a file: how often each is used, how many are read, what is in the way of the others."""
    shown = table(f"{file.name}: operators of the file", "operator", ">calls", ">read", "what is in the way", "way out")
    for use in file.operators:
        floats = [f"{use.floats} on floats: calibrate"] if use.floats else []
        facts = [f"{h.tensor}: {h.fact}" for h in use.hindrances]
        more = use.missing - len(use.hindrances)
        facts += [f"and {more} more"] if more else []
        ways = dict.fromkeys(h.way_out for h in use.hindrances)
        shown.add_row(use.op, str(use.calls), str(use.read), "\n".join(floats + facts), "\n".join(ways))
    console(False).print(shown)


def show(found: Inspection) -> None:
    """Print an inspection for a person."""
    from edgeq.ir.names import short_name

    out = console(False)
    columns = ("layer", "operator", "output", "format", "weights", ">sum bits", ">MACs", ">constants", ">bytes out")
    shown = table(found.name, *columns, *(["kernel"] if found.kernels else []))
    for row in found.layers:
        kernel, variant, _ = found.kernels.get(row.node, ("none", "", ""))
        cells = [
            short_name(row.layer), row.op, "×".join(map(str, row.output)), row.output_format,
            row.weights.get("weight", "–"), str(row.accumulator_bits or "–"), f"{row.macs:,}" if row.macs else "–",
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
    if found.hardware is not None:
        _show_hardware(found.hardware)
    for problem in found.problems:
        out.print(f"[red]does not work:[/red] {problem.line()}", soft_wrap=True)
    if found.board and not found.problems:
        out.print(f"[green]Nothing stands in the way of {found.board}.[/green]")


def _show_needs(needs: Needs) -> None:
    from edgeq.ir.names import short_name

    out = console(False)
    of_flash = f" of {needs.flash_size:,}" if needs.flash_size else ""
    of_ram = f" of {needs.ram_size:,}" if needs.ram_size else ""
    out.print(
        f"RAM: {needs.ram:,}{of_ram} bytes: arena {needs.arena:,} (planned, exact), "
        f"stack {needs.stack:,}; peak at {short_name(needs.peak_at)}"
    )
    out.print(
        f"Flash: about {needs.flash:,}{of_flash} bytes: constants {needs.constants:,} (exact), code about "
        f"{needs.code:,}"
    )


def _show_hardware(found: Hardware) -> None:
    """What an FPGA will need, estimated."""
    from edgeq.ir.names import short_name

    shown = table("Estimated", "layer", ">cycles", ">LUTs", ">flip-flops", ">DSPs", ">block RAMs")
    for name, used in (*found.layers.items(), ("all", found.total)):
        cycles = found.slowest if name == "all" else found.cycles.get(name)
        counts = (f"{count:,}" for count in used.to_json().values())
        shown.add_row(short_name(name), f"{cycles:,}" if cycles else "–", *counts)
    console(False).print(shown)
    rate, mhz = found.clock_hz / found.slowest, found.clock_hz / 1e6
    alone = found.latency / found.clock_hz * 1e3
    console(False).print(
        f"{rate:,.1f} inferences a second at {mhz:g} MHz, {alone:,.3f} ms for one alone; {_who_measures(found.kind)}"
    )


def _who_measures(kind: str) -> str:
    """Where the truth comes from."""
    return "edgeq bench measures" if kind == "fpga" else "only the vendor's tools can tell"
