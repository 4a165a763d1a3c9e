"""conv_transpose: a convolution over the input with zeros between its elements and around them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.fpga.folding import Work
from edgeq.fpga.lowering import Codes, Lowering, zero_of
from edgeq.fpga.ops._engine import Window, matrix_engine, matrix_work
from edgeq.fpga.ops.conv import dense
from edgeq.ir import Graph, Node


def _spread(graph: Graph, node: Node) -> npt.NDArray[np.int64]:
    """For each element of the spread input the element of x that it is (flat), or -1 for a zero.

    Output o sees, under tap t of the mirrored kernel, place o + t * dilation of it.
    """
    x, weight, out = graph.ins(node)[0], graph.ins(node)[1], graph.outs(node)[0]
    index = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    for axis in range(len(x.shape) - 1):
        stride, dilation = node.ints("stride")[axis], node.ints("dilation")[axis]
        reach = (weight.shape[1 + axis] - 1) * dilation
        place = np.arange(out.shape[axis] + reach) + node.ints("padding")[2 * axis] - reach
        there = (place % stride == 0) & (place >= 0) & (place // stride < x.shape[axis])
        index = index.take(np.where(there, place // stride, 0), axis=axis)
        shape = [1] * index.ndim
        shape[axis] = -1
        index = np.where(there.reshape(shape), index, -1)
    return index


def _window(graph: Graph, node: Node) -> Window:
    weight, out = graph.ins(node)[1], graph.outs(node)[0]
    kernel, dilation = weight.shape[1:-1], node.ints("dilation")
    sizes = [o + (k - 1) * d for o, k, d in zip(out.shape[:-1], kernel, dilation, strict=True)]
    if len(sizes) == 1:
        sizes, kernel, dilation = [*sizes, 1], (*kernel, 1), (*dilation, 1)
    places = (out.shape[0], out.shape[1] if len(out.shape) == 3 else 1)
    channels = graph.ins(node)[0].shape[-1]
    return Window(sizes[0], sizes[1], channels, (kernel[0], kernel[1]), dilation=(dilation[0], dilation[1]), out=places)


def _mirrored(graph: Graph, node: Node) -> Codes:
    return np.ascontiguousarray(dense(graph, node)[:, ::-1, ::-1])


def work(graph: Graph, node: Node, style: str) -> Work:
    """What the engine has to do, products with zeros included."""
    return matrix_work(style, node, graph.ins(node)[0], _mirrored(graph, node), _window(graph, node))


def lower(ctx: Lowering, node: Node) -> None:
    """Zeros are put in by a frame buffer."""
    x = ctx.graph.ins(node)[0]
    spread = ctx.move(ctx.operand(x), _spread(ctx.graph, node), zero_of(x.format), name="spread")
    matrix_engine(ctx, node, spread, _window(ctx.graph, node), _mirrored(ctx.graph, node))
