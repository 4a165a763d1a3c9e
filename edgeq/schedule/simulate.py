"""Executing a plan in Python: the emulator with its values in a real byte arena, so that a wrong plan shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeq.emulator import Trace
from edgeq.errors import InputError
from edgeq.ir import Graph, Node, Value, operator
from edgeq.schedule.patch import Patches, Region, whole_name
from edgeq.schedule.plan import Plan
from edgeq.schedule.rows import row_graph
from edgeq.schedule.stream import RowStep, Stretch, run_stretch


def simulate(graph: Graph, plan: Plan, stored: Mapping[str, Stored], inputs: Mapping[str, npt.NDArray[Any]]) -> Trace:
    """Run every operator's own meaning in the plan's order, reading and writing codes at the planned offsets.

    stored: how codes of each value that is not constant lie in bytes; inputs: codes in the graph's layout, batch first.
    Returns the codes of every value: the inputs as given, the rest as read back when its node has run, graph
    outputs as read back at the end. A value that another has overwritten in between so gives other codes than
    the emulator. Samples for which a node does not run (`Plan.guards`) are masked.
    """
    samples = {array.shape[0] for array in inputs.values()}
    if len(samples) != 1:
        raise InputError("inputs have different batch sizes")
    arena = np.full((samples.pop(), plan.arena_bytes), 0xA5, dtype=np.uint8)
    memory = _Arena(graph, plan, stored, arena)
    found: Trace = {}
    for name, codes in inputs.items():
        if name not in plan.buffers:  # its rows are pushed
            found[name] = codes.astype(np.int64)
            continue
        memory.write(name, codes)
        found[name] = memory.read(name)
    nodes = {node.name: node for node in graph.nodes}
    for name in plan.order:
        stretch = plan.stretch(name)
        if stretch is not None:
            found |= _run_by_rows(memory, stretch, inputs)
            continue
        found[nodes[name].outputs[0]] = _run_where_needed(memory, nodes[name])
    for name in graph.outputs:
        found[name] = memory.read(name)
    return found


def _run_where_needed(memory: _Arena, node: Node) -> npt.NDArray[np.int64]:
    """Run a node for the samples that need it; the others are masked."""
    runs = memory.runs(node.name)
    if runs.all():
        return _run_node(memory, node)
    codes = np.zeros((len(runs), *memory.graph.outs(node)[0].shape), dtype=np.int64)
    if runs.any():
        part = memory.samples(runs)
        codes[runs] = _run_node(part, node)
        memory.memory[runs] = part.memory
    mask = np.broadcast_to(~runs.reshape(-1, *(1 for _ in codes.shape[1:])), codes.shape)
    return np.ma.masked_array(codes, mask.copy())


def _run_node(memory: _Arena, node: Node) -> npt.NDArray[np.int64]:
    """Run a node in the arena; its output as read back."""
    graph, (out,) = memory.graph, node.outputs
    operands = [memory.read(v) for v in node.inputs]
    memory.spoil(node.name)
    if out not in memory.plan.aliases:
        (codes,) = operator(node.op, node.name).evaluate(node, graph.ins(node), graph.outs(node), operands)
        memory.write(out, codes)
    return memory.read(out)


def _inside(memory: _Arena, patches: Patches, offset: int) -> _Arena:
    """The arena of one patch, in the bytes of the whole one from `offset`."""
    values = patches.graph.values.values()
    stored = {v.name: memory.stored[whole_name(v)] for v in values if not v.constant}
    return _Arena(patches.graph, patches.plan, stored, memory.memory[:, offset : offset + patches.bytes])


def _one_patch(
    inner: _Arena, patches: Patches, graph: Graph, corner: tuple[int, int], rows: npt.NDArray[Any], first: int
) -> npt.NDArray[np.int64]:
    """The codes of the patch at `corner`; rows: those of the source that it needs, in their whole width, from `first`.

    What lies outside of the source is overwritten if anybody reads it.
    """
    small = patches.graph
    nodes = {node.name: node for node in small.nodes}
    for name, region in patches.takes.items():
        down = (region.rows.at(corner[0]) - first).clip(0, rows.shape[1] - 1)
        part = rows[:, down][:, :, region.columns.at(corner[1]).clip(0, rows.shape[2] - 1)]
        inner.write(name, _bordered(region, part, graph.values[patches.source], corner))
    for name in patches.plan.order:
        node = nodes[name]
        operands = [inner.read(v) for v in node.inputs]
        (codes,) = operator(node.op, name).evaluate(node, small.ins(node), small.outs(node), operands)
        (out,) = node.outputs
        region_of = patches.regions.get(out)
        inner.write(out, codes if region_of is None else _bordered(region_of, codes, graph.values[out], corner))
    return inner.read(patches.output)


def _bordered(region: Region, codes: npt.NDArray[Any], whole: Value, corner: tuple[int, int]) -> npt.NDArray[Any]:
    """The codes of a region, with padding's code where it lies outside of the map."""
    if region.fill is None:
        return codes
    found = codes.copy()
    for axis, (span, first) in enumerate(zip((region.rows, region.columns), corner, strict=True), start=1):
        at = span.at(first)
        outside = (at < 0) | (at >= whole.shape[axis - 1])
        found[(slice(None),) * axis + (outside,)] = region.fill
    return found


