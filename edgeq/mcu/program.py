"""Program: a graph lowered for one board, as the data that templates turn into C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.errors import BudgetError
from edgeq.ir import Graph, Node, Ranges, Value, analyse, check, operator
from edgeq.mcu import ops
from edgeq.mcu.names import Names, identifier
from edgeq.mcu.packing import packed_graph
from edgeq.mcu.scheduling import GRIDS, LAYERWISE, TILES, Chosen, Schedule, choose, row_steps, splits, tile_steps
from edgeq.mcu.step import Blob, Param, Step
from edgeq.mcu.storage import Storage, storage, value_bytes
from edgeq.passes.split_channels import Split
from edgeq.schedule import ROW_CALL, Choice, Chooser, Needs, Patches, Placement, Plan, Stretch, check_plan, make_plan
from edgeq.schedule.guards import Guard, guards
from edgeq.schedule.patch import CUT, Kernels, patch_sizes


@dataclass(frozen=True)
class Slot:
    """A value in the arena: `name` is that of the graph, `c_name` its identifier.

    place: where it lies, or, where only some of its rows or a tile are kept at a time, the room for those.
    """

    name: str
    c_name: str
    value: Value
    place: Placement

    @property
    def stored(self) -> Storage:
        """How its codes lie in memory."""
        return storage(self.value.format)

    @property
    def tail(self) -> int:
        """Bits of the last byte that hold codes, where codes do not fill it; else 0."""
        return self.value.size * self.stored.bits % 8

    @property
    def bytes(self) -> int:
        """Bytes of the whole value."""
        return value_bytes(self.value)


@dataclass(frozen=True)
class Constant:
    """A constant array of the generated source; several blobs of the same content share one."""

    c_name: str
    ctype: str
    data: npt.NDArray[Any]
    note: str
    layer: str

    @property
    def bytes(self) -> int:
        """Bytes in flash."""
        return self.data.size * np.dtype(self.ctype.removesuffix("_t")).itemsize


@dataclass(frozen=True)
class Instance:
    """One specialised copy of a kernel: shared by the steps with the same fixed arguments; `scratch`: it takes some."""

    c_name: str
    kernel: str
    fixed: tuple[str, ...]
    scratch: bool


@dataclass(frozen=True)
class Call:
    """One step at its place in the program.

    stretch: the one in which it runs row by row, or None; tiles: of which it computes part where it is fused with
    others; macs: multiply-accumulates of one inference, with those that tiles do again; guard: conditions without which
    it is left out (edgeq/schedule/guards.py).
    """

    index: int
    node: Node
    step: Step
    instance: Instance
    c_name: str
    macs: int
    constants: Mapping[str, Constant]
    stretch: Stretch | None = None
    tiles: Patches | None = None
    guard: Guard = ()

    @property
    def inside(self) -> bool:
        """Whether its output only exists tile by tile."""
        return self.tiles is not None and self.step.output != self.tiles.output

    def params(self) -> Iterator[tuple[str, Param | str]]:
        """Fields of the parameter struct; a constant array is given by its C name."""
        for key, param in self.step.params.items():
            yield key, self.constants[key].c_name if isinstance(param, Blob) else param


@dataclass(frozen=True)
class Program:
    """Everything that the generated source says.

    name: C prefix of the network; slots: values by name, in the order of the plan; calls: in execution order, those of
    a stretch one after the other; reason: why the nodes run layer by layer or by rows. network: as it was given;
    graph: as it runs, where `pieces` names the slices that stand for a value of the network. The formats of both say
    which values share bytes (`Packed`).
    """

    name: str
    graph: Graph
    board: Board
    ranges: Ranges
    plan: Plan
    slots: Mapping[str, Slot]
    calls: Sequence[Call]
    constants: Sequence[Constant]
    instances: Sequence[Instance]
    reason: str
    network: Graph
    pieces: Mapping[str, tuple[str, ...]]

    @property
    def pushed(self) -> Stretch | None:
        """The stretch whose rows the caller pushes, or None where inputs are written whole."""
        return next((s for s in self.plan.stretches if s.fed == "rows"), None)

    def scratch(self, call: Call) -> Placement | None:
        """Where the scratch of a step lies, or None where it takes none."""
        if call.stretch is None or not call.step.scratch:
            return self.plan.scratch.get(call.node.name)
        start = self.kernel_area(call.stretch)
        if call.tiles is not None:
            start += call.tiles.plan.scratch[call.node.name].offset
        return replace(self.plan.scratch[call.stretch.name], offset=start, bytes=call.step.scratch)

    def kernel_area(self, stretch: Stretch) -> int:
        """Where the kernels' scratch of a stretch starts in the arena, and with it the maps of a tile."""
        return self.plan.scratch[stretch.name].offset + stretch.scratch_offset

    def area(self, call: Call) -> list[Placement]:
        """All that a step may touch: operands, scratch and conditions, or in a stretch whatever the stretch has."""
        if call.stretch is not None:
            ends = [self.slots[n].place for n in (call.stretch.source, call.stretch.output)]
            return [*ends, self.plan.scratch[call.stretch.name]]
        scratch = self.scratch(call)
        names = (*call.step.inputs, call.step.output, *(name for name, _ in call.guard))
        places = [self.slots[n].place for n in names]
        return places if scratch is None else [*places, scratch]

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constant arrays."""
        return sum(constant.bytes for constant in self.constants)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(call.macs for call in self.calls)

    @property
    def kernels(self) -> list[str]:
        """Kernels in use, in order of first use."""
        return list(dict.fromkeys(instance.kernel for instance in self.instances))


def make_program(graph: Graph, board: Board, schedule: Schedule = LAYERWISE) -> Program:
    """Check, analyse, lower and plan `graph` for `board`; raises GraphError, RangeError, UnsupportedError.

    BudgetError where the schedule has a limit that nothing fits.
    """
    found = fitting_program(graph, board, schedule)
    if found is None:
        least = fitting_program(graph, board, replace(schedule, limit=None))
        assert least is not None
        raise BudgetError(
            f"{graph.name}: no schedule of kind {schedule.kind!r} fits {schedule.limit} bytes of arena; the least is "
            f"{least.plan.arena_bytes} bytes"
        )
    return found


def fitting_program(graph: Graph, board: Board, schedule: Schedule) -> Program | None:
    """The same, None where the schedule has a limit that nothing fits."""
    ranges = check(graph)
    made = packed_graph(graph, ranges, board.isa, schedule.packing)
    # Packed codes are no slower here, but y of bytes cannot lie over x of less: the smaller arena is taken.
    networks = (graph, made) if made is not graph and schedule.packing == "fast" else (made,)
    tried = [_program(network, board, schedule) for network in networks]
    found = [program for program in tried if program is not None]
    return min(found, key=lambda program: program.plan.arena_bytes, default=None)


def _program(network: Graph, board: Board, schedule: Schedule) -> Program | None:
    """The program of a network whose formats say which values share bytes; None where nothing fits the limit."""
    best = _scheduled(network, board, schedule)
    if best is None:
        return None
    made, chosen = best
    graph, needs = made.split.graph, made.needs
    by_rows, sizes, in_place, scratch = made.by_rows, needs.sizes, needs.in_place, {**needs.scratch}
    plan = make_plan(graph, sizes, in_place, aliases=needs.aliases, scratch=scratch, stretches=chosen.stretches)
    by_rows = {**by_rows, **_tile_steps(made, plan, board)}
    scratch |= {name: by_rows[name].scratch for s in plan.stretches for name in s.nodes}  # rows may need less
    check_plan(plan, graph, sizes, in_place, scratch)
    slots = _slots(graph, plan)
    calls, maker = _calls(graph, plan, made.steps, by_rows)
    constants, instances = list(maker.constants.values()), list(maker.instances.values())
    name = identifier(graph.name)
    reason, pieces = chosen.reason, made.split.pieces
    return Program(name, graph, board, made.ranges, plan, slots, calls, constants, instances, reason, network, pieces)


def _tile_steps(made: _Lowered, plan: Plan, board: Board) -> dict[str, Step]:
    """The kernel calls of nodes that run in tiles, whose plans are checked against them."""
    found: dict[str, Step] = {}
    for patches in (patches for stretch in plan.stretches for patches in stretch.fused):
        steps = tile_steps(patches.graph, made.ranges, board.isa)
        assert not isinstance(steps, str), steps
        sizes = patch_sizes(made.split.graph, patches.graph, made.needs.sizes)
        check_plan(patches.plan, patches.graph, sizes, None, _scratch(steps))
        found |= steps
    return found


@dataclass(frozen=True)
class _Lowered:
    """A form of the network with the kernel calls of its nodes, where asked for those of one row of them too."""

    split: Split
    ranges: Ranges
    steps: Mapping[str, Step | None]
    by_rows: Mapping[str, Step]
    needs: Needs


def _scheduled(graph: Graph, board: Board, schedule: Schedule) -> tuple[_Lowered, Chosen] | None:
    """The form with the fewest slices that fits, or without a limit that needs the least arena, and how it runs.

    None where none fits.
    """
    best: tuple[_Lowered, Chosen] | None = None
    for split in splits(graph, schedule):
        made = _lowered(graph, split, board, schedule)
        chosen = choose(split.graph, made.needs, schedule)
        if chosen is None:
            continue
        if split.pieces:
            slices = f"the channels of {', '.join(split.pieces)} are computed in {split.parts} slices"
            chosen = replace(chosen, reason=f"{chosen.reason}; {slices}")
        if schedule.limit is not None or schedule.kind == "layers":
            return made, chosen
        if best is not None and chosen.bytes >= best[1].bytes:
            break
        best = made, chosen
    return best


def front(graph: Graph, board: Board, *, pushed: bool = False, kind: str = "rows") -> list[Choice]:
    """The schedules of a network on a board that are on the front of RAM against work, from least work to least RAM.

    kind: "rows" or "patches", see `Schedule`.
    """
    found: list[Choice] = []
    network = packed_graph(graph, check(graph), board.isa, LAYERWISE.packing)
    schedule = Schedule(kind, None, pushed)
    for split in splits(network, schedule):
        found += Chooser(split.graph, _lowered(network, split, board, schedule).needs, fed=pushed).front()
    kept: list[Choice] = []
    for point in sorted(found, key=lambda choice: (choice.work, choice.bytes)):
        if not kept or point.bytes < kept[-1].bytes:
            kept.append(point)
    return kept


def _lowered(network: Graph, split: Split, board: Board, schedule: Schedule) -> _Lowered:
    graph, own, kind = split.graph, {node.name for node in network.nodes}, schedule.kind
    ranges = analyse(graph)  # the network was checked as it was given; here formats may be marked as packed
    steps = {node.name: ops.lower(graph, node, ranges, board.isa, tight=schedule.tight) for node in graph.nodes}
    tight = schedule.tight or kind == "patches"
    by_rows, refused = row_steps(graph, ranges, board.isa, tight=tight) if kind != "layers" else ({}, {})
    refused |= dict.fromkeys(guards(graph), "it runs for some inputs only")

    def lower(small: Graph) -> Kernels | str:
        lowered = tile_steps(small, ranges, board.isa)
        if isinstance(lowered, str):
            return lowered
        each = [step.instructions for step in lowered.values()]
        return Kernels(_scratch(lowered), None if None in each else sum(n for n in each if n is not None))

    needs = Needs(
        sizes={v.name: value_bytes(v) for v in graph.values.values() if not v.constant},
        in_place={n.name: ops.overwritten(graph, n, steps[n.name]) for n in graph.nodes},
        aliases={n.outputs[0]: n.inputs[0] for n in graph.nodes if steps[n.name] is None},
        scratch=_scratch(steps),
        row_scratch=_scratch(by_rows),
        refused=refused,
        extra={n.name: ROW_CALL for n in graph.nodes if n.name not in own},
        tiles=TILES if kind == "patches" else (),
        grids=GRIDS if kind == "patches" else (),
        lower=lower,
        instructions={n: s.instructions for n, s in steps.items() if s is not None and s.instructions is not None},
    )
    return _Lowered(split, ranges, steps, by_rows, needs)


def _scratch(steps: Mapping[str, Step | None] | Mapping[str, Step]) -> dict[str, int]:
    return {name: step.scratch for name, step in steps.items() if step is not None and step.scratch}


def _slots(graph: Graph, plan: Plan) -> dict[str, Slot]:
    """Every value's place, or the place of its rows."""
    names, places = Names(), dict(plan.buffers)
    for stretch in plan.stretches:
        area = plan.scratch[stretch.name]
        for name, rows in stretch.rows.items():
            if rows.offset is not None and name not in places:
                places[name] = replace(area, offset=area.offset + rows.offset, bytes=rows.bytes)
        for patches in stretch.fused:
            for name in patches.inside:
                inner = patches.plan.buffers[name]
                start = area.offset + stretch.scratch_offset + inner.offset
                places[name] = replace(area, offset=start, bytes=inner.bytes)
    found = {n: graph.values[n] for n in places}
    return {n: Slot(n, names[n], v, places[n]) for n, v in found.items()}


