"""Let arithmetic read the value before a requantise that changes no number (a widening before a residual join).

Fixed point to fixed point, onto a grid at least as fine, with bounds that the range analysis proves to clamp nothing:
both codes stand for the same real number. Arithmetic is exact on real numbers and rounds once, at its own output, so
its result is the same from either. (A node with a multiplier computes on grid integers: it keeps what it reads, unless
both grids are one.) It is done only where every reader can (then the requantise goes) and where the
value before is no wider. A bias must stay no finer than the products; operators that read codes (tables, softmax,
movements) keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeq.errors import GraphError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, Interval, Node, operator
from edgeq.ir.operator import output_bounds
from edgeq.passes._edit import RangeCache, changed, fits, rebuilt, repeat

#: operators whose result depends on the real numbers that they read, not on the codes
_READERS = (
    "add",
    "average_pool",
    "concat",
    "conv",
    "conv_transpose",
    "linear",
    "matmul",
    "mean",
    "mul",
    "requantise",
    "sub",
)


def bypass_requantise(graph: Graph) -> Graph:
    """Every requantise that changes no number, removed where all its readers allow."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for node in graph.nodes:
            if node.op == "requantise" and _changes_nothing(graph, node, ranges):
                readers = _readers_without(graph, node, ranges.of(graph))
                if readers is not None:
                    kept = [n for n in graph.nodes if n.name != node.name]
                    return rebuilt(graph, [readers.get(n.name, n) for n in kept])
        return None

    return repeat(step, graph)


def _changes_nothing(graph: Graph, node: Node, ranges: RangeCache) -> bool:
    x, out = graph.ins(node)[0], graph.outs(node)[0]
    if not isinstance(x.format, FixedPoint) or not isinstance(out.format, FixedPoint):
        return False
    if out.name in graph.outputs or x.format.bits > out.format.bits or "multiplier" in node.attrs:
        return False
    assert isinstance(x.format.point, int)
    assert isinstance(out.format.point, int)
    shift = out.format.point - x.format.point
    interval, (lo, hi) = ranges.of(graph)[x.name], output_bounds(node, out.format)
    # A shift of more than any width can only hold zeros, which other passes fold.
    return 0 <= shift <= 64 and lo <= interval.lo << shift and interval.hi << shift <= hi


def _one_grid(graph: Graph, node: Node) -> bool:
    """Whether input and output of a requantise have the same grid integers."""
    return graph.ins(node)[0].format.frac == graph.outs(node)[0].format.frac


def _readers_without(graph: Graph, node: Node, ranges: Mapping[str, Interval]) -> dict[str, Node] | None:
    """The readers of a requantise reading what it reads; None where one of them cannot."""
    found = {}
    for reader in graph.consumers(node.outputs[0]):
        if reader.op not in _READERS or ("multiplier" in reader.attrs and not _one_grid(graph, node)):
            return None
        inputs = tuple(node.inputs[0] if i == node.outputs[0] else i for i in reader.inputs)
        moved = changed(reader, inputs=inputs)
        try:
            operator(moved.op).rule(moved, graph.ins(moved), graph.outs(moved))
        except GraphError:
            return None
        if not fits(graph, moved, graph.outs(moved)[0].format, ranges):
            return None
        found[reader.name] = moved
    return found