def _run_by_rows(memory: _Arena, stretch: Stretch, inputs: Mapping[str, npt.NDArray[Any]]) -> Trace:
    """Run a stretch in the arena; the rows of every value but the source as they were when they were written."""
    memory.spoil(stretch.name)
    machine = _RowMachine(memory, stretch, inputs)
    run_stretch(stretch, machine)
    return {name: np.stack(rows, axis=1) for name, rows in machine.seen.items()}


class _RowMachine:
    """A stretch's rows in the arena's bytes; `seen` collects each row that a node wrote."""

    def __init__(self, memory: _Arena, stretch: Stretch, inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        self.memory, self.stretch, self.inputs = memory, stretch, inputs
        self.seen: dict[str, list[npt.NDArray[np.int64]]] = {step.output: [] for step in stretch.steps}
        nodes = {node.name: node for node in memory.graph.nodes}
        single = [step.node for step in stretch.steps if step.patches is None]
        self.small = {name: row_graph(memory.graph, nodes[name]) for name in single}

    def _span(self, value: str, slot: int, count: int) -> npt.NDArray[np.uint8]:
        """The bytes of `count` rows from a slot, of each sample."""
        rows, plan = self.stretch.rows[value], self.memory.plan
        start = (
            plan.buffers[value].offset if rows.offset is None else plan.scratch[self.stretch.name].offset + rows.offset
        )
        start += slot * rows.row_bytes
        return self.memory.memory[:, start : start + count * rows.row_bytes]

    def _codes(self, value: str, slot: int, count: int) -> npt.NDArray[np.int64]:
        shape = (count, *self.memory.graph.values[value].shape[1:])
        codes = self.memory.stored[value].from_bytes(self._span(value, slot, count), math.prod(shape))
        return codes.reshape(-1, *shape)

    def _store(self, value: str, slot: int, codes: npt.NDArray[Any]) -> None:
        """Write rows (samples, rows, …) from a slot on."""
        self._span(value, slot, codes.shape[1])[:] = self.memory.stored[value].to_bytes(codes)

    def fill(self, value: str, slot: int) -> None:
        """Write a row of padding."""
        shape = (len(self.memory.memory), 1, *self.memory.graph.values[value].shape[1:])
        self._store(value, slot, np.full(shape, self.stretch.rows[value].fill, dtype=np.int64))

    def move(self, value: str, slot: int, count: int) -> None:
        """Move rows to the front."""
        self._span(value, 0, count)[:] = self._span(value, slot, count).copy()

    def push(self, value: str, slot: int, row: int) -> None:
        """Write a row of the source: the caller's, or a copy from where the whole value lies."""
        whole = self.inputs[value] if self.stretch.fed == "rows" else self.memory.read(value)
        self._store(value, slot, whole[:, row : row + 1])

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int, count: int) -> None:
        """Run a node's own meaning on its windows, or that of fused nodes patch by patch."""
        codes = self._node(step, slots) if step.patches is None else self._fused(step.patches, step, slots, row)
        self._store(step.output, out, codes[:, -count:])
        self.seen[step.output].extend(np.moveaxis(self._codes(step.output, out, count), 1, 0))

    def _fused(self, patches: Patches, step: RowStep, slots: Sequence[int], row: int) -> npt.NDArray[Any]:
        """The rows that some fused nodes make at a time."""
        area = self.memory.plan.scratch[self.stretch.name].offset + self.stretch.scratch_offset
        inner = _inside(self.memory, patches, area)
        inner.memory[:] = 0x5A
        first, end = step.reads[0].span(row, self.stretch.rows[patches.source].height)
        seen = self._codes(patches.source, slots[0], end - first)
        shape = self.memory.graph.values[step.output].shape[1:]
        found = np.zeros((len(seen), step.height, *shape), dtype=np.int64)
        for corner in patches.corners(row):
            codes = _one_patch(inner, patches, self.memory.graph, corner, seen, first)
            found[:, :, corner[1] : corner[1] + patches.tile[1]] = codes
        return found

    def _node(self, step: RowStep, slots: Sequence[int]) -> npt.NDArray[Any]:
        graph, node = self.small[step.node]
        seen = iter(zip(step.reads, slots, strict=True))
        operands = []
        for value in graph.ins(node):
            if value.data is not None:
                operands.append(value.data)
            else:
                window, slot = next(seen)
                operands.append(self._codes(window.value, slot, window.rows))
        (codes,) = operator(node.op, node.name).evaluate(node, graph.ins(node), graph.outs(node), operands)
        return codes


