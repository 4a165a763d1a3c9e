"""Building and measuring for an FPGA board: what `edgeq build` and `edgeq bench` do and show there."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.shell import console, emit, near, table

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.fpga.toolchain.launch import Progress
    from edgeq.ir import Graph

Target = Annotated[
    float | None, typer.Option(metavar="N", help="FPGA: inferences a second to reach; by default all that fit.")
]
Dsps = Annotated[
    int | None, typer.Option(metavar="N", help="FPGA: multiplier blocks to spend; by default the board's.")
]
Style = Annotated[
    str | None,
    typer.Option(
        metavar="S",
        help="FPGA: all products in 'dsp' blocks, or in logic: 'lut', 'khot' where weights have few digits; by default "
        "as the target needs.",
    ),
]
ClockMhz = Annotated[
    float | None, typer.Option("--clock", metavar="MHZ", help="FPGA: clock to try; by default the board's target.")
]


def choices(target: float | None, dsps: int | None, style: str | None, clock: float | None) -> dict[str, Any]:
    """The options of a build, as `edgeq.fpga.build.build` takes them."""
    return {"inferences": target, "dsps": dsps, "style": style, "clock_mhz": clock}


def build_fpga(
    net: Graph, board: Board, output: Path, json: bool, toolchain: str | None, options: dict[str, Any]
) -> int:
    """`edgeq build` for an FPGA board."""
    from edgeq.fpga.build import build
    from edgeq.fpga.manifest import figures

    with phases(f"building for {board.name}") as progress:
        made = build(net, board, output, toolchain=toolchain, progress=progress, **options)
    found = {"path": made.path, "board": board.name, "bitstream": made.made.path, **figures(made)}
    if json:
        emit(found | {"logs": dict(made.made.logs)})
    else:
        show(f"{net.name} on {board.name}", found)
        console(False).print(f"bitstream: {near(made.made.path)}; program it with: make -C {near(made.path)} program")
    return 0


def bench_fpga(net: Graph, board: Board, json: bool, toolchain: str | None, options: dict[str, Any]) -> int:
    """`edgeq bench` for an FPGA board: synthesis, place and route and simulation, in a folder that is thrown away."""
    from edgeq.fpga.build import build
    from edgeq.fpga.manifest import figures

    with (
        phases(f"measuring on {board.name}") as progress,
        tempfile.TemporaryDirectory(prefix="edgeq-bench-") as scratch,
    ):
        made = build(net, board, Path(scratch, "net"), toolchain=toolchain, progress=progress, **options)
    found = {"network": net.name, "board": board.name, **figures(made)}
    if json:
        emit(found)
    else:
        show(f"{net.name} on {board.name}", found)
    return 0


@contextmanager
def phases(what: str) -> Iterator[Progress]:
    """A spinner that says which tool is at work, since these runs take minutes; a line for each, if nobody looks on."""
    from rich.console import Console

    out = Console(stderr=True, highlight=False)
    if sys.stderr.isatty():
        with out.status(what) as status:
            yield lambda phase: status.update(f"{what}: {phase}")
        return
    told: set[str] = set()

    def tell(phase: str) -> None:
        step = phase.split(",")[0]
        if step not in told and not step.startswith("yosys "):
            told.add(step)
            out.print(f"{what}: {step}", soft_wrap=True)

    yield tell


def show(title: str, found: dict[str, Any]) -> None:
    """Print figures for a person."""
    from edgeq.ir.names import short_name

    out, has = console(False), found["available"]
    columns = (">LUTs", ">flip-flops", ">DSPs", ">block RAMs", ">Fmax")
    shown = table(title, "layer", "operator", ">cycles", ">products a cycle", "made in", *columns)
    for row in found["layers"]:
        counts = (f"{row['luts']:,}", f"{row['ffs']:,}", f"{row['dsps']:,}", f"{row['brams']:,}")
        speed = f"{row['fmax_mhz']:.1f}" if row["fmax_mhz"] else "–"
        cycles = f"{row['cycles']:,}" if row["cycles"] else "–"
        shown.add_row(
            *(short_name(row["layer"]), row["op"], cycles, str(row["multipliers"] or "–"), row["style"] or "–"),
            *(*counts, speed),
        )
    keys = ("luts", "ffs", "dsps", "brams")
    shown.add_row(
        "all", "", "", str(found["multipliers"]), "", *(f"{found[key]:,}" for key in keys), f"{found['fmax_mhz']:.1f}"
    )
    shown.add_row("the board has", "", "", "", "", *(f"{has[key]:,}" for key in keys), "")
    out.print(shown)
    out.print(f"reaches {found['fmax_mhz']:.1f} MHz, runs at {found['clock_mhz']:.3f} MHz ({found['tools']})")
    if found["cycles_per_inference"] is None:
        out.print("cycles were not counted: no simulator is installed (verilator or iverilog)")
        return
    latency = found["latency_cycles"] / found["clock_mhz"]
    out.print(f"{found['cycles_per_inference']:,} cycles an inference in steady state ({found['simulator']}):")
    out.print(f"{found['inferences_per_second']:,} inferences a second, {found['macs_per_cycle']} MACs a cycle")
    out.print(f"latency {found['latency_cycles']:,} cycles, {latency:,.0f} µs")
