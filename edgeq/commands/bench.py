"""`edgeq bench`: what one inference costs on a board."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgeq.commands.fpga import ClockMhz, Dsps, Style, Target, bench_fpga, choices
from edgeq.commands.hls import refuse_bench
from edgeq.commands.schedule import Budget, MacFactor, Packing, PushRows, Schedule
from edgeq.commands.schedule import chosen as scheduling
from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, table, working


def bench(
    model: Model,
    board: BoardName,
    optimize: Annotated[str, typer.Option("--optimize", "-O", metavar="FLAG", help="-O2, -Os, …")] = "-O2",
    toolchain: Annotated[
        str | None, typer.Option(metavar="NAME", help="gcc, clang or zig; FPGA: native or yowasp.")
    ] = None,
    runner: Annotated[
        str | None, typer.Option(metavar="NAME", help="qemu or unicorn; by default what is there.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Beside other stacks' recorded figures and an estimate of the possible.")
    ] = False,
    schedule: Schedule = "auto",
    push_rows: PushRows = False,
    packing: Packing = "auto",
    mac_factor: MacFactor = None,
    budget_ram: Budget = None,
    target: Target = None,
    dsps: Dsps = None,
    style: Style = None,
    clock: ClockMhz = None,
    json: Json = False,
) -> int:
    """Measure one inference, layer by layer: instructions, flash, RAM; for an FPGA board, logic, clock and cycles."""
    net, chosen = load_model(model), find_board(board)
    if chosen.kind == "fpga":
        return bench_fpga(net, chosen, json, toolchain, choices(target, dsps, style, clock))
    if chosen.kind == "hls":
        refuse_bench(chosen)
    from edgeq.mcu.bench import bench as measure
    from edgeq.report.peers import compared

    flag = optimize if optimize.startswith("-") else f"-O{optimize.removeprefix('O')}"
    with working(f"measuring on {chosen.name}"):
        options = scheduling(schedule, push_rows, packing, budget_ram, mac_factor)
        found = measure(net, chosen, runner=runner, optimize=flag, toolchain=toolchain, **options)
    if compare:
        found = compared(net, found)
    if json:
        emit(found)
    else:
        show(found)
    return 0


def show(found: dict[str, Any]) -> None:
    """Print the figures for a person."""
    from edgeq.ir.names import short_name

    out = console(False)
    compare = found.get("compare")
    possible = compare is not None and compare["times_possible"] is not None
    shown = table(
        f"{found['network']} on {found['board']}", "layer", "operator", "kernel", "output",
        ">MACs", ">weight bytes", ">instructions", ">per MAC", ">share", *([">× possible"] if possible else []),
    )  # fmt: skip
    for row in found["layers"]:
        count, macs = row["instructions"], row["macs"]
        shown.add_row(
            short_name(row["source"] or row["layer"]),
            row["op"],
            f"{row['kernel']} {row['variant']}",
            f"{'×'.join(map(str, row['shape']))} {row['format']}",
            f"{macs:,}" if macs else "–",
            f"{row['weight_bytes']:,}" if row["weight_bytes"] else "–",
            "–" if count is None else f"{count:,}",
            f"{count / macs:.2f}" if count and macs else "–",
            "–" if row["share"] is None else f"{100 * row['share']:.1f} %",
            *([f"{row['times_possible']:.2f}" if row["times_possible"] else "–"] if possible else []),
        )
    out.print(shown)
    if found["instructions"] is None:
        out.print(f"{found['macs']:,} MACs; nothing counts instructions on {found['board']}")
    else:
        about = "" if found["instructions_exact"] else "about "
        per_mac = f", {found['instructions_per_mac']:.2f} per MAC" if found["instructions_per_mac"] else ""
        out.print(f"{about}{found['instructions']:,} instructions ({found['instructions_method']}){per_mac}")
        if found["cycles_estimated"]:
            out.print(f"about {found['cycles_estimated']:,} cycles by a simple model of the pipeline")
    stack = "" if found["stack"] is None else f", stack {found['stack']:,}"
    out.print(f"flash {found['flash']:,} bytes, RAM {found['ram']:,} bytes (arena {found['arena']:,}{stack})")
    out.print(f"{found['toolchain']} {found['optimize']}" + (f", run in {found['runner']}" if found["runner"] else ""))
    if "compare" in found:
        show_peers(found)


def show_peers(found: dict[str, Any]) -> None:
    """Print what other stacks need for the same network."""
    out, compare = console(False), found["compare"]
    if compare["network"] is None:
        out.print("no figures of other stacks are recorded for a network of these layers")
    elif not compare["peers"]:
        out.print(f"{compare['network']}: no figures of other stacks are recorded for {found['core']}")
    else:
        title = f"{compare['network']} on {found['core']}; peers: {compare['conditions']}"
        shown = table(title, "stack", ">instructions", ">per MAC", ">× ours", ">flash", ">RAM", "")
        ours = {
            "stack": "edgeq", "instructions": found["instructions"], "per_mac": found["instructions_per_mac"],
            "times_ours": 1.0, "flash": found["flash"], "ram": found["ram"], "counted": True, "note": None,
        }  # fmt: skip
        for row in (ours, *compare["peers"]):
            count, ratio = row["instructions"], row["times_ours"]
            shown.add_row(
                row["stack"],
                "–" if count is None else f"{'' if row['counted'] else 'at most '}{count:,}",
                "–" if row["per_mac"] is None else f"{row['per_mac']:.2f}",
                f"{ratio:.2f}" if ratio and count else "–",
                f"{row['flash']:,}" if row["flash"] else "–",
                f"{row['ram']:,}" if row["ram"] else "–",
                row["note"] or "",
            )
        out.print(shown)
    if compare["times_possible"]:
        per_mac, why = compare["possible_per_mac"], compare["possible_why"]
        out.print(
            f"estimate of the possible: {per_mac:g} instructions per MAC in inner loops ({why}); the whole is at "
            f"{compare['times_possible']:.2f} times that"
        )