class Stored(Protocol):
    """How codes of a value lie in bytes."""

    def to_bytes(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Rows of codes (n, …) as rows of bytes (n, bytes)."""
        ...

    def from_bytes(self, rows: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int64]:
        """Codes (n, count) of rows of bytes."""
        ...


class _Arena:
    """Codes in bytes: one arena for each sample of the batch."""

    def __init__(self, graph: Graph, plan: Plan, stored: Mapping[str, Stored], memory: npt.NDArray[np.uint8]) -> None:
        self.graph, self.plan, self.stored, self.memory = graph, plan, stored, memory

    def read(self, name: str) -> npt.NDArray[np.int64]:
        """Codes of a value: constants without batch, the rest batch first."""
        value = self.graph.values[name]
        if value.data is not None:
            return value.data
        place = self.plan.buffers[name]
        codes = self.stored[name].from_bytes(self.memory[:, place.offset : place.end], value.size)
        return codes.reshape(-1, *value.shape)

    def runs(self, node: str) -> npt.NDArray[np.bool_]:
        """The samples for which a node runs, by the conditions as they lie in the arena."""
        found = np.ones(len(self.memory), dtype=np.bool_)
        for name, code in self.plan.guards.get(node, ()):
            found &= self.read(name).reshape(len(found)) == code
        return found

    def samples(self, which: npt.NDArray[np.bool_]) -> _Arena:
        """A copy with some samples only."""
        return _Arena(self.graph, self.plan, self.stored, self.memory[which])

    def spoil(self, node: str) -> None:
        """Leave in the scratch of a node what a kernel may leave there: anything."""
        place = self.plan.scratch.get(node)
        if place is not None:
            self.memory[:, place.offset : place.end] = 0x5A

    def write(self, name: str, codes: npt.NDArray[Any]) -> None:
        """Store codes, batch first."""
        place = self.plan.buffers[name]
        self.memory[:, place.offset : place.end] = self.stored[name].to_bytes(codes)
