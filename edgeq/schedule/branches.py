"""Branches: a stretch of a graph written out patch by patch, each patch with values of its own.

The meaning stays the same to the bit. What it is for is what may be done next: each patch's values can get formats of
their own (edgeq/search/patches.py), which patches that run one graph again and again (edgeq/schedule/patch.py) lack.

A patch of the output is computed by slice -> the nodes of the stretch -> concat, all of them ordinary nodes, so every
executor runs it. Constants are not copied: all branches name the same values. The halo is computed again by each patch,
in its own values; only at the border of the map is there padding, of the size that is left of it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node, Value, check
from edgeq.schedule.rows import Window, sliding, windows

#: between the name of a value and the patch it belongs to, and that and the node that needs only part of it
PATCH, CUT = "@", " for "
_SLIDING = ("conv", "max_pool", "average_pool")


@dataclass(frozen=True)
class Part:
    """Elements `begin` to `end` (excluded) along one axis of a map, with what lies outside of it before and behind."""

    begin: int
    end: int
    before: int = 0
    behind: int = 0

    @property
    def size(self) -> int:
        """Elements of the map."""
        return self.end - self.begin

    def through(self, window: Window, size: int) -> Part:
        """What a window needs of its input, `size` elements long, for these elements of its output."""
        begin = self.begin * window.stride - window.top
        end = (self.end - 1) * window.stride - window.top + window.rows
        if begin >= size or end <= 0:
            raise GraphError("some of its windows see padding only")
        return Part(max(begin, 0), min(end, size), max(-begin, 0), max(end - size, 0))

    def hull(self, other: Part) -> Part:
        """The part that holds both."""
        return Part(min(self.begin, other.begin), max(self.end, other.end))


#: rows and columns
Region = tuple[Part, Part]


@dataclass(frozen=True)
class Branches:
    """A graph whose stretch is written out.

    graph: the whole graph; source, output: the values between which the stretch lies; grid: patches along rows and
    columns; nodes: of each patch (row, column), the nodes of its branch, first that which slices the source; origin:
    value of a branch -> the value of the whole map that it is part of; regions: of each value of a branch, which part;
    joins: values that patches are put together as, the output last.
    """

    graph: Graph
    source: str
    output: str
    grid: tuple[int, int]
    nodes: Mapping[tuple[int, int], tuple[str, ...]]
    origin: Mapping[str, str]
    regions: Mapping[str, Region]
    joins: tuple[str, ...]


def split_patches(graph: Graph, nodes: Sequence[Node], grid: tuple[int, int], *, checked: bool = True) -> Branches:
    """Write out `nodes` (in execution order, from one value to one value) as a grid of patches of their output.

    Patches differ in size by one row or column at most. checked: whether `edgeq.ir.check` sees the graph. GraphError
    says which node has no patches, and why.
    """
    for node in nodes:
        if (reason := refused(graph, node)) is not None:
            raise GraphError(f"{node.label}: has no patches: {reason}")
    source, output = _ends(graph, nodes)
    shape = graph.values[output].shape
    if not all(1 <= count <= size for count, size in zip(grid, shape[:2], strict=True)):
        raise GraphError(f"{output}: {grid[0]} x {grid[1]} patches of a map of {shape[0]} x {shape[1]}")
    maker = _Maker(graph, nodes, source, output)
    rows = []
    for i, down in enumerate(_parts(shape[0], grid[0])):
        made = [maker.branch((i, j), (down, across)) for j, across in enumerate(_parts(shape[1], grid[1]))]
        rows.append(maker.join(f"{output}{PATCH}{i}", made, 1))
    found = maker.finished(maker.join(f"{output}{PATCH}", rows, 0))
    if checked:
        check(found)
    return Branches(found, source, output, grid, maker.branches, maker.origin, maker.regions, tuple(maker.joins))


def refused(graph: Graph, node: Node) -> str | None:
    """Why a node cannot compute a patch of its output from a patch of its input, or None."""
    seen = windows(graph, node)
    if isinstance(seen, str):
        return seen
    ins, (out,) = graph.ins(node), graph.outs(node)
    if node.op in _SLIDING:
        return None
    if any(v.constant and len(v.shape) >= 2 and v.shape[-2] != 1 for v in ins):
        return "a constant differs from column to column"
    if any(not v.constant and v.shape[1] != out.shape[1] for v in ins):
        return "an input is spread over the columns"
    return None


def cuts(graph: Graph) -> list[tuple[str, tuple[Node, ...]]]:
    """Values at which a patch stage that begins at the network's input may end, and its nodes, the shortest first."""
    found: list[tuple[str, tuple[Node, ...]]] = []
    if len(graph.inputs) != 1:
        return found
    made: set[str] = set(graph.inputs)
    for count, node in enumerate(graph.nodes, start=1):
        if refused(graph, node) is not None:
            break
        made |= set(node.outputs)
        later = {name for after in graph.nodes[count:] for name in after.inputs} | set(graph.outputs)
        if made & later == set(node.outputs):
            found.append((node.outputs[0], graph.nodes[:count]))
    return found


def _ends(graph: Graph, nodes: Sequence[Node]) -> tuple[str, str]:
    """The one value that a stretch reads and the one that others read of it."""
    names, made = {n.name for n in nodes}, {n.outputs[0] for n in nodes}
    sources = {v.name for n in nodes for v in graph.ins(n) if not v.constant} - made
    ends = [o for o in made if o in graph.outputs or not {c.name for c in graph.consumers(o)} <= names]
    if len(sources) != 1 or len(ends) != 1 or any(not graph.consumers(o) for o in made - set(ends)):
        raise GraphError("the nodes of a patch stage must lead from one value to one value")
    return sources.pop(), ends[0]


