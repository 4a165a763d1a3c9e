"""linear: a vector buffer and a matrix engine."""

from __future__ import annotations

from edgeq.fpga.folding import Work
from edgeq.fpga.lowering import Codes, Lowering, rows_of
from edgeq.fpga.ops._engine import Window, matrix_engine, matrix_work
from edgeq.ir import Graph, Node


def _window(graph: Graph, node: Node) -> Window:
    x = graph.ins(node)[0]
    rows = rows_of(x.shape)
    return Window(rows, 1, x.shape[-1], out=(rows, 1))


def _weight(graph: Graph, node: Node) -> Codes:
    weight = graph.ins(node)[1]
    assert weight.data is not None
    return weight.format.to_grid(weight.data)[:, None, None, :]


def work(graph: Graph, node: Node, style: str) -> Work:
    """What the engine has to do."""
    return matrix_work(style, node, graph.ins(node)[0], _weight(graph, node), _window(graph, node))


def lower(ctx: Lowering, node: Node) -> None:
    """Vectors one after another, as pixels of an image one wide."""
    graph = ctx.graph
    matrix_engine(ctx, node, ctx.operand(graph.ins(node)[0]), _window(graph, node), _weight(graph, node))