def _calls(
    graph: Graph, plan: Plan, steps: Mapping[str, Step | None], by_rows: Mapping[str, Step]
) -> tuple[list[Call], _Maker]:
    """The steps in execution order, and what they share."""
    maker, nodes = _Maker(graph), {node.name: node for node in graph.nodes}
    calls: list[Call] = []
    for name in plan.order:
        stretch = plan.stretch(name)
        if stretch is None:
            step = steps[name]
            if step is not None:
                made = maker.call(len(calls), nodes[name], step)
                calls.append(replace(made, guard=plan.guards.get(name, ())))
            continue
        for row in stretch.steps:
            for inner in row.nodes:
                step = by_rows[inner]
                # What a tile reads is part of a value of the network.
                whole = replace(step, inputs=tuple(name.split(CUT)[0] for name in step.inputs))
                made = maker.call(len(calls), nodes[inner], whole)
                calls.append(replace(made, stretch=stretch, tiles=row.patches, macs=_macs(made, row.patches)))
    return calls, maker


def _macs(call: Call, tiles: Patches | None) -> int:
    """Multiply-accumulates of a call, of all tiles where it runs in tiles."""
    if tiles is None:
        return call.macs
    node = next(n for n in tiles.graph.nodes if n.name == call.node.name)
    each = operator(node.op, node.name).macs(node, tiles.graph.ins(node), tiles.graph.outs(node))
    return each * tiles.grid[0] * tiles.grid[1]


