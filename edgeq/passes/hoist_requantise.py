"""Move a requantise up through movements, so that it fuses into the arithmetic before them (conv -> pool -> ReLU).

A requantise treats elements apart and is monotone: moving elements first or last makes no difference, and the greatest
of a window stays the greatest. The number that a pad fills with is requantised with the rest. Nothing is moved unless
`fuse_requantise` can then make one node of arithmetic and requantise, so that the graph only gets shorter.
"""

from __future__ import annotations

import numpy as np

from edgeq.formats import DEFAULT_RULE, Format, encode
from edgeq.ir import Attr, Graph, Node, Value, operator
from edgeq.ir.operator import Movement, frac_of, output_bounds
from edgeq.passes._edit import RangeCache, changed, fresh, only_reader, repeat, replaced
from edgeq.passes.fuse_requantise import fused


def hoist_requantise(graph: Graph) -> Graph:
    """Every requantise behind movements that the node before them can take."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for node in graph.nodes:
            if (
                node.op == "requantise"
                and "multiplier" not in node.attrs
                and (found := _hoisted(graph, node, ranges)) is not None
            ):
                return found
        return None

    return repeat(step, graph)


def _hoisted(graph: Graph, last: Node, ranges: RangeCache) -> Graph | None:
    chain = _movements(graph, last)
    producer = graph.producer(chain[0].inputs[0]) if chain else None
    if producer is None or only_reader(graph, producer.outputs[0]) is None:
        return None
    middle, out = graph.values[producer.outputs[0]], graph.outs(last)[0]
    first = Value(fresh(graph, f"{out.name}_first"), middle.shape, out.format, None, out.source)
    new: dict[str, tuple[Node, ...]] = {last.name: ()}
    values = {first.name: first}
    source = first.name
    for node in chain:
        final = node is chain[-1]
        value = graph.outs(node)[0]
        name = out.name if final else fresh(graph, f"{value.name}_{out.name}")
        values[name] = Value(name, value.shape, out.format, None, out.source if final else value.source)
        moved = changed(node, inputs=(source,), outputs=(name,), attrs=_attrs(node, last, middle.format, out.format))
        new[node.name] = (moved,)
        source = name
    requantise = changed(last, inputs=(middle.name,), outputs=(first.name,))
    new[chain[0].name] = (requantise, *new[chain[0].name])
    return fused(replaced(graph, new, values), producer, requantise, ranges)


def _movements(graph: Graph, last: Node) -> list[Node]:
    """The movements between arithmetic and a requantise, each read by the next only; first to last."""
    chain: list[Node] = []
    reader, node = last, graph.producer(last.inputs[0])
    while node is not None and isinstance(operator(node.op), Movement):
        if only_reader(graph, node.outputs[0]) is not reader:
            return []
        chain.insert(0, node)
        reader, node = node, graph.producer(node.inputs[0])
    return chain


def _attrs(node: Node, last: Node, first: Format, fmt: Format) -> dict[str, Attr]:
    """A movement's attributes on requantised codes."""
    attrs = dict(node.attrs)
    if node.op == "pad":
        fill = np.array([[node.integer("value", 0)]], dtype=np.int64)
        frac = frac_of(Value("x", (1,), first))
        grid = encode(fill, np.asarray(frac), fmt, last.text("rounding", DEFAULT_RULE))
        attrs["value"] = int(np.clip(grid, *output_bounds(last, fmt))[0, 0])
    return attrs
