"""Stream: a stretch of nodes that runs row by row, each value in a few rows of room, nothing computed twice.

Every value of the stretch is a `Rows`: a window of consecutive rows that moves down the feature map. Room for the next
row is made by moving the rows that are still needed to the front, so a window always lies in one piece and the kernels
of whole tensors run on it as they are. Padding rows lie in the buffer like any other.

A step may also be several nodes fused (`RowStep.patches`): some rows of the last one's output are computed patch by
patch of their columns, each from all that it needs of the rows of the source, so that the maps between the nodes are
never there for a whole row; what neighbouring patches share of them is computed again. A stretch of one such step is
what is known as patch-based inference.

The machine is the same in C (firmware/include/edgeq_stream.h): of all nodes that can run, the one farthest from the
input runs first, so rows die as early as they can. It is a network of processes with bounded queues, so its results do
not depend on the capacities; too small a capacity stops it, which `check_stretch` finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node
from edgeq.schedule.rows import Window, windows

if TYPE_CHECKING:
    from edgeq.schedule.patch import Patches

#: of everything in the arena, in bytes
ALIGNMENT = 8
#: bytes of state of each value and of each node while a stretch runs
STATE_BYTES = 4
#: rows are counted in 16 bits
MOST_ROWS = (1 << 15) - 1


@dataclass(frozen=True)
class Rows:
    """A value as a window of rows.

    height:   rows of the value; capacity: rows of room, `height` where it is stored whole.
    top, bottom: rows of padding above and below that readers ask for; fill: the code in them.
    row_bytes: of one row; offset: from the start of the stretch's area, None where the value has a place of its own.
    """

    value: str
    height: int
    row_bytes: int
    capacity: int
    top: int = 0
    bottom: int = 0
    fill: int = 0
    offset: int | None = None

    @property
    def bytes(self) -> int:
        """Bytes of the room."""
        return self.capacity * self.row_bytes


@dataclass(frozen=True)
class RowStep:
    """A node of a stretch: the windows that it reads and the value that it writes, one row at a time.

    patches: where several nodes are fused, of which `node` is the last, and a row of patches is made at a time.
    """

    node: str
    reads: tuple[Window, ...]
    output: str
    patches: Patches | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that it runs."""
        return (self.node,) if self.patches is None else self.patches.nodes

    @property
    def height(self) -> int:
        """Rows that it makes at a time."""
        return 1 if self.patches is None else self.patches.tile[0]


@dataclass(frozen=True)
class Stretch:
    """Nodes that run by rows, from one value to one value.

    source: where rows come from; fed: "rows" where the caller pushes them, "copied" where they are copied from the
            whole value because padding has to surround them, "whole" where they are read in place.
    output: stored whole; rows: every value of the stretch; steps: in execution order, the deepest last.
    bytes:  of the area that the stretch needs while it runs: state, then `scratch` bytes for kernels, then the rows.
    """

    name: str
    source: str
    fed: str
    output: str
    steps: tuple[RowStep, ...]
    rows: Mapping[str, Rows]
    scratch: int
    bytes: int

    @property
    def state_bytes(self) -> int:
        """Bytes of the machine's state, at the start of the area."""
        return STATE_BYTES * (len(self.rows) + len(self.steps))

    @property
    def scratch_offset(self) -> int:
        """Where the kernels' scratch starts in the area."""
        return -(-self.state_bytes // ALIGNMENT) * ALIGNMENT

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(name for step in self.steps for name in step.nodes)

    @property
    def fused(self) -> tuple[Patches, ...]:
        """The patches of its steps that are several nodes."""
        return tuple(step.patches for step in self.steps if step.patches is not None)

    @property
    def inside(self) -> frozenset[str]:
        """Values that only live inside it."""
        ends = {self.output} if self.fed == "rows" else {self.source, self.output}
        return frozenset(self.rows).union(*(patches.inside for patches in self.fused)) - ends

    def to_json(self) -> dict[str, Any]:
        """The stretch as a JSON object."""
        rows = {n: {"rows": r.capacity, "of": r.height, "bytes": r.bytes} for n, r in self.rows.items()}
        return {
            "name": self.name,
            "nodes": list(self.nodes),
            "source": self.source,
            "fed": self.fed,
            "output": self.output,
            "bytes": self.bytes,
            "rows": rows,
            "fused": [patches.to_json() for patches in self.fused],
        }


class Machine(Protocol):
    """What happens to memory while a stretch runs; `slot` is the place of a row inside the value's room."""

    def fill(self, value: str, slot: int) -> None:
        """Write a row of padding."""

    def move(self, value: str, slot: int, count: int) -> None:
        """Move `count` rows from `slot` to the front."""

    def push(self, value: str, slot: int, row: int) -> None:
        """Write a row of the source."""

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int, count: int) -> None:
        """Run a step: `slots` are where its windows start, `out` where the new rows go.

        row: the first that it makes; only the last `count` of them are new.
        """


