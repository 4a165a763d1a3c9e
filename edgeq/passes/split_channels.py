"""Split a convolution and the pool that alone reads it into slices of channels, one after the other.

The map between them is then alive a slice at a time, which is what a wide last convolution before a mean over the whole
map needs. Every output channel is computed from the same numbers as before, so all codes stay; the pool's output is put
together by a concat that keeps its name. This makes a graph longer, so it is no part of `optimise`: who plans memory
asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgeq.formats import Affine, FixedPoint
from edgeq.ir import Attr, Graph, Node, Value
from edgeq.passes._channels import sliced_format, sliced_multipliers
from edgeq.passes._edit import changed, constant, fresh, only_reader, replaced

#: operators without weights that treat the channels of a map apart
_POOLS = frozenset({"mean", "average_pool", "max_pool"})
#: channels of a slice are a multiple of this, since kernels compute several at a time
UNIT = 8


@dataclass(frozen=True)
class Split:
    """A graph with slices in place of some values: `pieces` names them in order, along the value's last axis."""

    graph: Graph
    pieces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: int = 1


def split_channels(graph: Graph, most: int) -> Split:
    """Every such pair in `most` slices, or as many below as divide its channels evenly; `parts`: the most there are."""
    pieces: dict[str, tuple[str, ...]] = {}
    found = 1
    for conv, pool in pairs(graph):
        count = _count(graph.values[conv.outputs[0]].shape[-1], most)
        if count > 1:
            graph, names = _split(graph, conv, pool, count)
            pieces[conv.outputs[0]], found = names, max(found, count)
    return Split(graph, pieces, found)


def pairs(graph: Graph) -> list[tuple[Node, Node]]:
    """Convolutions with constant weights, and the pool that alone reads each."""
    found = []
    for node in graph.nodes:
        pool = only_reader(graph, node.outputs[0]) if node.op == "conv" else None
        if pool is None or pool.op not in _POOLS or node.integer("groups") != 1:
            continue
        values = [*graph.outs(node), *graph.outs(pool)]
        if all(v.constant for v in graph.ins(node)[1:]) and _apart(graph, pool) and all(map(_joins, values)):
            found.append((node, pool))
    return found


def _apart(graph: Graph, pool: Node) -> bool:
    """Whether the pool has feature maps and leaves their channels alone."""
    (x,) = graph.ins(pool)
    return len(x.shape) == 3 and (pool.op != "mean" or len(x.shape) - 1 not in pool.ints("axes"))


def _joins(value: Value) -> bool:
    """Whether a concat of slices keeps every code; a minifloat has two for zero."""
    return isinstance(value.format, FixedPoint | Affine)


def _count(channels: int, most: int) -> int:
    return max((n for n in range(1, most + 1) if channels % (n * UNIT) == 0), default=1)


def _split(graph: Graph, conv: Node, pool: Node, count: int) -> tuple[Graph, tuple[str, ...]]:
    """The graph with slices of the two nodes where the pool was; the names of the convolution's slices."""
    made: list[Node] = []
    values, names = dict(graph.values), list[str]()
    each = graph.outs(conv)[0].shape[-1] // count
    joined = list[str]()
    for i in range(count):
        for node, source in ((conv, conv.inputs[0]), (pool, "")):
            known = graph.replace(values=values, nodes=(*graph.nodes, *made))
            small, more = _slice(known, node, source or names[-1], i, range(i * each, (i + 1) * each))
            made.append(small)
            values |= {value.name: value for value in more}
            (names if node is conv else joined).append(small.outputs[0])
    (out,) = graph.outs(pool)
    join = Node("concat", pool.name, tuple(joined), pool.outputs, {"axis": len(out.shape) - 1}, pool.source)
    return replaced(graph, {conv.name: (), pool.name: (*made, join)}, values), tuple(names)


def _slice(graph: Graph, node: Node, source: str, index: int, channels: range) -> tuple[Node, list[Value]]:
    """A node on some of its output channels, with the constants and the value that it needs."""
    keep = np.arange(channels.start, channels.stop, dtype=np.int64)
    values: list[Value] = []
    for value in graph.ins(node)[1:]:
        assert value.data is not None
        grown = graph.replace(values={**graph.values, **{v.name: v for v in values}})
        codes, fmt = value.data[keep], sliced_format(value, keep)
        values.append(constant(grown, f"{value.name}.{index}", codes, fmt, value.source))
    (out,) = graph.outs(node)
    name = fresh(graph, f"{out.name}.{index}")
    inputs = (source, *(v.name for v in values))
    values.append(Value(name, (*out.shape[:-1], len(keep)), out.format, None, out.source))
    attrs: dict[str, Attr] = {**node.attrs, **sliced_multipliers(node, keep)}
    label = fresh(graph, f"{node.name}.{index}")
    return changed(node, name=label, inputs=inputs, outputs=(name,), attrs=attrs), values
