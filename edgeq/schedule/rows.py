"""Rows: which nodes can compute one row of their output from a few rows of their inputs, and as which smaller node.

A row is what a feature map (H, W, C) holds at one index of H. A node that can is run unchanged on a smaller problem: as
many input rows as its window spans, one output row, no padding above or below, because padding rows are in the buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeq.ir import Graph, Node, Value

#: nodes with more inputs that are rows are run whole
MAX_EDGES = 4
_ELEMENTWISE = frozenset({"add", "sub", "mul", "minimum", "maximum", "requantise", "table", "prelu", "sigmoid_lines"})


@dataclass(frozen=True)
class Window:
    """The rows of one input that a row of output needs: `rows` of them from row `stride` * output row - `top`.

    bottom: rows below the last that the last window sees; fill: the code of rows that lie outside.
    clipped: of its rows only those that the input has are needed.
    """

    value: str
    rows: int = 1
    stride: int = 1
    top: int = 0
    bottom: int = 0
    fill: int = 0
    clipped: bool = False

    @property
    def padded(self) -> bool:
        """Whether some window has to see a row outside of the input."""
        return not self.clipped and (self.top > 0 or self.bottom > 0)

    def span(self, row: int, height: int) -> tuple[int, int]:
        """First row, and the one after the last, that row `row` of output needs of an input of `height` rows."""
        first = row * self.stride - self.top
        end = first + self.rows
        if self.clipped:  # to a row at least
            first = min(max(first, 0), height - 1)
            end = min(max(end, first + 1), height)
        return first, end


def windows(graph: Graph, node: Node) -> tuple[Window, ...] | str:
    """The windows of a node's inputs that are not constant, in order; or why it does not run by rows."""
    ins, (out,) = graph.ins(node), graph.outs(node)
    maps = [v for v in ins if not v.constant]
    if len(out.shape) != 3 or any(len(v.shape) != 3 for v in maps):
        return "its values are no feature maps of rows and columns"
    if not 1 <= len(maps) <= MAX_EDGES:
        return f"{len(maps)} of its inputs are computed"
    if node.op in ("conv", "max_pool", "average_pool"):
        return _sliding(node, ins, out)
    if node.op == "concat":
        return (
            _apart(maps) if node.integer("axis") in (2, -1) and len(maps) == len(ins) else "it does not join channels"
        )
    if node.op not in _ELEMENTWISE:
        return f"operator {node.op} has no form by rows"
    for value in ins:
        if value.constant and len(value.shape) >= 3 and value.shape[-3] != 1:
            return f"constant {value.name} differs from row to row"
        if not value.constant and value.shape[0] != out.shape[0]:
            return f"{value.name} is spread over the rows"
    return _apart(maps)


def _apart(maps: list[Value]) -> tuple[Window, ...]:
    return tuple(Window(v.name) for v in maps)


def _sliding(node: Node, ins: list[Value], out: Value) -> tuple[Window, ...] | str:
    x = ins[0]
    if node.op == "conv" and not all(v.constant for v in ins[1:]):
        return "its weights are computed"
    found = sliding(node, ins, out, 0)
    if node.op == "average_pool" and node.integer("include_pad") == 0 and found.padded:
        return "its divisor differs at the border"
    return (replace(found, value=x.name),)


def sliding(node: Node, ins: list[Value], out: Value, axis: int) -> Window:
    """The window of a convolution or pool along one spatial axis."""
    x = ins[0]
    kernel = ins[1].shape[1 + axis] if node.op == "conv" else node.ints("kernel")[axis]
    dilation = node.ints("dilation")[axis] if "dilation" in node.attrs else 1
    span, stride, begin = dilation * (kernel - 1) + 1, node.ints("stride")[axis], node.ints("padding")[2 * axis]
    end = max((out.shape[axis] - 1) * stride - begin + span - x.shape[axis], 0)
    # What pads: the value zero, or for a maximum what never wins over an element.
    fill = _code(x, x.format.grid_range[0]) if node.op == "max_pool" else zero_code(x)
    return Window(x.name, span, stride, begin, end, fill)


def zero_code(value: Value) -> int:
    """The code of the number zero."""
    return _code(value, 0)


def _code(value: Value, grid: int) -> int:
    return int(value.format.from_grid(np.asarray(grid, dtype=np.int64)))


def row_graph(graph: Graph, node: Node) -> tuple[Graph, Node]:
    """The node as it computes one row, in a graph of its operands; ranges of the whole node hold for it too."""
    seen = windows(graph, node)
    assert not isinstance(seen, str), seen
    height = {w.value: w.rows for w in seen}
    values = {
        v.name: replace(v, shape=(height.get(v.name, 1), *v.shape[1:])) if not v.constant else v
        for v in (*graph.ins(node), *graph.outs(node))
    }
    attrs = dict(node.attrs)
    if "padding" in attrs:
        attrs["padding"] = (0, 0, *node.ints("padding")[2:])
    small = replace(node, attrs=attrs)
    return Graph(graph.name, (small,), values, tuple(height), node.outputs), small