class Nothing:
    """A machine that only goes through the motions."""

    def fill(self, value: str, slot: int) -> None:
        """Nothing."""

    def move(self, value: str, slot: int, count: int) -> None:
        """Nothing."""

    def push(self, value: str, slot: int, row: int) -> None:
        """Nothing."""

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int, count: int) -> None:
        """Nothing."""


def run_stretch(stretch: Stretch, machine: Machine) -> dict[str, int]:
    """Run all rows of a stretch; returns the most rows that each value held. GraphError where it stops early."""
    return _Run(stretch, machine).run()


class _Run:
    """The state of a running stretch: row numbers of each value's front and end, and each step's next row.

    Where the rows that a step makes at a time do not divide its output, the last ones are shifted back into it: some
    are made again, but not written.
    """

    def __init__(self, stretch: Stretch, machine: Machine) -> None:
        self.stretch, self.machine = stretch, machine
        self.base = {name: -rows.top for name, rows in stretch.rows.items()}
        self.next = dict(self.base)
        self.held = dict.fromkeys(stretch.rows, 0)
        self.row = [0] * len(stretch.steps)
        self.readers: dict[str, list[tuple[int, Window]]] = {name: [] for name in stretch.rows}
        for i, step in enumerate(stretch.steps):
            for window in step.reads:
                self.readers[window.value].append((i, window))

    def run(self) -> dict[str, int]:
        stretch = self.stretch
        source = stretch.rows[stretch.source]
        for name, rows in stretch.rows.items():
            for _ in range(rows.top):
                self._pad(name)
        if stretch.fed == "whole":
            self.next[stretch.source] = source.height
            self._advance()
        else:
            for row in range(source.height):
                slot = self._room(stretch.source)
                if slot is None:
                    raise GraphError(f"plan: {stretch.name} has no room for row {row} of {stretch.source}")
                self.machine.push(stretch.source, slot, row)
                self._written(stretch.source)
                self._advance()
        for step, row in zip(stretch.steps, self.row, strict=True):
            if row != stretch.rows[step.output].height:
                raise GraphError(f"plan: {stretch.name} stops before row {row} of {step.node}")
        return self.held

    def _advance(self) -> None:
        """Run what can run, the deepest first."""
        at = len(self.stretch.steps) - 1
        while at >= 0:
            if self._try(at):
                # What is deeper could not run before, so only readers of the new row may now.
                output = self.stretch.steps[at].output
                at = max((i for i, _ in self.readers[output]), default=at)
            else:
                at -= 1

    def _try(self, index: int) -> bool:
        step = self.stretch.steps[index]
        if self._done(index):
            return False
        spans = [self._span(index, window) for window in step.reads]
        if not all(self._reaches(w.value, end) for w, (_, end) in zip(step.reads, spans, strict=True)):
            return False
        row = self._first(index)
        count = row + step.height - self.row[index]
        out = self._room(step.output, count)
        if out is None:
            return False
        slots = [first - self.base[w.value] for w, (first, _) in zip(step.reads, spans, strict=True)]
        if min(slots) < 0:
            raise GraphError(f"plan: {self.stretch.name} lost a row that {step.node} needs")
        self.machine.step(step, slots, out, row, count)
        self._written(step.output, count)
        self.row[index] += count
        return True

    def _done(self, index: int) -> bool:
        return self.row[index] == self.stretch.rows[self.stretch.steps[index].output].height

    def _first(self, index: int) -> int:
        """The first row that a step makes next."""
        step = self.stretch.steps[index]
        return min(self.row[index], self.stretch.rows[step.output].height - step.height)

    def _span(self, index: int, window: Window) -> tuple[int, int]:
        """The rows of a window that a step reads next."""
        return window.span(self._first(index), self.stretch.rows[window.value].height)

    def _reaches(self, value: str, end: int) -> bool:
        """Whether all rows before `end` are there; rows below the last are made when they are asked for."""
        height = self.stretch.rows[value].height
        while height <= self.next[value] < end:
            if self._room(value) is None:
                return False
            self._pad(value)
        return self.next[value] >= end

    def _pad(self, value: str) -> None:
        slot = self._room(value)
        if slot is None:
            raise GraphError(f"plan: {self.stretch.name} has no room for the padding of {value}")
        self.machine.fill(value, slot)
        self._written(value)

    def _written(self, value: str, count: int = 1) -> None:
        self.next[value] += count
        self.held[value] = max(self.held[value], self.next[value] - min(self._needed(value), self.next[value]))

    def _needed(self, value: str) -> int:
        """The first row that some reader still needs."""
        first = MOST_ROWS
        for index, window in self.readers[value]:
            if not self._done(index):
                first = min(first, self._span(index, window)[0])
        return first

    def _room(self, value: str, count: int = 1) -> int | None:
        """Where the next rows go, after moving what is still needed to the front; None where there is no room."""
        base, end, capacity = self.base[value], self.next[value], self.stretch.rows[value].capacity
        if end - base + count > capacity:
            keep = min(max(self._needed(value), base), end)
            if end - keep + count > capacity:
                return None
            if end > keep:
                self.machine.move(value, keep - base, end - keep)
            self.base[value] = keep
        return end - self.base[value]


