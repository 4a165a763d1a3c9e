"""Patch: nodes that run as one step, patch by patch of its output, each from all that it needs, halo computed again.

The output is a grid of patches of one size; where they do not divide it the last ones are shifted back into it. What a
patch needs of any value is then a region of one size, too, whose corner moves in proportion: so all patches are one
small graph, without padding, that runs once for each of them. Between its nodes what sticks out of the map is
overwritten with the code that padding has there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node, Value, operator
from edgeq.schedule.plan import Plan, make_plan
from edgeq.schedule.rows import Window, sliding, windows

#: between the name of a value and that of the node that needs only part of it
CUT = " for "


@dataclass(frozen=True)
class Span:
    """A region along one axis: `size` elements from `scale` * the patch's first output element + `offset`."""

    scale: int
    offset: int
    size: int

    def at(self, corner: int) -> npt.NDArray[np.int64]:
        """Its indices for the patch whose first output element is `corner`; some may lie outside of the map."""
        return np.asarray(self.scale * corner + self.offset + np.arange(self.size), dtype=np.int64)

    def through(self, window: Window) -> Span:
        """What a window needs of its input for this span of its output."""
        return Span(
            self.scale * window.stride,
            self.offset * window.stride - window.top,
            (self.size - 1) * window.stride + window.rows,
        )

    def hull(self, other: Span) -> Span:
        """The span that holds both; they move together, because all paths from a value to the output do."""
        if self.scale != other.scale:
            raise GraphError("its branches reach the output with different strides")
        start = min(self.offset, other.offset)
        return Span(self.scale, start, max(self.offset + self.size, other.offset + other.size) - start)


@dataclass(frozen=True)
class Region:
    """What one patch needs of a value; fill: the code outside of the map, None where nobody reads it."""

    rows: Span
    columns: Span
    fill: int | None = None

    @property
    def area(self) -> int:
        """Pixels in it."""
        return self.rows.size * self.columns.size


@dataclass(frozen=True)
class Patches:
    """Nodes that run patch by patch, from one value to one value.

    source, output: the values between which they lie; grid: patches along rows and columns; tile: rows and columns of
    a patch; size: of the whole output; regions: of every value; graph: what runs for one patch, its output named as the
    value is; takes: what of the source each of its inputs is; plan: of its memory; instructions: of the kernels of all
    patches, about, None where nobody knows.
    """

    name: str
    source: str
    output: str
    nodes: tuple[str, ...]
    grid: tuple[int, int]
    tile: tuple[int, int]
    size: tuple[int, int]
    regions: Mapping[str, Region]
    graph: Graph
    takes: Mapping[str, Region]
    plan: Plan
    instructions: int | None = None

    @property
    def bytes(self) -> int:
        """Bytes that a patch needs while it runs."""
        return self.plan.arena_bytes

    @property
    def inside(self) -> frozenset[str]:
        """Values that only live inside it."""
        return frozenset(self.regions) - {self.source, self.output}

    def to_json(self) -> dict[str, Any]:
        """The patches as a JSON object."""
        keys = ("name", "nodes", "source", "output", "grid", "tile", "bytes")
        return {key: getattr(self, key) for key in keys}

    def corners(self, row: int | None = None) -> Iterator[tuple[int, int]]:
        """First row and column of every patch of the output, or of those in a row, in the order in which they run."""
        down, across = (
            [min(k * tile, size - tile) for k in range(count)]
            for count, tile, size in zip(self.grid, self.tile, self.size, strict=True)
        )
        return ((i, j) for i in (down if row is None else [row]) for j in across)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all patches."""
        graph = self.graph
        each = sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)
        return each * self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class Kernels:
    """What a backend says of a patch's graph: scratch bytes by node, and instructions of all, None where unknown."""

    scratch: Mapping[str, int] = field(default_factory=dict)
    instructions: int | None = None


#: what a backend says of the graph of a patch, or why it cannot run it
Lower = Callable[[Graph], Kernels | str]


