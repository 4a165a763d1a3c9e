"""Graph: one integer program, as immutable data.

A graph is a list of nodes in execution order over named values. A value is an integer tensor of static shape
(without the batch dimension) with a format; a constant value carries its codes. Feature maps are channels-last:
(L, C) or (H, W, C). How the user's own arrays are laid out is remembered for graph inputs and outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import GraphError, InputError
from edgeq.formats import Format

if TYPE_CHECKING:
    from edgeq.emulator import Trace

Shape = tuple[int, ...]
Attr = int | str | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the program.

    name:   unique in the graph.
    shape:  sizes without the batch dimension, all positive.
    format: what its codes mean.
    data:   the codes of a constant (int64, of `shape`), or None for what is computed or put in.
    source: name of the layer of the source network, for messages.
    """

    name: str
    shape: Shape
    format: Format
    data: npt.NDArray[np.int64] | None = None
    source: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def constant(self) -> bool:
        """Whether the codes are known when the graph is made."""
        return self.data is not None

    @cached_property
    def row_sums(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of a constant: for each index of its first axis the sum of its positive and of its negative grid integers.

        Kept, because every range analysis of every graph that shares this value asks for it.
        """
        assert self.data is not None
        grid = self.format.to_grid(self.data).reshape(self.shape[0], -1)
        positive, negative = np.maximum(grid, 0).sum(axis=1), np.minimum(grid, 0).sum(axis=1)
        return tuple(positive.tolist()), tuple(negative.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        mine = (self.name, self.shape, self.format, self.source, self.constant)
        if mine != (other.name, other.shape, other.format, other.source, other.constant):
            return False
        return self.data is None or other.data is None or bool(np.array_equal(self.data, other.data))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Node:
    """One operation: `op` names a file in `edgeq/ir/ops`, `name` is unique, `attrs` as that operator documents."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    source: str = ""

    @property
    def label(self) -> str:
        """What messages call this node: operator, name, and the user's layer where that is another word."""
        layer = f" (layer {self.source})" if self.source and self.source != self.name else ""
        return f"{self.op} {self.name}{layer}"

    def ints(self, key: str) -> tuple[int, ...]:
        """An attribute that is a tuple of ints."""
        value = self.attrs[key]
        if not isinstance(value, tuple):
            raise GraphError(f"{self.label}: attribute {key!r} must be a tuple of ints, not {value!r}")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """An attribute that is one int."""
        value = self.attrs.get(key, default)
        if not isinstance(value, int):
            raise GraphError(f"{self.label}: attribute {key!r} must be an int, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """An attribute that is a word."""
        value = self.attrs.get(key, default)
        if not isinstance(value, str):
            raise GraphError(f"{self.label}: attribute {key!r} must be text, not {value!r}")
        return value


@dataclass(frozen=True)
class Graph:
    """A whole program. `check(graph)` states its rules.

    layouts: for an input or output, the axes of the user's array that lie along the axes of the value:
             value_shape[i] == user_shape[layouts[name][i]]. Absent: the same order.
    """

    name: str
    nodes: tuple[Node, ...]
    values: Mapping[str, Value]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layouts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def ins(self, node: Node) -> list[Value]:
        """Input values of a node, in order."""
        return [self.values[name] for name in node.inputs]

    def outs(self, node: Node) -> list[Value]:
        """Output values of a node, in order."""
        return [self.values[name] for name in node.outputs]

    def producer(self, value: str) -> Node | None:
        """The node that computes a value; None for inputs and constants."""
        return next((n for n in self.nodes if value in n.outputs), None)

    def consumers(self, value: str) -> list[Node]:
        """The nodes that read a value, in execution order."""
        return [n for n in self.nodes if value in n.inputs]

    def constants(self) -> Iterator[Value]:
        """Values whose codes are known."""
        return (v for v in self.values.values() if v.constant)

    def replace(self, **changes: Any) -> Graph:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def run(self, x: Any) -> Any:
        """Run the emulator on one batch: floats in, floats out; integer codes in, codes out.

        x: an array in the layout of the source model, with a leading batch dimension; for several inputs a dict by
        name, or a list or tuple with one array for each (a list is always that: nested lists of numbers go through
        numpy.asarray first). Returns one array, or a list for several outputs.
        """
        # The one upward import: the command contract gives a graph these two methods.
        from edgeq.emulator import run

        return run(self, x)

    def trace(self, x: Any) -> Trace:
        """Run the emulator and keep the codes of every value; x as for `run`."""
        from edgeq.emulator import trace

        return trace(self, x)

    def save(self, path: Any) -> None:
        """Write `net.edgeq` (see `edgeq.ir.file`)."""
        from edgeq.ir.file import save

        save(self, path)


class GraphBuilder:
    """Puts a graph together node by node; shapes are inferred, names made unique."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.values: dict[str, Value] = {}
        self.inputs: list[str] = []
        self.layouts: dict[str, tuple[int, ...]] = {}

    def unique(self, name: str) -> str:
        """`name`, or `name_2`, `name_3`… where it is taken by a value or a node."""
        taken = self.values.keys() | {n.name for n in self.nodes}
        if name not in taken:
            return name
        return next(f"{name}_{i}" for i in range(2, len(taken) + 3) if f"{name}_{i}" not in taken)

    def input(self, name: str, shape: Iterable[int], fmt: Format, layout: tuple[int, ...] | None = None) -> str:
        """Declare a graph input; `shape` is that of the value (channels-last)."""
        name = self.unique(name)
        self.values[name] = Value(name, tuple(shape), fmt, source=name)
        self.inputs.append(name)
        if layout is not None and layout != tuple(range(len(layout))):
            self.layouts[name] = layout
        return name

    def constant(self, name: str, codes: npt.ArrayLike, fmt: Format, source: str = "") -> str:
        """Add a constant from its codes."""
        name = self.unique(name)
        data = np.array(codes, dtype=np.int64)
        data.setflags(write=False)
        self.values[name] = Value(name, data.shape, fmt, data, source)
        return name

    def node(self, op: str, name: str, inputs: Iterable[str], fmt: Format, source: str = "", **attrs: Attr) -> str:
        """Add a node with one output, named as the node is; returns the output's name."""
        from edgeq.ir.ops import operator

        name = self.unique(name)
        node = Node(op, name, tuple(inputs), (name,), attrs, source or name)
        (shape,) = operator(op, name).shapes(node, [self.values[i] for i in node.inputs])
        self.nodes.append(node)
        self.values[name] = Value(name, shape, fmt, source=source or name)
        return name

    def build(self, outputs: Iterable[str], layouts: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
        """The finished, checked graph."""
        from edgeq.ir.check import check

        merged = {**self.layouts, **(layouts or {})}
        graph = Graph(self.name, tuple(self.nodes), dict(self.values), tuple(self.inputs), tuple(outputs), merged)
        check(graph)
        return graph


def expect_graph(net: object, place: str) -> None:
    """InputError unless `net` is a Graph; people hand over the path or the torch module instead."""
    if not isinstance(net, Graph):
        raise InputError(
            f"{place}: takes a network as edgeq.export or edgeq.load(path) returns it, not {type(net).__name__}"
        )