class _Maker:
    """Names steps, and shares constants and kernel instances among them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.constants: dict[tuple[str, bytes], Constant] = {}
        self.instances: dict[tuple[str, tuple[str, ...]], Instance] = {}
        self._step_names = Names("step")
        self._blob_names = Names("w")
        self._instance_names = Names("k")

    def call(self, index: int, node: Node, step: Step) -> Call:
        name = self._step_names[node.name]
        constants = {k: self._constant(b, node) for k, b in step.params.items() if isinstance(b, Blob)}
        macs = operator(node.op, node.name).macs(node, self.graph.ins(node), self.graph.outs(node))
        return Call(index, node, step, self._instance(step), name, macs, constants)

    def _constant(self, blob: Blob, node: Node) -> Constant:
        data = np.ascontiguousarray(blob.data)
        key = (blob.ctype, data.astype(blob.ctype.removesuffix("_t")).tobytes())
        if key not in self.constants:
            name = self._blob_names.fresh(blob.name)
            self.constants[key] = Constant(name, blob.ctype, data, blob.note, node.source or node.name)
        return self.constants[key]

    def _instance(self, step: Step) -> Instance:
        key = (step.kernel, step.fixed)
        if key not in self.instances:
            name = self._instance_names.fresh(f"{step.kernel}_1")
            self.instances[key] = Instance(name, step.kernel, step.fixed, step.scratch > 0)
        return self.instances[key]
