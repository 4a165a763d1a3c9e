"""Scheduling for firmware: which kernels can run a node row by row, and which parts of a network do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

from edgeq.errors import InputError, UnsupportedError
from edgeq.ir import Graph, Node, Ranges
from edgeq.mcu import ops
from edgeq.mcu.packing import PACKINGS
from edgeq.mcu.step import Step
from edgeq.mcu.storage import storage
from edgeq.passes.split_channels import Split, pairs, split_channels
from edgeq.schedule import Choice, Chooser, Needs, Stretch
from edgeq.schedule.parts import PATCHES
from edgeq.schedule.patch import CUT, whole_name
from edgeq.schedule.rows import row_graph, windows

KINDS = ("layers", "rows", "patches")
#: the most slices of channels that a convolution before a pool runs in
MOST_SLICES = 16
#: rows and columns of the tiles in which inverted blocks run
TILES = tuple((rows, columns) for rows in (1, 2, 3, 4) for columns in (2, 3, 4, 6, 9, 12, 18, 36))
#: patches along rows and columns of what a part makes
GRIDS = tuple((n, m) for n in (1, 2, 3, 4, 6, 8, 9) for m in (1, 2, 3, 4, 6, 8, 9) if n * m > 1)


@dataclass(frozen=True)
class Schedule:
    """How a network is to run.

    kind:  "layers" runs node after node on whole values; "rows" runs parts of it row by row where that helps; "patches"
           runs inverted blocks in them, or whole parts, patch by patch where that helps; what neighbouring patches
           share is computed more than once.
    limit: but for "layers", the most bytes of arena: the least work that fits is taken; None: the least arena.
    pushed: whether the caller pushes the rows of the input (`<net>_push_rows`), so that it is never stored whole.
    packing: which codes of up to 4 bits share bytes: "fast", "all" or "none", see edgeq/mcu/packing.py, or the names of
             these values.
    tight: whether kernels keep their scratch small at the price of instructions; those of "patches" always do.
    """

    kind: str = "layers"
    limit: int | None = None
    pushed: bool = False
    packing: str | frozenset[str] = "fast"
    tight: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"schedule {self.kind!r}: unknown; give one of {', '.join(KINDS)}")
        if isinstance(self.packing, str) and self.packing not in PACKINGS:
            raise InputError(f"packing {self.packing!r}: unknown; give one of {', '.join(PACKINGS)}")
        if self.pushed and self.kind == "layers":
            raise InputError("an input that is pushed by rows needs the schedule 'rows' or 'patches'")


LAYERWISE = Schedule()


@dataclass(frozen=True)
class Chosen:
    """The stretches of a schedule, and why these; bytes: of its worst part."""

    stretches: tuple[Stretch, ...] = ()
    reason: str = ""
    bytes: int = 0


def choose(graph: Graph, needs: Needs, schedule: Schedule) -> Chosen | None:
    """The parts that run by rows; None where the limit cannot be met."""
    if schedule.kind == "layers":
        return Chosen((), "layer by layer")
    chooser = Chooser(graph, needs, fed=schedule.pushed)
    found = chooser.least_ram() if schedule.limit is None else chooser.fitting(schedule.limit)
    if found is None:
        return None
    count = sum(len(s.nodes) for s in found.stretches)
    goal = "the least arena" if schedule.limit is None else f"the least work within {schedule.limit} bytes of arena"
    if not found.stretches:
        return Chosen((), f"layer by layer: {goal}", found.bytes)
    worst = max(found.parts, key=lambda part: part.bytes)
    stretches = "one stretch" if len(found.stretches) == 1 else f"{len(found.stretches)} stretches"
    how = {"layers": "layer by layer", PATCHES: "by patches"}.get(worst.way.kind, "by rows")
    ways = "by rows or patches" if any(stretch.fused for stretch in found.stretches) else "by rows"
    reason = (
        f"{count} of {len(graph.nodes)} nodes run {ways}, in {stretches}: {goal}; "
        f"the largest part, {worst.nodes[0]} to {worst.nodes[-1]} {how}, needs {worst.bytes} bytes"
    )
    return Chosen(found.stretches, reason + _patched(found), found.bytes)


def _patched(found: Choice) -> str:
    """What runs by patches, in words."""
    parts = []
    for stretch in found.stretches:
        parts += [
            f"{patches.nodes[0]} to {patches.nodes[-1]} by {' x '.join(map(str, patches.grid))} patches of "
            f"{' x '.join(map(str, patches.tile))}"
            for patches in stretch.fused
        ]
    if not parts:
        return ""
    return f"; {', '.join(parts)}, so {found.macs} multiply-accumulates are done again"


def splits(graph: Graph, schedule: Schedule) -> Iterator[Split]:
    """The forms of the network to schedule: as it is, then with its last convolutions in more and more slices."""
    found = Split(graph)
    yield found
    if schedule.kind == "layers" or not pairs(graph):
        return
    parts, most = found.parts, 2
    while most <= MOST_SLICES:
        found, most = split_channels(graph, most), 2 * most
        if found.parts > parts:
            parts = found.parts
            yield found


def _part_of_a_byte(graph: Graph, node: Node) -> str | None:
    """A reason why rows of packed values are no whole bytes, so that none could lie alone."""
    for value in (*graph.ins(node), *graph.outs(node)):
        bits, codes = storage(value.format).bits, prod(value.shape[1:])
        if not value.constant and bits * codes % 8:
            return f"a row of {value.name} is {codes} codes of {bits} bits, no whole bytes"
    return None


def row_steps(
    graph: Graph, ranges: Ranges, features: Iterable[str], *, tight: bool = False
) -> tuple[dict[str, Step], dict[str, str]]:
    """The kernel call of one row of each node that has one, tight: with little scratch; and why others have none."""
    found: dict[str, Step] = {}
    refused: dict[str, str] = {}
    for node in graph.nodes:
        seen = windows(graph, node)
        part = _part_of_a_byte(graph, node)
        if isinstance(seen, str) or part is not None:
            refused[node.name] = seen if isinstance(seen, str) else str(part)
            continue
        small, one = row_graph(graph, node)
        try:
            step = ops.lower(small, one, ranges, features, tight=tight)
        except UnsupportedError as error:
            refused[node.name] = str(error)
            continue
        if step is None or step.inputs != tuple(w.value for w in seen):
            refused[node.name] = "its kernel reads its inputs in another order"
        else:
            found[node.name] = step
    return found, refused


def tile_steps(graph: Graph, ranges: Ranges, features: Iterable[str]) -> dict[str, Step] | str:
    """The kernel call of each node of a tile's graph, or why there is none; ranges of the whole network hold for it."""
    found: dict[str, Step] = {}
    parts = {name: ranges.values[whole_name(v)] for name, v in graph.values.items() if CUT in name}
    ranges = replace(ranges, values={**ranges.values, **parts})
    for node in graph.nodes:
        if node.op == "slice":  # what a node needs of a wider map: no kernel, a copy
            continue
        try:
            step = ops.lower(graph, node, ranges, features, tight=True)
        except UnsupportedError as error:
            return str(error)
        if step is None:
            return f"{node.label}: a tile has no kernel for it"
        found[node.name] = step
    return found
