"""Editing an immutable graph: what every pass needs to replace nodes and values and to keep the rest tidy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from edgeq.errors import RangeError
from edgeq.formats import Format
from edgeq.formats.format import ENCODE_LIMIT
from edgeq.ir import Graph, Interval, Node, Value, analyse, operator
from edgeq.ir.ranges import accumulator

#: one rewrite: a new graph, or None where nothing matches
Step = Callable[[Graph], Graph | None]


def repeat(step: Step, graph: Graph) -> Graph:
    """Rewrite until nothing matches; the very same graph comes back where nothing did."""
    while (changed := step(graph)) is not None:
        graph = changed
    return graph


def fresh(graph: Graph, name: str) -> str:
    """`name`, or `name_2`, `name_3`… where a value or node has it."""
    taken = graph.values.keys() | {n.name for n in graph.nodes}
    if name not in taken:
        return name
    return next(f"{name}_{i}" for i in range(2, len(taken) + 3) if f"{name}_{i}" not in taken)


def rebuilt(graph: Graph, nodes: Iterable[Node], values: Mapping[str, Value] | None = None) -> Graph:
    """The graph with other nodes and some values changed or added; values that nothing uses are left out."""
    nodes = tuple(nodes)
    known = {**graph.values, **(values or {})}
    used = {name for node in nodes for name in (*node.inputs, *node.outputs)} | set(graph.inputs)
    kept = {name: value for name, value in known.items() if name in used}
    return graph.replace(nodes=nodes, values=kept)


def replaced(graph: Graph, new: Mapping[str, Iterable[Node]], values: Mapping[str, Value] | None = None) -> Graph:
    """The graph with each node named in `new` replaced by the nodes there (none removes it)."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += new.get(node.name, (node,))
    return rebuilt(graph, nodes, values)


def changed(node: Node, **fields: object) -> Node:
    """A copy of a node with some fields changed."""
    parts = {"op": node.op, "name": node.name, "inputs": node.inputs, "outputs": node.outputs}
    return Node(**{**parts, "attrs": node.attrs, "source": node.source, **fields})  # type: ignore[arg-type]


def with_shape(value: Value, shape: tuple[int, ...]) -> Value:
    """A computed value of another shape."""
    return Value(value.name, shape, value.format, None, value.source)


def constant(graph: Graph, name: str, codes: npt.NDArray[np.int64], fmt: Format, source: str = "") -> Value:
    """A new constant under a free name."""
    data = np.ascontiguousarray(codes, dtype=np.int64)
    data.setflags(write=False)
    return Value(fresh(graph, name), data.shape, fmt, data, source)


def remade(graph: Graph, old: Value, codes: npt.NDArray[np.int64], fmt: Format | None = None) -> Value:
    """A constant in place of `old` for one reader: it keeps the name, unless others read `old` as well."""
    made = constant(graph, old.name, codes, fmt or old.format, old.source)
    if reads(graph, old.name) > 1:
        return made
    return Value(old.name, made.shape, made.format, made.data, made.source)


def reads(graph: Graph, value: str) -> int:
    """How often a value is read, by nodes and by the outside."""
    return sum(node.inputs.count(value) for node in graph.nodes) + graph.outputs.count(value)


def only_reader(graph: Graph, value: str) -> Node | None:
    """The one node that reads a value once, where nothing else does."""
    if value in graph.outputs or value in graph.inputs or reads(graph, value) != 1:
        return None
    return graph.consumers(value)[0]


def forward(graph: Graph, node: Node) -> Graph | None:
    """Remove a node whose output equals its first input, code for code.

    Readers take the input instead. A graph output keeps its name: the producer of the input takes it over, which is
    impossible (None) where the input is an input, constant or output of the graph itself.
    """
    (out,), source = node.outputs, node.inputs[0]
    if out not in graph.outputs:
        return rebuilt(graph, [_reading(n, out, source) for n in graph.nodes if n.name != node.name])
    producer = graph.producer(source)
    if producer is None or source in graph.outputs:
        return None
    nodes = [_reading(n, source, out) for n in graph.nodes if n.name != node.name]
    nodes = [changed(n, outputs=(out,)) if n.name == producer.name else n for n in nodes]
    shape = with_shape(graph.values[out], graph.values[source].shape)
    return rebuilt(graph, nodes, {out: shape})


def _reading(node: Node, old: str, new: str) -> Node:
    if old not in node.inputs:
        return node
    return changed(node, inputs=tuple(new if i == old else i for i in node.inputs))


def fits(graph: Graph, node: Node, fmt: Format, ranges: Mapping[str, Interval]) -> bool:
    """Whether 63 bits hold the accumulation of `node` with the output format `fmt`; wider ones are exact, and slow."""
    bounds = operator(node.op).bounds(node, graph.ins(node), [ranges[name] for name in node.inputs])
    if bounds is None:
        return True
    try:
        return accumulator(node, bounds, fmt).bits <= ENCODE_LIMIT.bit_length()
    except RangeError:
        return False


class RangeCache:
    """Ranges of the graph that was asked for last."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._known: Mapping[str, Interval] = {}

    def of(self, graph: Graph) -> Mapping[str, Interval]:
        """Ranges of all values of `graph`."""
        if graph is not self._graph:
            self._graph, self._known = graph, analyse(graph).values
        return self._known
