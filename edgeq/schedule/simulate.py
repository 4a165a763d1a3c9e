"""Executing a plan in Python: the emulator with its values in a real byte arena, so that a wrong plan shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeq.emulator import Trace
from edgeq.errors import InputError
from edgeq.ir import Graph, operator
from edgeq.schedule.plan import Plan


def simulate(graph: Graph, plan: Plan, stored: Mapping[str, Stored], inputs: Mapping[str, npt.NDArray[Any]]) -> Trace:
    """Run every operator's own meaning in the plan's order, reading and writing codes at the planned offsets.

    stored: how codes of each value that is not constant lie in bytes; inputs: codes in the graph's layout, batch first.
    Returns the codes of every value: the inputs as given, the rest as read back when its node has run, graph
    outputs as read back at the end. A value that another has overwritten in between so gives other codes than
    the emulator.
    """
    samples = {array.shape[0] for array in inputs.values()}
    if len(samples) != 1:
        raise InputError("inputs have different batch sizes")
    arena = np.full((samples.pop(), plan.arena_bytes), 0xA5, dtype=np.uint8)
    memory = _Arena(graph, plan, stored, arena)
    found: Trace = {}
    for name, codes in inputs.items():
        memory.write(name, codes)
        found[name] = memory.read(name)
    nodes = {node.name: node for node in graph.nodes}
    for name in plan.order:
        node = nodes[name]
        operands = [memory.read(v) for v in node.inputs]
        memory.spoil(name)
        if node.outputs[0] not in plan.aliases:
            outs = operator(node.op, name).evaluate(node, graph.ins(node), graph.outs(node), operands)
            memory.write(node.outputs[0], outs[0])
        found[node.outputs[0]] = memory.read(node.outputs[0])
    for name in graph.outputs:
        found[name] = memory.read(name)
    return found


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

    def spoil(self, node: str) -> None:
        """Leave in the scratch of a node what a kernel may leave there: anything."""
        place = self.plan.scratch.get(node)
        if place is not None:
            self.memory[:, place.offset : place.end] = 0x5A

    def write(self, name: str, codes: npt.NDArray[Any]) -> None:
        """Store codes, batch first."""
        place = self.plan.buffers[name]
        self.memory[:, place.offset : place.end] = self.stored[name].to_bytes(codes)
