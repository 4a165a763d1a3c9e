"""Program: a graph lowered for one board, as the data that templates turn into C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.ir import Graph, Node, Ranges, Value, check, operator
from edgeq.mcu import ops
from edgeq.mcu.names import Names, identifier
from edgeq.mcu.step import Blob, Param, Step
from edgeq.mcu.storage import Storage, storage, value_bytes
from edgeq.schedule import Placement, Plan, check_plan, make_plan


@dataclass(frozen=True)
class Slot:
    """A value in the arena: `name` is that of the graph, `c_name` its identifier."""

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
        """Bytes of the value."""
        return self.place.bytes


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
    """One step at its place in the program."""

    index: int
    node: Node
    step: Step
    instance: Instance
    c_name: str
    macs: int
    constants: Mapping[str, Constant]

    def params(self) -> Iterator[tuple[str, Param | str]]:
        """Fields of the parameter struct; a constant array is given by its C name."""
        for key, param in self.step.params.items():
            yield key, self.constants[key].c_name if isinstance(param, Blob) else param


@dataclass(frozen=True)
class Program:
    """Everything that the generated source says.

    name: C prefix of the network; slots: values by name, in the order of the plan; calls: in execution order.
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


def make_program(graph: Graph, board: Board) -> Program:
    """Check, analyse, lower and plan `graph` for `board`; raises GraphError, RangeError, UnsupportedError."""
    ranges = check(graph)
    computed = [v for v in graph.values.values() if not v.constant]
    steps = {node.name: ops.lower(graph, node, ranges, board.isa) for node in graph.nodes}
    sizes = {v.name: value_bytes(v) for v in computed}
    in_place = {n.name: ops.overwritten(graph, n, steps[n.name]) for n in graph.nodes}
    aliases = {n.outputs[0]: n.inputs[0] for n in graph.nodes if steps[n.name] is None}
    scratch = {name: step.scratch for name, step in steps.items() if step is not None and step.scratch}
    plan = make_plan(graph, sizes, in_place, aliases=aliases, scratch=scratch)
    check_plan(plan, graph, sizes, in_place, scratch)
    names = Names()
    slots = {n: Slot(n, names[n], graph.values[n], place) for n, place in plan.buffers.items()}
    maker = _Maker(graph)
    nodes = {node.name: node for node in graph.nodes}
    calls: list[Call] = []
    for name in plan.order:
        step = steps[name]
        if step is not None:
            calls.append(maker.call(len(calls), nodes[name], step))
    constants, instances = list(maker.constants.values()), list(maker.instances.values())
    return Program(identifier(graph.name), graph, board, ranges, plan, slots, calls, constants, instances)


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
