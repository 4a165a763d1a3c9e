"""`edgeq verify`: two executions of a model compared tensor by tensor; exit code 1 where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.fpga import ClockMhz, Dsps, Style, Target, choices
from edgeq.commands.hls4ml import Backend, Io, executor, wanted
from edgeq.commands.schedule import Budget, MacFactor, Packing, PushRows, Schedule
from edgeq.commands.schedule import chosen as scheduling
from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, progress, table

if TYPE_CHECKING:
    from edgeq.ir import Graph
    from edgeq.verify import Divergence, VerifyResult
    from edgeq.verify.executors import Executor


def verify(
    model: Model,
    board: BoardName = "host",
    input: Annotated[
        list[Path] | None,
        typer.Option("--input", "-i", metavar="x.npy", help="The batch, as for `edgeq run`.", show_default=False),
    ] = None,
    random: Annotated[
        int | None, typer.Option("--random", "-n", metavar="N", help="N random samples, extremes among them [16].")
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="B",
            help="What to compare with: a board, emulator or reference; for a .tflite file also the interpreters "
            "tflite-micro, litert and tflite-runtime.",
        ),
    ] = "emulator",
    seed: Annotated[int, typer.Option("--seed", help="Of the random samples.")] = 0,
    schedule: Schedule = "auto",
    push_rows: PushRows = False,
    packing: Packing = "auto",
    mac_factor: MacFactor = None,
    budget_ram: Budget = None,
    target: Target = None,
    dsps: Dsps = None,
    style: Style = None,
    clock: ClockMhz = None,
    backend: Backend = None,
    io: Io = None,
    json: Json = False,
) -> int:
    """Compare two executions tensor by tensor; exit code 1 where they differ."""
    from edgeq.errors import InputError
    from edgeq.verify import read_array
    from edgeq.verify import verify as compare

    if input and random is not None:
        raise InputError("verify: give --input or --random, not both")
    net = load_model(model)
    one = _one(net, board, choices(target, dsps, style, clock), backend, io)
    arrays = [read_array(path) for path in input or ()]
    x = None if not arrays else arrays[0] if len(arrays) == 1 else arrays
    count = None if arrays else 16 if random is None else random
    with progress(f"comparing {board} with {against}") as tick:
        result = compare(
            net,
            one,
            x,
            random=count,
            against=_other(net, model, against),
            seed=seed,
            progress=tick,
            options=scheduling(schedule, push_rows, packing, budget_ram, mac_factor),
        )
    emit({"board": board, "against": against, **result.to_json()}) if json else show(result)
    return 0 if result.equal else 1


def _one(net: Graph, name: str, options: dict[str, Any], backend: str | None, io: str | None) -> Any:
    """What runs the network; for an FPGA what a build with these options makes."""
    from edgeq.errors import InputError
    from edgeq.verify.executors import simulated

    board = name if name == "reference" else find_board(name)
    if wanted(board, backend, io, options):
        return executor(net, board, io, options["clock_mhz"])
    if all(option is None for option in options.values()):
        return board
    if isinstance(board, str) or board.kind not in ("fpga", "hls"):
        raise InputError(f"board {name}: is no FPGA; --target, --dsps, --style and --clock are for those")
    return simulated(net, board, **options)


def _other(net: Graph, model: Path, against: str) -> Executor | str:
    """What is compared with; interpreters run the model's file itself."""
    from edgeq.errors import InputError
    from edgeq.verify.tflite_interpreters import tflite_interpreter
    from edgeq.verify.tflite_worker import PACKAGES

    if against not in PACKAGES:
        return against
    if model.suffix.lower() != ".tflite":
        raise InputError(f"{against} runs .tflite files, and {model} is none; compare with emulator or a board")
    return tflite_interpreter(net, model, against)


def show(result: VerifyResult) -> None:
    """Print a result for a person: one line, and the first difference in full."""
    out = console(False)
    out.print(result.line(), style="green" if result.equal else "red", soft_wrap=True)
    if result.first_divergence is not None:
        _show_divergence(result.first_divergence)


def _show_divergence(first: Divergence) -> None:
    out = console(False)
    out.print(f"{first.differing:,} elements of {first.value} differ.")
    if first.exact is not None:
        exact = first.exact
        out.print(f"Exact result before rounding: {exact.num}/{exact.den} · 2^{-exact.frac} = {exact.real!r}")
    if not first.inputs:
        return
    shown = table("Computed from", "operand", "value", ">elements", "index", ">code", ">real")
    for operand in first.inputs:
        rows = list(zip(operand.indices, operand.codes, operand.reals, strict=True))[:12]
        for i, (index, code, real) in enumerate(rows):
            names = (operand.role, operand.value, str(operand.total)) if i == 0 else ("", "", "")
            shown.add_row(*names, str(list(index)), str(code), f"{real:g}")
        if operand.total > len(rows):
            shown.add_row("", "", "", f"… {operand.total - len(rows)} more", "", "")
    out.print(shown)
