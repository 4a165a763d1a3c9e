"""`edgeq build`: a firmware project, compiled, an FPGA project with its bitstream, or one for the vendor's tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.fpga import ClockMhz, Dsps, Style, Target, build_fpga, choices
from edgeq.commands.hls import build_hls
from edgeq.commands.hls4ml import Backend, Io, build_hls4ml, wanted
from edgeq.commands.schedule import Budget, MacFactor, Packing, PushRows, Schedule, refuse_on_hardware
from edgeq.commands.schedule import chosen as scheduling
from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, near, table, working

if TYPE_CHECKING:
    from edgeq.mcu.build import BuildResult


def build(
    model: Model,
    board: BoardName,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="New or empty, or an earlier build.")],
    budget_ram: Budget = None,
    budget_flash: Budget = None,
    optimize: Annotated[str, typer.Option("--optimize", "-O", metavar="FLAG", help="-O2, -Os, …")] = "-O2",
    toolchain: Annotated[
        str | None, typer.Option(metavar="NAME", help="gcc, clang or zig; FPGA: native or yowasp.")
    ] = None,
    schedule: Schedule = "auto",
    push_rows: PushRows = False,
    packing: Packing = "auto",
    mac_factor: MacFactor = None,
    target: Target = None,
    dsps: Dsps = None,
    style: Style = None,
    clock: ClockMhz = None,
    backend: Backend = None,
    io: Io = None,
    json: Json = False,
) -> int:
    """Generate and compile the firmware, print sizes and kernels; for an FPGA board, its bitstream or project."""
    net, chosen = load_model(model), find_board(board)
    if chosen.kind in ("fpga", "hls"):
        firmware = {"budget-flash": budget_flash, "optimize": optimize != "-O2"}
        tools = {"toolchain": toolchain if chosen.kind == "hls" else None}
        refuse_on_hardware(chosen, firmware | scheduling(schedule, push_rows, packing, budget_ram, mac_factor) | tools)
    if wanted(chosen, backend, io, choices(target, dsps, style, clock)):
        return build_hls4ml(net, chosen, output, json, io, clock)
    if chosen.kind == "fpga":
        return build_fpga(net, chosen, output, json, toolchain, choices(target, dsps, style, clock))
    if chosen.kind == "hls":
        return build_hls(net, chosen, output, json, choices(target, dsps, style, clock))
    from edgeq.mcu.build import build as make

    flag = optimize if optimize.startswith("-") else f"-O{optimize.removeprefix('O')}"
    with working(f"building for {chosen.name}"):
        result = make(
            net,
            chosen,
            output,
            budget_flash=budget_flash,
            optimize=flag,
            toolchain=toolchain,
            **scheduling(schedule, push_rows, packing, budget_ram, mac_factor),
        )
    if json:
        emit(describe(result))
    else:
        show(result)
    return 0


def describe(result: BuildResult) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "path": result.path,
        "board": result.board.name,
        "elf": result.elf,
        "library": result.library,
        "toolchain": result.toolchain,
        "optimize": result.optimize,
        "flash": result.flash,
        "ram": result.ram,
        "arena": result.arena,
        "stack": result.stack,
        "sizes": dict(result.sizes),
        "macs": result.program.macs,
        "schedule": result.program.reason,
        "steps": result.variants,
        "warnings": list(result.warnings),
    }


def show(result: BuildResult) -> None:
    """Print a build for a person."""
    from edgeq.ir.names import short_name

    out = console(False)
    shown = table(f"{result.graph.name} on {result.board.name}", "step", "operator", "kernel", "variant", "why")
    for row in result.variants:
        why = row["brief"].removeprefix(f"{row['kernel']}: ")
        shown.add_row(short_name(row["step"]), row["op"], row["kernel"], row["variant"], why)
    out.print(shown)
    for line in result.warnings:
        out.print(f"[yellow]warning:[/yellow] {line}", markup=True)
    if result.elf is not None:
        sizes = result.sizes
        code = result.flash - sizes["weights"]
        out.print(
            f"flash {result.flash:,} bytes: weights and tables {sizes['weights']:,}, code and parameters {code:,}"
        )
        stack = f", stack {result.stack:,}" if result.stack is not None else ", stack on top"
        out.print(f"RAM {result.ram:,} bytes: arena {result.arena:,}, other {sizes['other_ram']:,}{stack}")
    else:
        out.print(f"weights and tables {result.flash:,} bytes, arena {result.arena:,} bytes")
    out.print(f"schedule: {result.program.reason}", soft_wrap=True)
    out.print(f"{result.toolchain} {result.optimize}")
    out.print(f"project: {near(result.path)}", soft_wrap=True)
