"""Merge a `pad` with zeros into the padding of the convolution or pool that reads it.

conv: its own padding is the value zero, so that a window reads the same numbers from either.
average_pool: with include_pad 1 the divisor is the window's size wherever it lies; an unpadded pool with include_pad 0
divides by the window's size everywhere, too, and counts the former elements of the pad once it is told to include them.
max_pool: padding never wins, and neither does a zero where the range analysis proves every element to be at least zero
and each window still sees an element.
"""

from __future__ import annotations

from edgeq.errors import GraphError
from edgeq.ir import Attr, Graph, Node, operator
from edgeq.passes._edit import RangeCache, changed, rebuilt, repeat
from edgeq.passes.dead_code import remove_dead_code


def merge_pad(graph: Graph) -> Graph:
    """Every pad of zeros on spatial axes that a reader can take over."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for pad in graph.nodes:
            spatial = _spatial_zeros(pad)
            for reader in graph.consumers(pad.outputs[0]) if spatial else ():
                attrs = _merged(graph, pad, reader, spatial, ranges)
                if attrs is None:
                    continue
                node = changed(reader, inputs=(pad.inputs[0], *reader.inputs[1:]), attrs=attrs)
                nodes = [node if n.name == reader.name else n for n in graph.nodes]
                return remove_dead_code(rebuilt(graph, nodes))
        return None

    return repeat(step, graph)


def _spatial_zeros(pad: Node) -> tuple[int, ...]:
    """The padding of the spatial axes of a pad with zeros that leaves the channels alone; else nothing."""
    if pad.op != "pad" or pad.text("mode") != "constant" or pad.integer("value", 0) != 0:
        return ()
    padding = pad.ints("padding")
    return () if any(padding[-2:]) else padding[:-2]


def _merged(
    graph: Graph, pad: Node, reader: Node, padding: tuple[int, ...], ranges: RangeCache
) -> dict[str, Attr] | None:
    """Attributes of the reader with the pad in it; None where that would change a result."""
    if reader.op not in ("conv", "average_pool", "max_pool"):
        return None
    total = tuple(a + b for a, b in zip(padding, reader.ints("padding"), strict=True))
    attrs: dict[str, Attr] = {**reader.attrs, "padding": total}
    if reader.op == "average_pool" and not reader.integer("include_pad"):
        if any(reader.ints("padding")):
            return None
        attrs["include_pad"] = 1
    if reader.op == "max_pool" and ranges.of(graph)[pad.inputs[0]].lo < 0:
        return None
    node = changed(reader, inputs=(pad.inputs[0], *reader.inputs[1:]), attrs=attrs)
    try:
        operator(node.op).shapes(node, graph.ins(node))
    except GraphError:
        return None
    return attrs
