"""bench: what one inference costs on a board: instructions, cycles, flash, RAM, and the share of each layer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from edgeq.boards import Board, load_board
from edgeq.ir import Graph
from edgeq.mcu.build import BuildResult, build, golden_sample

if TYPE_CHECKING:
    from edgeq.mcu.runners import RunResult


def bench(
    net: Graph,
    board: Board | str,
    out: Path | str | None = None,
    *,
    inputs: Mapping[str, npt.NDArray[Any]] | None = None,
    runner: str | None = None,
    optimize: str = "-O2",
    toolchain: str | None = None,
    schedule: str = "auto",
    push_rows: bool = False,
    packing: str = "auto",
    budget_ram: int | None = None,
    mac_factor: float | None = None,
) -> dict[str, Any]:
    """Build `net` for `board` (into `out`, else a temporary folder) and measure one inference.

    inputs: one sample of codes, batch first (default: a random one); the other options as for `build`.
    Returns the JSON object of `edgeq bench`:
    instructions and cycles_estimated of one inference (null where nothing counts them: on the host), macs, flash,
    ram (arena, other static data and the stack's peak), where these come from, and one row for each layer.
    """
    target = load_board(board) if isinstance(board, str) else board
    with tempfile.TemporaryDirectory(prefix="edgeq-bench-") as scratch:
        made = build(
            net,
            target,
            Path(scratch, "net") if out is None else out,
            optimize=optimize,
            toolchain=toolchain,
            schedule=schedule,
            push_rows=push_rows,
            packing=packing,
            budget_ram=budget_ram,
            mac_factor=mac_factor,
        )
        return measured(made, inputs, runner)


def measured(
    made: BuildResult, inputs: Mapping[str, npt.NDArray[Any]] | None = None, runner: str | None = None
) -> dict[str, Any]:
    """The figures of a finished build; see `bench`."""
    from edgeq.mcu.execute import measure

    if made.elf is None:
        return _report(made, None, None)
    if inputs is None:
        sample = golden_sample(made.graph)
        inputs = {name: sample[name][None] for name in made.graph.inputs}
    inputs = {name: codes[:1] for name, codes in inputs.items()}
    whole = measure(made, inputs, runner=runner)
    return _report(made, whole, measure(made, inputs, runner=runner, profile=True))


def _report(made: BuildResult, whole: RunResult | None, by_layer: RunResult | None) -> dict[str, Any]:
    counts = whole.counts if whole is not None else None
    stack = whole.stack_peak if whole is not None else None
    return {
        "network": made.graph.name,
        "board": made.board.name,
        "core": made.board.core,
        "toolchain": made.toolchain,
        "optimize": made.optimize,
        "runner": whole.runner if whole is not None else None,
        "instructions": counts.total if counts else None,
        "instructions_method": counts.method if counts else None,
        "instructions_exact": counts.exact if counts else None,
        "cycles_estimated": counts.cycles_estimated if counts else None,
        "macs": made.program.macs,
        "instructions_per_mac": round(counts.total / made.program.macs, 3) if counts and made.program.macs else None,
        "flash": made.flash,
        "ram": made.ram + (stack or 0),
        "arena": made.arena,
        "schedule": made.program.reason,
        "stack": stack,
        "sizes": dict(made.sizes),
        "layers": _layers(made, by_layer),
        "functions": dict(counts.per_function) if counts else {},
    }


def _layers(made: BuildResult, profiled: RunResult | None) -> list[dict[str, Any]]:
    """One row for each step; instructions include the few of the hook that tells steps apart."""
    counts = profiled.counts if profiled is not None else None
    rows = []
    for call in made.program.calls:
        slot = made.program.slots[call.step.output]
        executed = counts.per_layer.get(call.index, 0) if counts else None
        rows.append(
            {
                "index": call.index,
                "layer": call.node.name,
                "source": call.node.source,
                "op": call.node.op,
                "kernel": call.step.kernel,
                "variant": call.step.variant,
                "shape": list(slot.value.shape),
                "format": str(slot.value.format),
                "macs": call.macs,
                "weight_bytes": sum(c.bytes for c in call.constants.values()),
                "output_bytes": slot.bytes,
                "instructions": executed,
                "cycles_estimated": counts.cycles_per_layer.get(call.index) if counts else None,
                "share": round(executed / counts.total, 4) if counts and executed is not None else None,
            }
        )
    return rows
