"""Costs of patches: the mixed network beside the same patches with 8 bits, layer by layer and by rows, in one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.mcu.program import make_program
from edgeq.mcu.scheduling import Schedule
from edgeq.progress import Progress, silent
from edgeq.search.patches import Mixed, bitops, macs

#: samples that run at once where accuracy is measured
BATCH = 8


@dataclass(frozen=True)
class Row:
    """One way to run the network.

    way: what; bits: "8" or "mixed"; macs, bitops: of one inference (bitops None where a plan by rows computes more than
    the graph says); stage_bitops: of the patch stage alone; arena: bytes of RAM planned; weights: bytes of constants;
    instructions, cycles, flash: of the firmware, None where not measured; accuracy: share of test samples that are
    right; note: why a figure is missing.
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
        ("layer by layer", mixed.whole, Schedule("layers"), stage, eight),
        ("by rows", mixed.whole, Schedule("rows"), stage, eight),
        ("patches", mixed.baseline, Schedule("layers"), mixed.stage, eight),
        ("patches", mixed.graph, Schedule("layers"), mixed.stage, narrow),
        ("patches, all packed", mixed.graph, Schedule("layers", packing="all"), mixed.stage, narrow),
    )
    for way, graph, schedule, nodes, right in ways if baselines else ways[3:]:
        bits = "mixed" if graph is mixed.graph else "8"
        found = Row(way, bits, macs(graph), bitops(graph), bitops(graph, nodes), accuracy=right)
        yield _measured(found, graph, board, schedule, counted)


def _measured(row: Row, graph: Graph, board: Board, schedule: Schedule, counted: bool) -> Row:
    """The row with what firmware takes."""
    from edgeq.mcu.bench import bench

    try:
        if not counted:
            program = make_program(graph, board, schedule)
            work = _work(row, program.macs)
            return replace(row, **work, arena=program.plan.arena_bytes, weights=program.weight_bytes)
        found = bench(graph, board, schedule=schedule.kind, packing=schedule.packing)
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
