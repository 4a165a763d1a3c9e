"""Comparing traces of one graph tensor by tensor in execution order, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.ir import Graph
from edgeq.schedule.guards import Guard, guards
from edgeq.verify.explain import explain
from edgeq.verify.result import Divergence, VerifyResult

#: value name -> codes (or real numbers, from a float reference), batch first
AnyTrace = Mapping[str, npt.NDArray[Any]]


@dataclass
class Comparison:
    """Collects the outcome over batches; `add` each pair of traces, then read `result`.

    The first divergence is the earliest in execution order over all batches, so that a layer is blamed before
    what it spoils downstream, whichever sample shows it.
    """

    graph: Graph
    sides: tuple[str, str]
    samples: int = 0
    values: int = 0
    mismatches: int = 0
    compared: set[str] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    differing: dict[str, int] = field(default_factory=dict)
    first: Divergence | None = None
    _rank: int = 1 << 62

    def add(self, one: AnyTrace, other: AnyTrace, may_skip: bool = False) -> None:
        """Compare one batch. Integer arrays are codes, float arrays are real numbers; masked samples are not there.

        A machine that leaves out what an input does not need masks those samples. They are not compared, but counted,
        and where the conditions in its own trace do not say so (edgeq/schedule/guards.py) an absent sample is an error.
        With `may_skip` a computed value may be absent from a trace (a float reference does not show fused layers);
        otherwise an absent value is an error, since an unseen tensor must not count as equal.
        """
        batch = 0
        for rank, name in enumerate(execution_order(self.graph)):
            if name not in one or name not in other:
                self._absent(name, one, other, may_skip)
                continue
            a, b = self._array(name, one[name], self.sides[0]), self._array(name, other[name], self.sides[1])
            if a.shape != b.shape:
                raise InputError(f"{name}: {self.sides[0]} has {a.shape}, {self.sides[1]} has {b.shape}")
            batch = a.shape[0]
            there = self._there(name, one, 0) & self._there(name, other, 1)
            wrong = differences(self.graph, name, np.ma.getdata(a), np.ma.getdata(b))
            wrong &= there.reshape(-1, *(1 for _ in a.shape[1:]))
            self._count(name, int(there.sum()) * a[0].size, int(wrong.sum()), int((~there).sum()))
            if wrong.any() and rank < self._rank:
                self._rank = rank
                self.first = explain(self.graph, name, wrong, a, b, one, other, self.samples)
        self.samples += batch

    def _there(self, name: str, trace: AnyTrace, side: int) -> npt.NDArray[np.bool_]:
        """The samples of a value that a trace has; InputError where its own conditions do not explain an absent one."""
        array = trace[name]
        whole = np.ones(len(array), dtype=np.bool_)
        if not isinstance(array, np.ma.MaskedArray):
            return whole
        absent = np.ma.getmaskarray(array).reshape(len(array), -1).any(axis=1)
        needed = whole.copy()
        for condition, code in self._guards.get(name, ()):
            needed &= np.ma.getdata(trace[condition]).reshape(len(array)) == code
        if (absent & needed).any():
            raise InputError(
                f"{self.sides[side]} does not show the tensor {name!r} of sample "
                f"{self.samples + int(np.argmax(absent & needed))}, which needs it; equality cannot be claimed"
            )
        return np.asarray(~absent)

    @cached_property
    def _guards(self) -> dict[str, Guard]:
        """Value -> conditions without which it need not be computed."""
        found = guards(self.graph)
        return {node.outputs[0]: found[node.name] for node in self.graph.nodes if node.name in found}

    def _absent(self, name: str, one: AnyTrace, other: AnyTrace, may_skip: bool) -> None:
        if name in self.graph.inputs:
            return  # what goes in is given, not computed
        if not may_skip:
            side = self.sides[0] if name not in one else self.sides[1]
            raise InputError(f"{side} does not show the tensor {name!r}; without it equality cannot be claimed")
        self.skipped.add(name)

    def _array(self, name: str, array: npt.NDArray[Any], side: str) -> npt.NDArray[Any]:
        value = self.graph.values[name]
        if array.ndim != len(value.shape) + 1 or array.shape[1:] != value.shape:
            raise InputError(f"{side}: tensor {name!r} has shape {array.shape[1:]}, the graph says {value.shape}")
        if array.dtype.kind not in "iuf":
            raise InputError(f"{side}: tensor {name!r} has type {array.dtype}; codes or floats are compared")
        return array

    def _count(self, name: str, size: int, wrong: int, left_out: int) -> None:
        if name not in self.graph.inputs:
            self.compared |= {name} if size else set()
            self.values += size
        if left_out:
            self.left_out[name] = self.left_out.get(name, 0) + left_out
        self.mismatches += wrong
        if wrong:
            self.differing[name] = self.differing.get(name, 0) + wrong

    def result(self) -> VerifyResult:
        """What was found so far."""
        first = self.first
        if first is not None:
            first = replace(first, differing=self.differing[first.value])
        return VerifyResult(
            self.sides,
            self.samples,
            len(self.compared),
            self.values,
            self.mismatches,
            first,
            tuple(name for name in execution_order(self.graph) if name in self.skipped),
            {name: self.left_out[name] for name in execution_order(self.graph) if name in self.left_out},
        )


def execution_order(graph: Graph) -> list[str]:
    """Names of all values that are not constant: inputs, then outputs of nodes in order."""
    return [*graph.inputs, *(name for node in graph.nodes for name in node.outputs)]


def differences(graph: Graph, name: str, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where two arrays of the value `name` differ; codes against codes, or real numbers where one side has floats."""
    if a.dtype.kind == b.dtype.kind == "f" or "f" not in (a.dtype.kind, b.dtype.kind):
        return np.asarray(a != b) if a.dtype.kind != "f" else np.asarray((a != b) | np.isnan(a) | np.isnan(b))
    fmt = graph.values[name].format
    real_a = a if a.dtype.kind == "f" else fmt.decode(a)
    real_b = b if b.dtype.kind == "f" else fmt.decode(b)
    return np.asarray(real_a.astype(np.float64) != real_b.astype(np.float64))


def compare_traces(
    graph: Graph, one: AnyTrace, other: AnyTrace, sides: tuple[str, str] = ("first", "second"), may_skip: bool = False
) -> VerifyResult:
    """Compare two traces of one batch."""
    comparison = Comparison(graph, sides)
    comparison.add(one, other, may_skip)
    return comparison.result()
