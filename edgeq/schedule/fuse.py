"""Fuse: nodes of a network as patches for one step of a stretch, above all its depthwise and inverted blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgeq.ir import Graph, Node, operator
from edgeq.schedule.patch import Lower, Patches, make_patches
from edgeq.schedule.stream import MOST_ROWS


def blocks(graph: Graph) -> list[tuple[int, int]]:
    """Where a convolution of one row, a depthwise one and again one of one row follow each other: (first, count).

    Each is the only reader of the one before, whose map is the widest of the network more often than not. The first may
    be missing; an addition of what the block reads, to what it has made of it, belongs to the block.
    """
    found, at = [], 0
    while at < len(graph.nodes):
        count = next((n for n in (3, 2) if _block(graph, graph.nodes[at : at + n], n)), 0)
        if count:
            source, output = graph.nodes[at].inputs[0], graph.nodes[at + count - 1].outputs[0]
            after = graph.nodes[at + count : at + count + 1]
            joins = any(node.op == "add" and set(node.inputs) == {source, output} for node in after)
            found.append((at, count + (joins and _hidden(graph, output))))
        at += max(count, 1)
    return found


def _block(graph: Graph, nodes: Sequence[Node], count: int) -> bool:
    """Whether nodes are a block of so many convolutions."""
    if len(nodes) != count or not _depthwise(graph, nodes[-2]) or not _one_row(graph, nodes[-1]):
        return False
    links = all(b.inputs[0] == a.outputs[0] and _hidden(graph, a.outputs[0]) for a, b in pairwise(nodes))
    return links and (count == 2 or _one_row(graph, nodes[0]))


def _hidden(graph: Graph, value: str) -> bool:
    """Whether one node reads a value, and nobody else sees it."""
    return len(graph.consumers(value)) == 1 and value not in graph.outputs


def fuse(
    graph: Graph, block: Sequence[Node], grid: tuple[int, int], sizes: Mapping[str, int], lower: Lower | None
) -> Patches | None:
    """The patches of nodes, so many along rows and columns; None where they do not run by patches.

    Patches are copied out of rows and into them, so that codes of a pixel have to fill whole bytes; columns are counted
    in as many bits as rows.
    """
    maps = [graph.values[v] for v in (block[0].inputs[0], *(node.outputs[0] for node in block))]
    if any(sizes[v.name] % (v.shape[0] * v.shape[1]) or v.shape[1] > MOST_ROWS for v in maps):
        return None
    found = make_patches(graph, block, grid, sizes, name=f"fused {block[-1].name}", lower=lower)
    return None if isinstance(found, str) else found


def extra_macs(graph: Graph, patches: Patches) -> int:
    """Multiply-accumulates that patches do beyond those of their nodes."""
    nodes = [node for node in graph.nodes if node.name in patches.nodes]
    return patches.macs - sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in nodes)


def _maps(graph: Graph, node: Node) -> bool:
    return node.op == "conv" and len(graph.outs(node)[0].shape) == 3


def _one_row(graph: Graph, node: Node) -> bool:
    return _maps(graph, node) and node.integer("groups") == 1 and graph.ins(node)[1].shape[1] == 1


def _depthwise(graph: Graph, node: Node) -> bool:
    return _maps(graph, node) and node.integer("groups") == graph.ins(node)[0].shape[-1] > 1
