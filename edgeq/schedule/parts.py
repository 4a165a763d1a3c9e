"""Parts: the ways to run the nodes between two cuts of a network, and the bytes and extra work that each takes.

Where only one value is alive, a network can be cut: what runs before and after shares nothing but that value. A part is
evaluated when it is asked for and kept; lower bounds, which are cheap, tell whether to ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node, operator
from edgeq.schedule.fuse import blocks, extra_macs, fuse
from edgeq.schedule.patch import Lower, Patches, Region, grow, refused
from edgeq.schedule.plan import make_plan, reshape_aliases
from edgeq.schedule.rows import windows
from edgeq.schedule.stream import ALIGNMENT, Nothing, RowStep, Stretch, make_stretch, run_stretch

#: instructions that one row of a node costs, its kernel's start included, and that moving or copying a byte costs:
#: rounded from what ResNet-8 and MobileNetV2 took more by rows on a Cortex-M4 (benchmarks/schedules.py)
ROW_CALL, ROW_BYTE = 600.0, 0.7
#: instructions of a multiply-accumulate that is done again, about, where the backend does not say what kernels take: of
#: pointwise and depthwise kernels of bytes on a Cortex-M4
HALO_MAC = 2.0
#: and that a call of a kernel in a patch costs beside the kernel: operands and padding around its map
TILE_CALL = 100.0

#: in place of a value: a cut at an end of the network that is no single value
NOWHERE = ""


@dataclass(frozen=True, order=True)
class Way:
    """A way to run a part: layer by layer, by rows, by rows with its blocks in tiles, or by patches.

    size: of tiles their rows, and 0: columns are chosen for each block; of patches how many there are along both.
    """

    kind: str
    size: tuple[int, int] = (0, 0)


LAYERS, ROWS, TILES, PATCHES = Way("layers"), Way("rows"), "tiles", "patches"


@dataclass(frozen=True)
class Needs:
    """What a backend says of a graph's nodes.

    sizes: bytes of each value; in_place, aliases, scratch: as `make_plan` takes them; row_scratch: the same for the
    kernels of one row; refused: node name -> why the backend cannot run it by rows; extra: instructions of work that a
    node is beside the network's own; tiles: rows and columns of a tile in which the backend can run fused blocks, and
    grids: of patches in which it can run a part, none where it cannot; lower: what it says of the graph of a tile or
    patch; instructions: node name -> what its kernel takes, about, where known.
    """

    sizes: Mapping[str, int]
    in_place: Mapping[str, Sequence[str]] = field(default_factory=dict)
    aliases: Mapping[str, str] | None = None
    scratch: Mapping[str, int] = field(default_factory=dict)
    row_scratch: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)
    tiles: Sequence[tuple[int, int]] = ()
    grids: Sequence[tuple[int, int]] = ()
    lower: Lower | None = None
    instructions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The nodes between two cuts and how they run.

    bytes: of the arena; work: extra instructions, about; macs: multiply-accumulates that are done again; fused: its
    steps that are several nodes; stretch: how it runs, where it is more than layers, made for the parts that are taken.
    """

    nodes: tuple[str, ...]
    way: Way
    bytes: int
    work: float
    macs: int = 0
    fused: tuple[Patches, ...] = ()
    stretch: Stretch | None = None


@dataclass(frozen=True)
class Step:
    """Some nodes as one step of a stretch; work: its calls, what is copied in and out, and what is done again."""

    patches: Patches
    macs: int
    work: float


@dataclass(frozen=True)
class Bound:
    """Fewer bytes, and less extra work, a part cannot take."""

    bytes: int = 0
    work: float = 0.0


@dataclass(frozen=True)
class _Bare:
    """A part without its fused steps: bytes without those that kernels and tiles share, and its work."""

    bytes: int
    scratch: int
    work: float


