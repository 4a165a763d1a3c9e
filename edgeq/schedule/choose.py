"""Choosing how each part of a network runs: layer by layer or by rows, for least RAM, or least work within a RAM limit.

Where only one value is alive, a network can be cut: what runs before and after shares nothing but that value. Every way
to run it is a path over the cuts, whose edges are one part run layer by layer, or several run as one stretch by rows,
and where the backend can fuse steps one such stretch for each width of tiles, with all its inverted blocks fused.
The arena of a path is that of its worst edge, its work the sum of their extra work, so both searches are exact over
these edges: shortest paths by Dijkstra's algorithm, with edges evaluated only when a lower bound makes them the next.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgeq.errors import BudgetError, GraphError
from edgeq.ir import Graph, Node
from edgeq.schedule.fuse import expanding, extra_macs, fuse
from edgeq.schedule.patch import Patches
from edgeq.schedule.plan import make_plan, reshape_aliases
from edgeq.schedule.rows import windows
from edgeq.schedule.stream import ALIGNMENT, RowStep, Stretch, make_stretch, run_stretch

#: instructions that one row of a node costs, its kernel's start included, and that moving or copying a byte costs:
#: rounded from what ResNet-8 and MobileNetV2 took more by rows on a Cortex-M4 (benchmarks/schedules.py)
ROW_CALL, ROW_BYTE = 600.0, 0.7
#: instructions of a multiply-accumulate that is done again, about: of pointwise and depthwise kernels of bytes, M4
HALO_MAC = 2.0


#: the ways to run a part: layer by layer, by rows, and from 1 with blocks fused in tiles of so many columns
LAYERS, ROWS = -1, 0

#: in place of a value: a cut at an end of the network that is no single value
NOWHERE = ""


@dataclass(frozen=True)
class Needs:
    """What a backend says of a graph's nodes.

    sizes: bytes of each value; in_place, aliases, scratch: as `make_plan` takes them; row_scratch: the same for the
    kernels of one row; refused: node name -> why the backend cannot run it by rows; extra: instructions of work that a
    node is beside the network's own; tiles: columns of a tile in which the backend can run fused steps, none where it
    cannot; a tile's kernels are taken to need the scratch of a row's.
    """

    sizes: Mapping[str, int]
    in_place: Mapping[str, Sequence[str]] = field(default_factory=dict)
    aliases: Mapping[str, str] | None = None
    scratch: Mapping[str, int] = field(default_factory=dict)
    row_scratch: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)
    tiles: Sequence[int] = ()


@dataclass(frozen=True)
class Part:
    """An edge: the nodes between two cuts and how they run. work: extra instructions, about; bytes: of the arena.

    macs: multiply-accumulates that are done again.
    """

    nodes: tuple[str, ...]
    stretch: Stretch | None
    bytes: int
    work: float
    macs: int = 0


@dataclass(frozen=True)
class Choice:
    """A whole network in parts; bytes: of its worst part, before placement; work: extra instructions, about."""

    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        return max((part.bytes for part in self.parts), default=0)

    @property
    def work(self) -> float:
        return sum(part.work for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that are done again."""
        return sum(part.macs for part in self.parts)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The parts that run by rows."""
        return tuple(part.stretch for part in self.parts if part.stretch is not None)


class Chooser:
    """The parts of one network, evaluated when they are asked for and kept."""

    def __init__(self, graph: Graph, needs: Needs, *, fed: bool = False) -> None:
        self.graph, self.needs, self.fed = graph, needs, fed
        self.cuts = _ended(cuts(graph), len(graph.nodes))
        self.last = len(self.cuts) - 1
        if fed:
            self._check_fed()
        self.ways = (LAYERS, ROWS, *needs.tiles)
        self._blocks = expanding(graph) if needs.tiles else []
        self._found: dict[tuple[int, int, int], Part | None] = {}
        self._fused: dict[tuple[str, int], Patches | None] = {}
        self._row_bytes = {
            name: size // graph.values[name].shape[0] for name, size in needs.sizes.items() if graph.values[name].shape
        }
        self._reads = {node.name: windows(graph, node) for node in graph.nodes}
        self._reads |= needs.refused

    def _check_fed(self) -> None:
        """Refuse a network that has no one input to push."""
        if len(self.graph.inputs) != 1 or self.cuts[0][1] == NOWHERE:
            raise GraphError(f"{self.graph.name}: only the one input of a network can be pushed by rows")

    def least_ram(self) -> Choice:
        """The parts whose worst needs the fewest bytes, and of those with as few the one of least work."""
        return self.within(self._least_bytes())

    def within(self, limit: int) -> Choice:
        """The parts of least work of which each fits in `limit` bytes; BudgetError where there are none."""
        found = self._search(lambda part: part.work, self._work_bound, limit)
        if found is None:
            raise BudgetError(
                f"{self.graph.name}: no schedule fits {limit} bytes of arena; the least is {self._least_bytes()} bytes"
            )
        return found

    def front(self) -> Iterator[Choice]:
        """Every point of the front of RAM against work, from least work to least RAM."""
        limit = 1 << 62
        while True:
            try:
                found = self.within(limit)
            except BudgetError:
                return
            yield found
            limit = found.bytes - ALIGNMENT

    def _least_bytes(self) -> int:
        found = self._search(lambda part: float(part.bytes), self._bytes_bound, None)
        if found is None:
            raise GraphError(f"{self.graph.name}: its input cannot be pushed by rows: {self._why_not_fed()}")
        return found.bytes

    def _why_not_fed(self) -> str:
        first = [n for n in self.graph.nodes if self.graph.inputs[0] in n.inputs]
        reasons = [reason for n in first if isinstance(reason := self._reads[n.name], str)]
        return reasons[0] if reasons else "its first layers do not lead from one value to one value"

    def _search(
        self, weight: Callable[[Part], float], bound: Callable[[int, int, int], float | None], limit: int | None
    ) -> Choice | None:
        """The path of least weight: the sum of the parts' under a limit, without one their greatest."""

        def join(a: float, b: float) -> float:
            return max(a, b) if limit is None else a + b

        queue: list[tuple[float, int, int, int, bool]] = [(0.0, 0, -1, LAYERS, True)]
        came: dict[int, tuple[int, int]] = {}
        reached: dict[int, float] = {}
        while queue:
            cost, to, start, way, known = heapq.heappop(queue)
            if to in reached:
                continue
            if not known:
                part = self.part(start, to, way)
                if part is not None and (limit is None or part.bytes <= limit):
                    heapq.heappush(queue, (join(reached[start], weight(part)), to, start, way, True))
                continue
            reached[to], came[to] = cost, (start, way)
            if to == self.last:
                return self._path(came)
            for then in range(to + 1, self.last + 1):
                for then_way in self.ways:
                    least = bound(to, then, then_way)
                    fits = limit is None or (self._bytes_bound(to, then, then_way) or 0.0) <= limit
                    if least is not None and fits:
                        heapq.heappush(queue, (join(cost, least), then, to, then_way, False))
        return None

    def _path(self, came: Mapping[int, tuple[int, int]]) -> Choice:
        at, parts = self.last, []
        while at != 0:
            start, way = came[at]
            part = self.part(start, at, way)
            assert part is not None
            parts.append(part)
            at = start
        return Choice(tuple(reversed(parts)))

    def _nodes(self, i: int, j: int) -> tuple[Node, ...]:
        return self.graph.nodes[self.cuts[i][0] : self.cuts[j][0]]

    def _blocks_of(self, i: int, j: int) -> list[tuple[Node, ...]]:
        """The blocks that lie between two cuts."""
        start, end = self.cuts[i][0], self.cuts[j][0]
        return [self.graph.nodes[k : k + n] for k, n in self._blocks if start <= k and k + n <= end]

    def _bytes_bound(self, i: int, j: int, way: int) -> float | None:
        """Fewer bytes the part cannot need; None where it is no edge."""
        if way == LAYERS:
            return 0.0 if j == i + 1 and not (self.fed and i == 0) else None
        if NOWHERE in (self.cuts[i][1], self.cuts[j][1]):
            return None
        total = self._whole(i) + self._whole(j)
        tallest: dict[str, int] = {}
        blocks = self._blocks_of(i, j) if way > ROWS else []
        if way > ROWS and not blocks:
            return None
        fused = {node.name for block in blocks for node in block}
        for node in self._nodes(i, j):
            seen = self._reads[node.name]
            if isinstance(seen, str):
                return None
            for window in seen if node.name not in fused else ():
                tallest[window.value] = max(tallest.get(window.value, 0), window.rows)
        source = self.cuts[i][1]
        return float(total + sum(self._row_bytes[v] * n for v, n in tallest.items() if v != source))

    def _work_bound(self, i: int, j: int, way: int) -> float | None:
        if self._bytes_bound(i, j, way) is None:
            return None
        if way == LAYERS:
            return 0.0
        skipped = {node.name for block in self._blocks_of(i, j) for node in block} if way > ROWS else set()
        rows = sum(self.graph.outs(n)[0].shape[0] for n in self._nodes(i, j) if n.name not in skipped)
        return ROW_CALL * rows

    def _whole(self, cut: int) -> int:
        """Bytes of the value at a cut; none where its rows are pushed."""
        return 0 if self.fed and cut == 0 else _up(self.needs.sizes[self.cuts[cut][1]])

    def part(self, i: int, j: int, way: int) -> Part | None:
        """The part between two cuts, run in one of the `ways`; None where it cannot run so."""
        key = (i, j, way)
        if key not in self._found:
            self._found[key] = self._layerwise(i, j) if way == LAYERS else self._by_rows(i, j, way)
        return self._found[key]

    def _layerwise(self, i: int, j: int) -> Part:
        nodes = self._nodes(i, j)
        names = {n for node in nodes for n in (*node.inputs, *node.outputs)}
        values = {n: v for n, v in self.graph.values.items() if n in names}
        first, last = self.cuts[i][1], self.cuts[j][1]
        inputs = self.graph.inputs if first == NOWHERE else (first,)
        outputs = tuple(o for o in self.graph.outputs if o in values) if last == NOWHERE else (last,)
        values |= {name: self.graph.values[name] for name in inputs}
        part = Graph(self.graph.name, nodes, values, inputs, outputs)
        shared = reshape_aliases(part) if self.needs.aliases is None else self.needs.aliases
        plan = make_plan(
            part,
            {n: s for n, s in self.needs.sizes.items() if n in values},
            {n.name: self.needs.in_place.get(n.name, ()) for n in nodes},
            aliases={n: host for n, host in shared.items() if n in values and host in values},
            scratch={n.name: self.needs.scratch.get(n.name, 0) for n in nodes},
        )
        return Part(tuple(n.name for n in nodes), None, plan.arena_bytes, self._extra(nodes))

    def _fuse(self, block: tuple[Node, ...], columns: int) -> Patches | None:
        key = (block[-1].name, columns)
        if key not in self._fused:
            self._fused[key] = fuse(self.graph, block, columns, self.needs.sizes, self.needs.row_scratch)
        return self._fused[key]

    def _by_rows(self, i: int, j: int, way: int) -> Part | None:
        nodes = self._nodes(i, j)
        blocks = self._blocks_of(i, j) if way > ROWS else []
        fused = [made for block in blocks if (made := self._fuse(block, way)) is not None]
        if way > ROWS and not fused:
            return None
        inside = {name for patches in fused for name in patches.nodes}
        scratch = max((self.needs.row_scratch.get(n.name, 0) for n in nodes if n.name not in inside), default=0)
        stretch = make_stretch(
            self.graph,
            nodes,
            self._row_bytes,
            name=f"rows_{i}",
            fed=self.fed and i == 0,
            scratch=scratch,
            fused=fused,
        )
        if isinstance(stretch, str):
            return None
        total = self._whole(i) + self._whole(j) + _up(stretch.bytes)
        tally = _Tally(stretch)
        run_stretch(stretch, tally)
        work = ROW_CALL * tally.calls + ROW_BYTE * tally.bytes + self._extra(nodes)
        macs = sum(extra_macs(self.graph, patches) for patches in fused)
        return Part(stretch.nodes, stretch, total, work + HALO_MAC * macs, macs)

    def _extra(self, nodes: Sequence[Node]) -> float:
        return sum(self.needs.extra.get(node.name, 0.0) for node in nodes)


