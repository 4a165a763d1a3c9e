"""conv: a line buffer and a matrix engine; a depthwise engine where every channel has a filter of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeq.fpga.folding import Work
from edgeq.fpga.lowering import Codes, Lowering, fail
from edgeq.fpga.ops._engine import Window, channel_engine, matrix_engine, matrix_work, window_of
from edgeq.ir import Graph, Node


def _window(graph: Graph, node: Node) -> Window:
    x, weight = graph.ins(node)[:2]
    return window_of(node, x.shape, weight.shape[1:-1], graph.outs(node)[0].shape)


def _depthwise(graph: Graph, node: Node) -> bool:
    x, weight = graph.ins(node)[:2]
    return node.integer("groups") == x.shape[-1] == weight.shape[0] and x.shape[-1] > 1


def dense(graph: Graph, node: Node) -> Codes:
    """Weights (rows, kernel rows, kernel columns, channels); groups become zeros elsewhere."""
    x, weight = graph.ins(node)[:2]
    assert weight.data is not None
    grid, groups = weight.format.to_grid(weight.data), node.integer("groups")
    grid = grid.reshape(grid.shape[0], -1, *grid.shape[-2:]) if grid.ndim == 4 else grid[:, None]
    rows, each = len(grid) // groups, grid.shape[-1]
    full = np.zeros((*grid.shape[:-1], x.shape[-1]), dtype=np.int64)
    for group in range(groups):
        part = slice(group * rows, (group + 1) * rows)
        full[part, ..., group * each : (group + 1) * each] = grid[part]
    return full


def work(graph: Graph, node: Node, style: str) -> Work:
    """What the engine has to do."""
    window, x = _window(graph, node), graph.ins(node)[0]
    if _depthwise(graph, node):
        grid = graph.ins(node)[1]
        assert grid.data is not None
        if style == "constant":
            raise fail(node, "is depthwise, which has no engine of constant weights; use style dsp or lut")
        found = matrix_work(style, node, x, grid.format.to_grid(grid.data), window)
        return replace(found, depthwise=True, digits=0)
    return matrix_work(style, node, x, dense(graph, node), window)


def lower(ctx: Lowering, node: Node) -> None:
    """Window, engine, output stage."""
    x, weight = ctx.graph.ins(node)[:2]
    window = _window(ctx.graph, node)
    if not _depthwise(ctx.graph, node):
        matrix_engine(ctx, node, ctx.operand(x), window, dense(ctx.graph, node))
        return
    assert weight.data is not None
    channel_engine(
        ctx, node, ctx.operand(x), window, weight.format.to_grid(weight.data).reshape(x.shape[-1], window.taps)
    )