class Parts:
    """The parts of one network; fed: whether the caller pushes the rows of its input."""

    def __init__(self, graph: Graph, needs: Needs, fed: bool) -> None:
        self.graph, self.needs, self.fed = graph, needs, fed
        self.cuts = _ended(cuts(graph), len(graph.nodes))
        heights = sorted({rows for rows, _ in needs.tiles})
        self.ways = (LAYERS, ROWS, *(Way(TILES, (n, 0)) for n in heights), *(Way(PATCHES, n) for n in needs.grids))
        self.reads = {node.name: windows(graph, node) for node in graph.nodes}
        self.reads |= needs.refused
        self._blocks = blocks(graph) if needs.tiles else []
        self._layers: dict[int, Part] = {}
        self._bare: dict[tuple[int, int, Way], _Bare | None] = {}
        self._bounds: dict[tuple[int, int, Way], Bound | None] = {}
        self._fused: dict[tuple[str, str, tuple[int, int]], Step | None] = {}
        self._halos: dict[tuple[int, tuple[int, int]], list[Bound | None]] = {}
        self._row_bytes = {
            name: size // graph.values[name].shape[0] for name, size in needs.sizes.items() if graph.values[name].shape
        }

    def part(self, i: int, j: int, way: Way, limit: int | None = None) -> Part | None:
        """The part between two cuts, run in one of the `ways`; None where it cannot run so.

        limit: bytes up to which tiles are as large as they can be; None: those that take the fewest.
        """
        if way == LAYERS:
            if i not in self._layers:
                self._layers[i] = self._layerwise(i, j)
            return self._layers[i]
        bare, options = self._without(i, j, way), self._options(i, j, way)
        if bare is None:
            return None
        scratch = max([bare.scratch, *(min(step.patches.bytes for step in each) for each in options)])
        room = scratch if limit is None else max(limit - bare.bytes, scratch)
        steps = [min((one for one in each if one.patches.bytes <= room), key=lambda one: one.work) for each in options]
        scratch = max([bare.scratch, *(step.patches.bytes for step in steps)])
        return Part(
            tuple(node.name for node in self._nodes(i, j)),
            way,
            bare.bytes + _up(scratch),
            bare.work + sum(step.work for step in steps),
            sum(step.macs for step in steps),
            tuple(step.patches for step in steps),
        )

    def with_stretch(self, i: int, j: int, part: Part) -> Part:
        """The part with the stretch that it is."""
        if part.way == LAYERS:
            return part
        stretch = self._stretch(i, j, part.fused)
        assert isinstance(stretch, Stretch), stretch
        assert self.ends(i, j) + _up(stretch.bytes) == part.bytes
        return replace(part, stretch=stretch)

    def ends(self, i: int, j: int) -> int:
        """Bytes of the values at both cuts, which every way but layers holds whole."""
        return self._whole(i) + self._whole(j)

    def bound(self, i: int, j: int, way: Way) -> Bound | None:
        """What the part takes at least; None where it is no edge."""
        key = (i, j, way)
        if key not in self._bounds:
            self._bounds[key] = self._bound(i, j, way)
        return self._bounds[key]

    def _bound(self, i: int, j: int, way: Way) -> Bound | None:
        if way == LAYERS:
            return Bound() if j == i + 1 and not (self.fed and i == 0) else None
        if NOWHERE in (self.cuts[i][1], self.cuts[j][1]):
            return None
        total = self.ends(i, j)
        if way.kind == PATCHES:
            halo = self._halo(i, j, way.size)
            return None if halo is None else replace(halo, bytes=total + halo.bytes)
        options = self._options(i, j, way)
        if way.kind == TILES and not options:
            return None
        fused = {name for each in options for name in each[0].patches.nodes}
        tallest: dict[str, int] = {}
        count = 0
        for node in self._nodes(i, j):
            seen = self.reads[node.name]
            if isinstance(seen, str):
                return None
            if node.name in fused:
                continue
            count += self.graph.outs(node)[0].shape[0]
            for window in seen:
                tallest[window.value] = max(tallest.get(window.value, 0), window.rows)
        source = self.cuts[i][1]
        rows = sum(self._row_bytes[v] * n for v, n in tallest.items() if v != source)
        tiles = max((min(step.patches.bytes for step in each) for each in options), default=0)
        return Bound(total + rows + tiles, ROW_CALL * count + sum(min(one.work for one in each) for each in options))

    def _nodes(self, i: int, j: int) -> tuple[Node, ...]:
        return self.graph.nodes[self.cuts[i][0] : self.cuts[j][0]]

    def _whole(self, cut: int) -> int:
        """Bytes of the value at a cut; none where its rows are pushed, or where there is no single one."""
        name = self.cuts[cut][1]
        return 0 if name == NOWHERE or (self.fed and cut == 0) else _up(self.needs.sizes[name])

    def _extra(self, nodes: Sequence[Node]) -> float:
        return sum(self.needs.extra.get(node.name, 0.0) for node in nodes)

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
        return Part(tuple(n.name for n in nodes), LAYERS, plan.arena_bytes, self._extra(nodes))

    def _without(self, i: int, j: int, way: Way) -> _Bare | None:
        """A part by rows or patches without its fused steps; None where it cannot run so.

        How many rows are kept of each value depends on how many a tile has, not on its columns.
        """
        key = (i, j, way)
        if key not in self._bare:
            possible = self.bound(i, j, way) is not None
            self._bare[key] = self._made_without(i, j, self._options(i, j, way)) if possible else None
        return self._bare[key]

    def _made_without(self, i: int, j: int, options: Sequence[Sequence[Step]]) -> _Bare | None:
        if not all(options):
            return None
        stretch = self._stretch(i, j, [each[0].patches for each in options])
        if isinstance(stretch, str):
            return None
        tally = _Tally(stretch)
        run_stretch(stretch, tally)
        work = ROW_CALL * tally.calls + ROW_BYTE * tally.bytes + self._extra(self._nodes(i, j))
        total = self.ends(i, j) + _up(stretch.bytes) - _up(stretch.scratch)
        return _Bare(total, self._row_scratch(i, j, stretch.fused), work)

    def _stretch(self, i: int, j: int, fused: Sequence[Patches]) -> Stretch | str:
        scratch, fed = self._row_scratch(i, j, fused), self.fed and i == 0
        nodes = self._nodes(i, j)
        return make_stretch(self.graph, nodes, self._row_bytes, name=f"rows_{i}", fed=fed, scratch=scratch, fused=fused)

    def _row_scratch(self, i: int, j: int, fused: Sequence[Patches]) -> int:
        """Most scratch of the kernels of single rows."""
        inside = {name for patches in fused for name in patches.nodes}
        alone = (node.name for node in self._nodes(i, j) if node.name not in inside)
        return max((self.needs.row_scratch.get(name, 0) for name in alone), default=0)

    def _options(self, i: int, j: int, way: Way) -> list[list[Step]]:
        """Of each step of a part that is to be several nodes, what it can be."""
        if way.kind == PATCHES:
            if self.bound(i, j, way) is None:
                return [[]]
            nodes = self._nodes(i, j)
            height, width, _ = self.graph.outs(nodes[-1])[0].shape
            made = self._fuse(nodes, (-(-height // way.size[0]), -(-width // way.size[1])))
            return [[] if made is None else [made]]
        if way.kind != TILES:
            return []
        start, end = self.cuts[i][0], self.cuts[j][0]
        tiles = [tile for tile in self.needs.tiles if tile[0] == way.size[0]]
        steps = (self.graph.nodes[k : k + n] for k, n in self._blocks if start <= k and k + n <= end)
        found = ([made for tile in tiles if (made := self._fuse(nodes, tile)) is not None] for nodes in steps)
        return [each for each in found if each]

    def _fuse(self, nodes: tuple[Node, ...], tile: tuple[int, int]) -> Step | None:
        """Some nodes as one step of a stretch, in tiles of at most that size; None where they do not run so."""
        height, width, _ = self.graph.outs(nodes[-1])[0].shape
        grid = -(-height // min(tile[0], height)), -(-width // min(tile[1], width))
        key = (nodes[0].name, nodes[-1].name, grid)
        if key not in self._fused:
            made = fuse(self.graph, nodes, grid, self.needs.sizes, self.needs.lower)
            self._fused[key] = None if made is None else self._step(made, nodes)
        return self._fused[key]

    def _step(self, patches: Patches, nodes: Sequence[Node]) -> Step:
        macs, count = extra_macs(self.graph, patches), patches.grid[0] * patches.grid[1]
        least = sum(self._again(node, patches.regions[node.outputs[0]].area, count) for node in nodes)
        whole = [self.needs.instructions.get(node.name) for node in nodes]
        known = None if patches.instructions is None or None in whole else patches.instructions
        again = least if known is None else max(least, known - sum(each for each in whole if each is not None))
        copied = count * sum(patches.plan.buffers[n].bytes for n in (*patches.takes, patches.output))
        return Step(patches, macs, TILE_CALL * count * len(nodes) + ROW_BYTE * copied + again)

    def _again(self, node: Node, area: int, count: int) -> float:
        """Instructions of what so many patches of an area compute of a node's output beyond all of it."""
        (out,) = self.graph.outs(node)
        whole = out.shape[0] * out.shape[1]
        macs = operator(node.op, node.name).macs(node, self.graph.ins(node), (out,))
        return self.needs.instructions.get(node.name, HALO_MAC * macs) * max(area * count / whole - 1, 0)

    def _halo(self, i: int, j: int, grid: tuple[int, int]) -> Bound | None:
        """What the patches between two cuts take at least beside the values there; None where there are none."""
        if (j, grid) not in self._halos:
            starts = {start: at for at, (start, _) in enumerate(self.cuts[:j])}
            found: list[Bound | None] = [None] * j
            for start, halo in self._growing(j, grid):
                if start in starts:
                    found[starts[start]] = halo
            self._halos[j, grid] = found
        return self._halos[j, grid][i]

    def _growing(self, j: int, grid: tuple[int, int]) -> Iterator[tuple[int, Bound]]:
        """For patches up to a cut, from one node after the other, the last first: what they take."""
        end, output = self.cuts[j]
        size = self.graph.values[output].shape[:2]
        tile = tuple(-(-n // count) for n, count in zip(size, grid, strict=False))
        if len(tile) != 2 or any((count - 1) * t >= n for count, t, n in zip(grid, tile, size, strict=True)):
            return  # as few patches as another grid has
        found: dict[str, Region] = {}
        halo, count, nodes = Bound(), grid[0] * grid[1], self.graph.nodes[:end]
        possible = list(takewhile(self._by_patches, reversed(nodes)))[::-1]
        try:
            for behind, node in enumerate(grow(self.graph, possible, output, (tile[0], tile[1]), found, {}), start=1):
                held = sum(self._pixel_bytes(n) * found[n].area for n in {*node.inputs, *node.outputs} if n in found)
                again = self._again(node, found[node.outputs[0]].area, count)
                halo = Bound(max(halo.bytes, held), halo.work + TILE_CALL * count + again)
                yield end - behind, halo
        except GraphError:
            return

    def _by_patches(self, node: Node) -> bool:
        return not isinstance(self.reads[node.name], str) and refused(self.graph, node) is None

    def _pixel_bytes(self, value: str) -> int:
        return self._row_bytes[value] // self.graph.values[value].shape[1]


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


class _Tally(Nothing):
    """Counts what running by rows costs beside the kernels and the fused steps."""

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

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int, count: int) -> None:
        """A kernel is called."""
        self.calls += step.patches is None


def _up(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT
