"""Executor: a graph compiled to exact float kernels, run slice by slice over a batch."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator.carrier import Carried, FloatType, carrier_type, code_type, from_carrier, to_carrier
from edgeq.emulator.kernel import Job, Kernel, Scratch
from edgeq.emulator.ops import compile_job
from edgeq.ir import Graph, analyse
from edgeq.ir.ranges import Ranges

Codes = npt.NDArray[Any]
#: a slice of the batch is so large that the values of a node fill about this much: they stay in the cache
_SLICE_BYTES = 1 << 20


@dataclass(frozen=True)
class _Step:
    """One compiled node: what it reads (constants left out), what it makes, and what nobody reads afterwards."""

    kernel: Kernel
    inputs: tuple[str, ...]
    output: str
    dead: tuple[str, ...]


class Executor:
    """A graph ready to run: weights prepared, arithmetic chosen by the range analysis.

    arithmetic: node name -> "float32", "float64" (exact integers in floats), "int64" (the reference) or "move".
    """

    def __init__(self, graph: Graph) -> None:
        # A copy, so that an executor that is kept beside a graph does not keep that graph alive.
        self.graph = graph.replace()
        ranges = analyse(graph)
        self.arithmetic: dict[str, str] = {}
        self._types = {n: carrier_type(v.format, ranges.values[n]) for n, v in graph.values.items() if not v.constant}
        self._steps = self._compile(ranges)
        self._slice = self._slice_size()
        self._scratch: list[Scratch] = []

    def _compile(self, ranges: Ranges) -> list[_Step]:
        steps, last = [], self._last_reads()
        for index, node in enumerate(self.graph.nodes):
            ins, (out,) = tuple(self.graph.ins(node)), self.graph.outs(node)
            intervals = tuple(ranges.values[v.name] for v in ins)
            twin = compile_job(Job(node, ins, out, intervals, ranges.values[out.name]))
            self.arithmetic[node.name] = twin.arithmetic
            computed = tuple(v.name for v in ins if not v.constant)
            dead = tuple(name for name in {*computed, out.name} if last.get(name, index) == index)
            steps.append(_Step(twin.kernel, computed, out.name, tuple(n for n in dead if n not in self.graph.outputs)))
        return steps

    def _last_reads(self) -> dict[str, int]:
        return {name: i for i, node in enumerate(self.graph.nodes) for name in node.inputs}

    def _slice_size(self) -> int:
        """Samples of one slice: the values around the hungriest node fill the cache, no more."""
        sizes = [
            sum(
                v.size * np.dtype(self._types[v.name]).itemsize
                for v in (*self.graph.ins(n), *self.graph.outs(n))
                if not v.constant
            )
            for n in self.graph.nodes
        ]
        return max(1, _SLICE_BYTES // max(sizes, default=1))

    @contextmanager
    def _buffers(self) -> Iterator[Scratch]:
        """Buffers of this call: two threads never share one."""
        scratch = self._scratch.pop() if self._scratch else Scratch()
        try:
            yield scratch
        finally:
            self._scratch.append(scratch)

    def _enter(self, inputs: Mapping[str, Codes], part: slice) -> dict[str, Carried]:
        values = self.graph.values
        return {n: to_carrier(inputs[n][part], values[n].format, self._types[n]) for n in self.graph.inputs}

    def _execute(self, inputs: Mapping[str, Codes], wanted: Sequence[str], keep: bool) -> dict[str, Codes]:
        """Codes of the `wanted` values, each in the narrowest integer type."""
        values = self.graph.values
        count = inputs[self.graph.inputs[0]].shape[0]
        found = {n: np.empty((count, *values[n].shape), code_type(values[n].format)) for n in wanted}
        with self._buffers() as scratch:
            for begin in range(0, count, self._slice):
                part = slice(begin, min(begin + self._slice, count))
                live = self._enter(inputs, part)
                for step in self._steps:
                    live[step.output] = step.kernel([live[n] for n in step.inputs], scratch)
                    for name in () if keep else step.dead:
                        del live[name]
                for name in wanted:
                    found[name][part] = from_carrier(live[name], values[name].format)
        return found

    def outputs(self, inputs: Mapping[str, Codes]) -> dict[str, Codes]:
        """Codes of the graph's outputs; inputs are codes in the graph's layout, batch first."""
        return self._execute(inputs, self.graph.outputs, keep=False)

    def trace(self, inputs: Mapping[str, Codes]) -> dict[str, Codes]:
        """Codes of every value that is not constant, each in the narrowest integer type that holds its format."""
        wanted = [n for n, v in self.graph.values.items() if not v.constant]
        return self._execute(inputs, wanted, keep=True)


_EXECUTORS: dict[int, Executor] = {}


def executor(graph: Graph) -> Executor:
    """The executor of a graph, compiled once for as long as the graph lives."""
    found = _EXECUTORS.get(id(graph))
    if found is None:
        found = _EXECUTORS[id(graph)] = Executor(graph)
        weakref.finalize(graph, _EXECUTORS.pop, id(graph), None)
    return found


__all__ = ["Executor", "FloatType", "executor"]