def make_patches(
    graph: Graph,
    nodes: Sequence[Node],
    grid: tuple[int, int],
    sizes: Mapping[str, int],
    *,
    name: str = "patches",
    lower: Lower | None = None,
) -> Patches | str:
    """The patches of `nodes` (in execution order, from one value to one value), or why there are none.

    grid: how many patches along rows and columns, at most; sizes: bytes of each whole value; lower: what the backend
    says of a patch's graph, default nothing.
    """
    for node in nodes:
        reason = refused(graph, node)
        if reason is not None:
            return f"{node.label}: {reason}"
    names, made = {n.name for n in nodes}, {n.outputs[0] for n in nodes}
    sources = {v.name for n in nodes for v in graph.ins(n) if not v.constant} - made
    ends = [o for o in made if o in graph.outputs or not {c.name for c in graph.consumers(o)} <= names]
    if len(sources) != 1 or len(ends) != 1 or any(not graph.consumers(o) for o in made - set(ends)):
        return "it does not lead from one value to one value"
    (source,), (output,) = sources, ends
    size = graph.values[output].shape[:2]
    tile = tuple(-(-n // min(count, n)) for n, count in zip(size, grid, strict=True))
    try:
        regions, needs = _regions(graph, nodes, output, (tile[0], tile[1]))
    except GraphError as error:
        return str(error)
    counts = tuple(-(-n // t) for n, t in zip(size, tile, strict=True))
    small, takes = _patch_graph(graph, nodes, regions, needs, source, output)
    kernels = Kernels() if lower is None else lower(small)
    if isinstance(kernels, str):
        return kernels
    each = kernels.instructions
    return Patches(
        name,
        source,
        output,
        tuple(n.name for n in nodes),
        (counts[0], counts[1]),
        (tile[0], tile[1]),
        (size[0], size[1]),
        regions,
        small,
        takes,
        make_plan(small, patch_sizes(graph, small, sizes), scratch=kernels.scratch),
        None if each is None else each * counts[0] * counts[1],
    )


def patch_sizes(graph: Graph, small: Graph, sizes: Mapping[str, int]) -> dict[str, int]:
    """Bytes of the values of a patch, from those of the whole values."""
    wholes = {v.name: whole_name(v) for v in small.values.values() if not v.constant}
    return {n: -(-sizes[w] * small.values[n].size // graph.values[w].size) for n, w in wholes.items()}


def whole_name(value: Value) -> str:
    """The whole value that a value of a patch is part of."""
    return value.name.split(CUT)[0]


def check_patches(patches: Patches, graph: Graph) -> None:
    """Raise GraphError unless every region is what its node needs and the patches cover the output."""
    nodes = [n for n in graph.nodes if n.name in patches.nodes]
    needed, needs = _regions(graph, nodes, patches.output, patches.tile)
    for name, region in needed.items():
        if patches.regions.get(name) != region:
            raise GraphError(f"plan: {patches.name} has {patches.regions.get(name)} of {name}, needs {region}")
    _, takes = _patch_graph(graph, nodes, needed, needs, patches.source, patches.output)
    if patches.takes != takes:
        raise GraphError(f"plan: {patches.name} takes {patches.takes} of {patches.source}, needs {takes}")
    for size, tile, count in zip(patches.size, patches.tile, patches.grid, strict=True):
        if not (count - 1) * tile < size <= count * tile:
            raise GraphError(f"plan: {count} patches of {tile} do not make up the {size} of {patches.output}")


def refused(graph: Graph, node: Node) -> str | None:
    """Why a node does not run by patches, None where it does."""
    seen = windows(graph, node)
    if isinstance(seen, str):
        return seen
    ins, (out,) = graph.ins(node), graph.outs(node)
    if node.op in ("conv", "max_pool", "average_pool"):
        across = sliding(node, ins, out, 1)
        divided = node.op == "average_pool" and node.integer("include_pad") == 0 and across.padded
        return "its divisor differs at the border" if divided else None
    if any(v.constant and len(v.shape) >= 2 and v.shape[-2] != 1 for v in ins):
        return "a constant differs from column to column"
    if any(not v.constant and v.shape[1] != out.shape[1] for v in ins):
        return "an input is spread over the columns"
    return None


Needs = dict[tuple[str, str], tuple[Span, Span]]


def _regions(
    graph: Graph, nodes: Sequence[Node], output: str, tile: tuple[int, int]
) -> tuple[dict[str, Region], Needs]:
    """The region of every value, and what each node needs of each input."""
    found: dict[str, Region] = {}
    needs: Needs = {}
    for _ in grow(graph, nodes, output, tile, found, needs):
        pass
    return found, needs


def grow(
    graph: Graph, nodes: Sequence[Node], output: str, tile: tuple[int, int], found: dict[str, Region], needs: Needs
) -> Iterator[Node]:
    """The nodes from the last one back, each when it and all behind it have their regions in `found` and `needs`.

    What a node reads may still grow: then nodes before it read that, too.
    """
    found[output] = Region(Span(1, 0, tile[0]), Span(1, 0, tile[1]))
    for node in reversed(nodes):
        ins, (out,) = graph.ins(node), graph.outs(node)
        have = found[out.name]
        for down in _down(graph, node):
            across = sliding(node, ins, out, 1) if _slides(node) else Window(down.value)
            rows, columns = have.rows.through(down), have.columns.through(across)
            needs[node.name, down.value] = rows, columns
            fill = down.fill if down.padded or across.padded else None
            found[down.value] = _joined(found.get(down.value), Region(rows, columns, fill), down.value)
        yield node


def _slides(node: Node) -> bool:
    return node.op in ("conv", "max_pool", "average_pool")


def _down(graph: Graph, node: Node) -> tuple[Window, ...]:
    seen = windows(graph, node)
    assert not isinstance(seen, str), seen
    return seen


def _joined(one: Region | None, other: Region, value: str) -> Region:
    if one is None:
        return other
    fills = {r.fill for r in (one, other) if r.fill is not None}
    if len(fills) > 1:
        raise GraphError(f"{value} is padded with different codes")
    return Region(one.rows.hull(other.rows), one.columns.hull(other.columns), fills.pop() if fills else None)


def _patch_graph(
    graph: Graph, nodes: Sequence[Node], regions: Mapping[str, Region], needs: Needs, source: str, output: str
) -> tuple[Graph, dict[str, Region]]:
    """The graph of one patch, and what of the source its inputs are.

    Every value is as large as its region. Where a node needs less of it there is a slice, of the source another input.
    """
    values = {name: _shaped(graph.values[name], r.rows.size, r.columns.size) for name, r in regions.items()}
    small: list[Node] = []
    takes: dict[str, Region] = {}
    for node in nodes:
        inputs = []
        for value in graph.ins(node):
            if value.constant:
                values[value.name] = value
                inputs.append(value.name)
                continue
            rows, columns = needs[node.name, value.name]
            region = regions[value.name]
            if (rows, columns) == (region.rows, region.columns):
                inputs.append(value.name)
                takes |= {source: region} if value.name == source else {}
                continue
            cut = f"{value.name}{CUT}{node.name}"
            inputs.append(cut)
            if cut in values:
                continue
            begin = (rows.offset - region.rows.offset, columns.offset - region.columns.offset, 0)
            shape = (rows.size, columns.size, value.shape[2])
            end = tuple(b + n for b, n in zip(begin, shape, strict=True))
            values[cut] = replace(_shaped(value, rows.size, columns.size), name=cut)
            if value.name == source:
                takes[cut] = Region(rows, columns, region.fill)
                continue
            part = {"begin": begin, "end": end, "step": (1, 1, 1)}
            small.append(Node("slice", cut, (value.name,), (cut,), part, node.source))
        unpadded = {"padding": (0, 0, 0, 0)} if "padding" in node.attrs else {}
        small.append(replace(node, inputs=tuple(inputs), attrs={**node.attrs, **unpadded}))
    if source not in takes:
        del values[source]
    return Graph(graph.name, tuple(small), values, tuple(takes), (output,)), takes


def _shaped(value: Value, rows: int, columns: int) -> Value:
    return replace(value, shape=(rows, columns, value.shape[2]))