def contracted(graph: Graph, stretches: Sequence[Stretch]) -> Graph:
    """The graph with each stretch as one node, which takes its source unless that is pushed; for memory plans only."""
    inside = {name: stretch for stretch in stretches for name in stretch.nodes}
    gone = {name for stretch in stretches for name in stretch.inside}
    nodes = []
    for node in graph.nodes:
        stretch = inside.get(node.name)
        if stretch is None:
            nodes.append(node)
        elif node.name == stretch.nodes[-1]:
            sources = () if stretch.fed == "rows" else (stretch.source,)
            nodes.append(Node("stretch", stretch.name, sources, (stretch.output,), source=node.source))
    values = {name: value for name, value in graph.values.items() if name not in gone}
    return graph.replace(
        nodes=tuple(nodes), values=values, inputs=tuple(name for name in graph.inputs if name not in gone)
    )


def check_stretch(stretch: Stretch, graph: Graph) -> None:
    """Raise GraphError unless every window is what its node needs, nothing overlaps, and all rows get through."""
    nodes = {n.name: n for n in graph.nodes}
    for step in stretch.steps:
        seen = _reads(graph, nodes[step.node], step.patches)
        if isinstance(seen, str):
            raise GraphError(f"plan: {step.node} cannot run by rows: {seen}")
        if seen != step.reads or (step.output,) != nodes[step.node].outputs:
            raise GraphError(f"plan: {step.node} reads {step.reads}, needs {seen}")
        for window in seen:
            rows = stretch.rows[window.value]
            outside = rows.top < window.top or rows.bottom < window.bottom or rows.fill != window.fill
            if (window.padded and outside) or (not window.clipped and rows.capacity < window.rows):
                raise GraphError(f"plan: the rows of {window.value} do not hold a window of {step.node}")
    inside = sorted((r for r in stretch.rows.values() if r.offset is not None), key=lambda r: r.offset or 0)
    end = stretch.scratch_offset + stretch.scratch
    for rows in inside:
        assert rows.offset is not None
        if rows.offset < end:
            raise GraphError(f"plan: rows of {rows.value} share bytes with others of {stretch.name}")
        end = rows.offset + rows.bytes
    if end > stretch.bytes:
        raise GraphError(f"plan: {stretch.name} has {stretch.bytes} bytes, needs {end}")
    run_stretch(stretch, Nothing())


def make_stretch(
    graph: Graph,
    nodes: Sequence[Node],
    row_bytes: Mapping[str, int],
    *,
    name: str = "rows",
    fed: bool = False,
    scratch: int = 0,
    fused: Sequence[Patches] = (),
) -> Stretch | str:
    """The stretch of `nodes` (in execution order, from one value to one value), or why there is none.

    row_bytes: bytes of a row of every feature map; fed: whether the caller pushes the source's rows; scratch: most
    bytes that a kernel of the stretch needs; fused: nodes of the stretch that run as one step, a row of patches a time.
    """
    last = {patches.nodes[-1]: patches for patches in fused}
    inner = {name for patches in fused for name in patches.nodes[:-1]}
    steps: list[RowStep] = []
    for node in (n for n in nodes if n.name not in inner):
        seen = _reads(graph, node, last.get(node.name))
        if isinstance(seen, str):
            return f"{node.label}: {seen}"
        steps.append(RowStep(node.name, seen, node.outputs[0], last.get(node.name)))
    made = {step.output for step in steps}
    names = {name for step in steps for name in step.nodes}
    read = [window for step in steps for window in step.reads]
    scratch = max(scratch, *(p.bytes for p in fused)) if fused else scratch
    sources = {w.value for w in read} - made
    ends = [o for o in made if o in graph.outputs or not {c.name for c in graph.consumers(o)} <= names]
    if any(not graph.consumers(o) for o in made - set(ends)):
        return "it computes what nobody reads"
    if len(sources) != 1 or len(ends) != 1 or any(w.value == ends[0] for w in read):
        return "it does not lead from one value to one value"
    (source,), (output,) = sources, ends
    rows: dict[str, Rows] = {}
    for value in (source, *(step.output for step in steps)):
        found = _rows(graph, value, row_bytes[value], [w for w in read if w.value == value])
        if isinstance(found, str):
            return found
        rows[value] = found
    padded = rows[source].top or rows[source].bottom
    how = "rows" if fed else "copied" if padded else "whole"
    return _sized(Stretch(name, source, how, output, tuple(steps), rows, scratch, 0))


def _reads(graph: Graph, node: Node, patches: Patches | None) -> tuple[Window, ...] | str:
    """The windows of a step: of its node, or of the rows that a row of patches needs of their source."""
    if patches is None:
        return windows(graph, node)
    if patches.nodes[-1] != node.name:
        return "its patches end elsewhere"
    span = patches.regions[patches.source].rows
    return (Window(patches.source, span.size, span.scale, -span.offset, clipped=True),)


def _rows(graph: Graph, value: str, row_bytes: int, seen: Sequence[Window]) -> Rows | str:
    height = graph.values[value].shape[0]
    padded = [w for w in seen if w.padded]
    top, bottom = max((w.top for w in padded), default=0), max((w.bottom for w in padded), default=0)
    fills = {w.fill for w in padded}
    if len(fills) > 1:
        return f"{value} is padded with different codes"
    if height + top + bottom > MOST_ROWS or any(w.rows + w.stride > MOST_ROWS for w in seen):
        return f"{value} has too many rows"
    return Rows(value, height, row_bytes, height + top + bottom, top, bottom, fills.pop() if fills else 0)


def _sized(stretch: Stretch) -> Stretch:
    """The stretch with the least capacities that its order needs, and places in its area."""

    def up(count: int) -> int:
        return -(-count // ALIGNMENT) * ALIGNMENT

    held = run_stretch(stretch, Nothing())
    whole = {stretch.output, *((stretch.source,) if stretch.fed == "whole" else ())}
    at = stretch.scratch_offset + up(stretch.scratch)
    rows = dict(stretch.rows)
    for name, one in stretch.rows.items():
        if name not in whole:
            rows[name] = replace(one, capacity=held[name], offset=at)
            at += up(held[name] * one.row_bytes)
    return replace(stretch, rows=rows, bytes=at)
