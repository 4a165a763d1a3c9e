"""Comparing traces of one graph tensor by tensor in execution order, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.ir import Graph
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
    skipped: set[str] = field(default_factory=set)
    differing: dict[str, int] = field(default_factory=dict)
    first: Divergence | None = None
    _rank: int = 1 << 62

    def add(self, one: AnyTrace, other: AnyTrace, may_skip: bool = False) -> None:
        """Compare one batch. Integer arrays are codes, float arrays are real numbers.

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
            wrong = differences(self.graph, name, a, b)
            self._count(name, a.size, int(wrong.sum()))
            if wrong.any() and rank < self._rank:
                self._rank = rank
                self.first = explain(self.graph, name, wrong, a, b, one, other, self.samples)
        self.samples += batch

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

    def _count(self, name: str, size: int, wrong: int) -> None:
        if name not in self.graph.inputs:
            self.compared.add(name)
            self.values += size
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