def _ended(found: list[tuple[int, str]], nodes: int) -> list[tuple[int, str]]:
    """Cuts with the ends of the network among them, which several values may cross: only layers run up to those."""
    start = [] if found and found[0][0] == 0 else [(0, NOWHERE)]
    end = [] if found and found[-1][0] == nodes else [(nodes, NOWHERE)]
    return [*start, *found, *end]


def cuts(graph: Graph) -> list[tuple[int, str]]:
    """Where only one value is alive: how many nodes have run, and the value."""
    readers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        readers |= dict.fromkeys(node.inputs, index)
    readers |= dict.fromkeys(graph.outputs, len(graph.nodes))
    alive = {name for name in graph.inputs if name in readers}
    found = [(0, min(alive))] if len(alive) == 1 else []
    for index, node in enumerate(graph.nodes):
        alive = {name for name in alive | set(node.outputs) if readers.get(name, -1) > index}
        if len(alive) == 1:
            found.append((index + 1, min(alive)))
    return found


class _Tally:
    """Counts what running by rows costs beside the kernels."""

    def __init__(self, stretch: Stretch) -> None:
        self.each = {name: rows.row_bytes for name, rows in stretch.rows.items()}
        self.calls = self.bytes = 0

    def fill(self, value: str, slot: int) -> None:
        """A row of padding is written."""
        self.bytes += self.each[value]

    def move(self, value: str, slot: int, count: int) -> None:
        """Rows are moved."""
        self.bytes += count * self.each[value]

    def push(self, value: str, slot: int, row: int) -> None:
        """A row is copied."""
        self.bytes += self.each[value]

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int) -> None:
        """A kernel is called, or those of a fused step for each tile, which is copied in and out."""
        if step.patches is None:
            self.calls += 1
            return
        tiles = step.patches.grid[1]
        self.calls += tiles * len(step.patches.graph.nodes)
        self.bytes += tiles * sum(step.patches.plan.buffers[n].bytes for n in (step.patches.source, step.output))


def _up(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT
