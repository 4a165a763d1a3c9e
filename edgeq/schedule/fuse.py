"""Fuse: the inverted blocks of a network, and each as patches of one row, for a fused step of a stretch by rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgeq.ir import Graph, Node, operator
from edgeq.schedule.patch import Patches, make_patches


def expanding(graph: Graph) -> list[tuple[int, int]]:
    """Where a convolution of one row, a depthwise one and again one of one row follow each other: (first, count).

    Each is the only reader of the one before, whose map is the widest of the network more often than not.
    """
    found = []
    for at in range(len(graph.nodes) - 2):
        block = graph.nodes[at : at + 3]
        if _one_row(graph, block[0]) and _depthwise(graph, block[1]) and _one_row(graph, block[2]):
            links = all(b.inputs[0] == a.outputs[0] for a, b in pairwise(block))
            inner = [node.outputs[0] for node in block[:-1]]
            if links and all(len(graph.consumers(v)) == 1 and v not in graph.outputs for v in inner):
                found.append((at, 3))
    return found


def fuse(
    graph: Graph, block: Sequence[Node], columns: int, sizes: Mapping[str, int], scratch: Mapping[str, int]
) -> Patches | None:
    """The patches of a block, one row and at most so many columns each; None where it does not run by patches."""
    height, width, _ = graph.outs(block[-1])[0].shape
    tiles = -(-width // min(columns, width))
    found = make_patches(graph, block, (height, tiles), sizes, name=f"fused {block[-1].name}", scratch=scratch)
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