def _parts(size: int, count: int) -> list[Part]:
    """An axis in `count` parts as equal as can be."""
    edges = [size * k // count for k in range(count + 1)]
    return [Part(begin, end) for begin, end in pairwise(edges)]


class _Maker:
    """Collects the nodes and values of the new graph."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], source: str, output: str) -> None:
        self.graph, self.stretch, self.source, self.output = graph, nodes, source, output
        self.made: list[Node] = []
        self.values: dict[str, Value] = {}
        self.branches: dict[tuple[int, int], tuple[str, ...]] = {}
        self.origin: dict[str, str] = {}
        self.regions: dict[str, Region] = {}
        self.joins: list[str] = []

    def branch(self, patch: tuple[int, int], core: Region) -> str:
        """Add the branch of a patch; returns the name of its output."""
        regions, needs = self._regions(core)
        begin, tag = len(self.made), f"{PATCH}{patch[0]}.{patch[1]}"
        self._slice(self.source, f"{self.source}{tag}", regions[self.source], self.source)
        for node in self.stretch:
            inputs = [
                v.name if v.constant else self._input(node, v, f"{v.name}{tag}", regions[v.name], needs)
                for v in self.graph.ins(node)
            ]
            (out,) = self.graph.outs(node)
            attrs = dict(node.attrs)
            if node.op in _SLIDING:
                rows, columns = needs[node.name, node.inputs[0]]
                attrs["padding"] = (rows.before, rows.behind, columns.before, columns.behind)
            self._value(out, f"{out.name}{tag}", regions[out.name])
            name = f"{out.name}{tag}"
            self.made.append(replace(node, name=name, inputs=tuple(inputs), outputs=(name,), attrs=attrs))
        self.branches[patch] = tuple(n.name for n in self.made[begin:])
        return f"{self.output}{tag}"

    def join(self, name: str, parts: Sequence[str], axis: int) -> str:
        """Add what puts parts together along an axis, where there are several; returns the name of the whole."""
        if len(parts) == 1:
            return parts[0]
        first = self.values[parts[0]]
        shape = list(first.shape)
        shape[axis] = sum(self.values[p].shape[axis] for p in parts)
        self.values[name] = replace(first, name=name, shape=tuple(shape))
        self.joins.append(name)
        self.made.append(Node("concat", name, tuple(parts), (name,), {"axis": axis}, first.source))
        return name

    def finished(self, joined: str) -> Graph:
        """The graph with the stretch written out in place, what joins it under the name of the whole output."""
        self.made[-1] = replace(self.made[-1], outputs=(self.output,))
        self.values[self.output] = replace(self.values.pop(joined), name=self.output)
        self.joins = [*(name for name in self.joins if name != joined), self.output]
        if joined in self.origin:  # a single patch
            self.origin[self.output], self.regions[self.output] = self.origin.pop(joined), self.regions.pop(joined)
        gone = {n.name for n in self.stretch}
        at = next(i for i, n in enumerate(self.graph.nodes) if n.name in gone)
        rest = [n for n in self.graph.nodes if n.name not in gone]
        inside = {n.outputs[0] for n in self.stretch}
        kept = {name: v for name, v in self.graph.values.items() if name not in inside}
        return self.graph.replace(nodes=(*rest[:at], *self.made, *rest[at:]), values={**kept, **self.values})

    def _regions(self, core: Region) -> tuple[dict[str, Region], dict[tuple[str, str], Region]]:
        """The part of every value that a patch of the output needs, and what each node needs of each input."""
        regions, needs = {self.output: core}, {}
        for node in reversed(self.stretch):
            ins, (out,) = self.graph.ins(node), self.graph.outs(node)
            seen = windows(self.graph, node)
            assert not isinstance(seen, str), seen
            for down in seen:
                across = sliding(node, ins, out, 1) if node.op in _SLIDING else Window(down.value)
                size, have = self.graph.values[down.value].shape, regions[out.name]
                try:
                    need = have[0].through(down, size[0]), have[1].through(across, size[1])
                except GraphError as error:
                    raise GraphError(f"{node.label}: has no patches: {error}") from None
                needs[node.name, down.value] = need
                known = regions.get(down.value, need)
                regions[down.value] = known[0].hull(need[0]), known[1].hull(need[1])
        return regions, needs

    def _input(self, node: Node, value: Value, name: str, have: Region, needs: Mapping[tuple[str, str], Region]) -> str:
        """The name of what a node reads of a value of its branch: all of it, or a slice."""
        need = needs[node.name, value.name]
        parts = tuple(Part(n.begin - h.begin, n.end - h.begin) for n, h in zip(need, have, strict=True))
        if all(p.size == h.size for p, h in zip(parts, have, strict=True)):
            return name
        cut = f"{name}{CUT}{node.name}"
        if cut not in self.values:
            self._slice(name, cut, (parts[0], parts[1]), value.name, need)
        return cut

    def _slice(self, of: str, name: str, part: Region, origin: str, region: Region | None = None) -> None:
        """Add a slice."""
        whole = self.graph.values[origin]
        self._value(whole, name, region or part)
        begin, end = (part[0].begin, part[1].begin, 0), (part[0].end, part[1].end, whole.shape[2])
        attrs = {"begin": begin, "end": end, "step": (1, 1, 1)}
        self.made.append(Node("slice", name, (of,), (name,), attrs, whole.source))

    def _value(self, whole: Value, name: str, region: Region) -> None:
        """Add the part of a value."""
        self.values[name] = replace(whole, name=name, shape=(region[0].size, region[1].size, whole.shape[2]))
        self.origin[name], self.regions[name] = whole.name, region
