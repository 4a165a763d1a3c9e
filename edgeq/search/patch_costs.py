"""Costs of patches: the mixed network, the same patches with 8 bits, and schedules of these, in one table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.mcu.bench import bench, measured
from edgeq.mcu.build import build
from edgeq.mcu.fit import STATIC_RESERVE, scheduled
from edgeq.mcu.program import make_program
from edgeq.mcu.scheduling import Schedule
from edgeq.progress import Progress, silent
from edgeq.search.at_run_time import Choice, Place, decided, narrow_sample, wide_sample
from edgeq.search.patches import Mixed, bitops, macs

#: the row whose values share bytes only as far as a budget asks for it, that of the schedule of 8 bits that the planner
#: finds within it, and the budget as a part of the arena of 8-bit patches
PACKED, PLANNED, LESS = "patches, packed to fit", "planned to fit", 0.9
#: samples that run at once where accuracy is measured
BATCH = 8


@dataclass(frozen=True)
class Row:
    """One way to run the network.

    way: what; bits: "8" or "mixed"; macs, bitops: of one inference (bitops None where a plan by rows computes more than
    the graph says); stage_bitops: of the patch stage alone; arena: bytes of RAM planned; weights: bytes of constants;
    instructions, cycles, flash: of the firmware, None where not measured; accuracy: share of test samples that are
    right; narrow: share of the patches decided at run time that are narrow; note: why a figure is missing.
    """

    way: str
    bits: str
    macs: int
    bitops: int | None
    stage_bitops: int | None
    arena: int | None = None
    weights: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    flash: int | None = None
    accuracy: float | None = None
    narrow: float | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def rows(
    mixed: Mixed,
    board: Board,
    *,
    counted: bool = True,
    baselines: bool = True,
    test: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    progress: Progress = silent,
) -> Iterator[Row]:
    """The rows of the table, one after the other.

    counted: whether firmware is built and its instructions are counted; baselines: whether the rows of 8 bits are among
    them; test: samples and their classes.
    """
    stage = [node.name for node in mixed.whole.nodes if node.outputs[0] in set(mixed.branches.origin.values())]
    narrow = None if test is None else accuracy(mixed.graph, *test, progress)
    eight = None if test is None or not baselines else accuracy(mixed.whole, *test, progress)
    ways = (
        ("layer by layer", mixed.whole, "layers", "fast", stage, eight),
        ("by rows", mixed.whole, "rows", "fast", stage, eight),
        (PLANNED, mixed.whole, "auto", "fast", stage, eight),
        ("patches", mixed.baseline, "layers", "fast", mixed.stage, eight),
        ("patches", mixed.graph, "layers", "fast", mixed.stage, narrow),
        (PACKED, mixed.graph, "layers", "auto", mixed.stage, narrow),
        ("patches, all packed", mixed.graph, "layers", "all", mixed.stage, narrow),
    )
    budget = int(LESS * make_program(mixed.baseline, board).plan.arena_bytes) + STATIC_RESERVE
    first, last = 0 if baselines else 4, 4 if mixed.choice else len(ways)
    for way, graph, schedule, packing, nodes, right in ways[first:last]:
        bits = "mixed" if graph is mixed.graph else "8"
        found = Row(way, bits, macs(graph), bitops(graph), bitops(graph, nodes), accuracy=right)
        yield _measured(found, graph, board, counted, schedule, packing, budget if way in (PACKED, PLANNED) else None)
    if mixed.choice:
        seen = mixed.choice.narrow if test is None else decided(mixed.branches, mixed.choice, test[0])
        shares = {place: float(taken.mean()) for place, taken in seen.items()}
        yield from _at_run_time(mixed, mixed.choice, board, counted, shares, narrow)


def _at_run_time(
    mixed: Mixed, choice: Choice, board: Board, counted: bool, shares: Mapping[Place, float], right: float | None
) -> Iterator[Row]:
    """One build, and what it takes for inputs that are narrow everywhere, as usual, and of 8 bits everywhere.

    The usual BitOPs are the mean over the data whose shares are given, the usual instructions those of one sample.
    """
    everywhere: list[tuple[str, Mapping[Place, float], npt.NDArray[Any] | None]] = [
        ("all narrow", dict.fromkeys(choice.twins, 1.0), narrow_sample(mixed.branches, choice)),
        ("as the data", shares, choice.typical),
        ("all 8 bits", dict.fromkeys(choice.twins, 0.0), wide_sample(mixed.branches, choice)),
    ]
    with tempfile.TemporaryDirectory(prefix="edgeq-patches-") as folder:
        made, program, note = None, None, ""
        try:
            if counted:
                made = build(mixed.graph, board, Path(folder, "net"), schedule="layers", packing="fast")
            program = made.program if made else make_program(mixed.graph, board, Schedule("layers"))
        except EdgeqError as error:
            note = str(error).splitlines()[0]
        for what, narrow, codes in everywhere:
            if codes is None:
                continue
            bits, stage = run_time_bitops(mixed, choice, narrow)
            row = Row(f"at run time, {what}", "mixed", macs(mixed.baseline), bits, stage, note=note)
            row = replace(row, narrow=sum(narrow.values()) / len(narrow), accuracy=right if narrow is shares else None)
            if program is not None:
                row = replace(row, arena=program.plan.arena_bytes, weights=program.weight_bytes)
            if made is not None:
                found = measured(made, {mixed.branches.source: codes})
                taken = {"instructions": found["instructions"], "cycles": found["cycles_estimated"]}
                row = replace(row, **taken, weights=found["sizes"]["weights"], flash=found["flash"])
            yield row


def run_time_bitops(mixed: Mixed, choice: Choice, narrow: Mapping[Place, float]) -> tuple[int, int]:
    """BitOPs of an inference, whole and of the patch stage, where each place is narrow in that share of the inputs."""
    twins = [name for twin in choice.twins.values() for name in twin.nodes]
    stage = float(bitops(mixed.graph, mixed.stage))
    outside = bitops(mixed.graph) - bitops(mixed.graph, [*mixed.stage, *twins])
    for place, share in narrow.items():
        saved = bitops(mixed.graph, mixed.branches.nodes[place]) - bitops(mixed.graph, choice.twins[place].nodes)
        stage -= share * saved
    return round(outside + stage), round(stage)


def _measured(
    row: Row, graph: Graph, board: Board, counted: bool, schedule: str, packing: str, budget: int | None
) -> Row:
    """The row with what firmware takes."""
    try:
        if not counted:
            program = scheduled(graph, board, schedule, False, budget, packing)
            work = _work(row, program.macs)
            return replace(row, **work, arena=program.plan.arena_bytes, weights=program.weight_bytes)
        found = bench(graph, board, schedule=schedule, packing=packing, budget_ram=budget)
    except EdgeqError as error:
        return replace(row, note=str(error).splitlines()[0])
    return replace(
        row,
        **_work(row, found["macs"]),
        arena=found["arena"],
        weights=found["sizes"]["weights"],
        instructions=found["instructions"],
        cycles=found["cycles_estimated"],
        flash=found["flash"],
    )


def _work(row: Row, found: int) -> dict[str, Any]:
    """Multiply-accumulates as a plan does them; nobody counts the BitOPs of those that it does again."""
    return {"macs": found} if found == row.macs else {"macs": found, "bitops": None, "stage_bitops": None}


def accuracy(graph: Graph, x: npt.NDArray[Any], y: npt.NDArray[Any], progress: Progress = silent) -> float:
    """Share of samples whose greatest output is their class, by the emulator."""
    right = 0
    for begin in range(0, len(x), BATCH):
        found = np.asarray(graph.run(x[begin : begin + BATCH]))
        right += int((found.reshape(len(found), -1).argmax(axis=1) == y[begin : begin + BATCH]).sum())
        progress(min(begin + BATCH, len(x)), len(x))
    return right / len(x)
