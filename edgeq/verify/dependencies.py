"""Which elements of its operands one output element is computed from, operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from edgeq.ir import Node, Value, operator
from edgeq.ir.operator import Movement
from edgeq.ir.ops.resize_bilinear import positions

Index = tuple[int, ...]
#: operand position -> indices that take part, in the order in which the operator's documentation walks them
Parts = dict[int, list[Index]]


def dependencies(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """Indices (without batch) of each operand that the output element at `index` is computed from."""
    rule = _RULES.get(node.op)
    if rule is not None:
        return rule(node, ins, index)
    if isinstance(operator(node.op), Movement):
        return _moved(node, ins, index)
    return {i: list(np.ndindex(*value.shape)) for i, value in enumerate(ins)}


def _window(node: Node, kernel: Index, sizes: Index, at: Index) -> list[tuple[Index, Index]]:
    """(tap, input position) of every tap of the window at output position `at` that lies inside the input."""
    stride, padding = node.ints("stride"), node.ints("padding")
    dilation = node.ints("dilation") if "dilation" in node.attrs else (1,) * len(kernel)
    found = []
    for tap in product(*(range(k) for k in kernel)):
        steps = zip(at, stride, padding[::2], tap, dilation, strict=True)
        where = tuple(o * s - p + t * d for o, s, p, t, d in steps)
        if all(0 <= p < n for p, n in zip(where, sizes, strict=True)):
            found.append((tap, where))
    return found


def _channels(node: Node, ins: Sequence[Value], channel: int) -> range:
    """Input channels that output channel `channel` of a convolution reads."""
    per_group = ins[1].shape[-1]
    group = channel // (ins[1].shape[0] // node.integer("groups"))
    return range(group * per_group, (group + 1) * per_group)


def _weighted(ins: Sequence[Value], seen: list[tuple[Index, Index]], channels: range, channel: int) -> Parts:
    """Operands of a convolution: pixels, the weights that meet them, the bias."""
    parts: Parts = {
        0: [(*where, c) for _, where in seen for c in channels],
        1: [(channel, *tap, c) for tap, _ in seen for c in range(len(channels))],
    }
    return {**parts, 2: [(channel,)]} if len(ins) > 2 else parts


def _conv(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    *at, channel = index
    seen = _window(node, ins[1].shape[1:-1], ins[0].shape[:-1], tuple(at))
    return _weighted(ins, seen, _channels(node, ins, channel), channel)


def _conv_transpose(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    *at, channel = index
    stride, dilation, padding = node.ints("stride"), node.ints("dilation"), node.ints("padding")
    seen = []
    for tap in product(*(range(k) for k in ins[1].shape[1:-1])):
        reach = [o + padding[2 * i] - t * dilation[i] for i, (o, t) in enumerate(zip(at, tap, strict=True))]
        where = tuple(r // s for r, s in zip(reach, stride, strict=True))
        inside = all(0 <= p < n for p, n in zip(where, ins[0].shape[:-1], strict=True))
        if inside and all(r % s == 0 for r, s in zip(reach, stride, strict=True)):
            seen.append((tap, where))
    return _weighted(ins, seen, _channels(node, ins, channel), channel)


def _linear(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    *at, channel = index
    terms = range(ins[1].shape[1])
    parts: Parts = {0: [(*at, k) for k in terms], 1: [(channel, k) for k in terms]}
    return {**parts, 2: [(channel,)]} if len(ins) > 2 else parts


def _matmul(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    *batch, row, column = index
    terms = range(ins[0].shape[-1])
    return {0: [(*batch, row, k) for k in terms], 1: [(*batch, k, column) for k in terms]}


def _pool(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    *at, channel = index
    seen = _window(node, node.ints("kernel"), ins[0].shape[:-1], tuple(at))
    return {0: [(*where, channel) for _, where in seen]}


def _elementwise(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """Each operand's element after broadcasting from the right."""
    parts: Parts = {}
    for i, value in enumerate(ins):
        own = index[len(index) - len(value.shape) :]
        parts[i] = [tuple(0 if n == 1 else p for p, n in zip(own, value.shape, strict=True))]
    return parts


def _concat(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    axis = node.integer("axis")
    before = 0
    for i, value in enumerate(ins):
        if index[axis] < before + value.shape[axis]:
            return {i: [(*index[:axis], index[axis] - before, *index[axis + 1 :])]}
        before += value.shape[axis]
    return {}


def _same_place(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    return {0: [index]}


def _along_axis(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """Softmax: the whole line through the element."""
    axis = node.integer("axis")
    return {0: [(*index[:axis], k, *index[axis + 1 :]) for k in range(ins[0].shape[axis])]}


def _reduced(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """Mean and argmax: everything along the axes that vanish."""
    axes = node.ints("axes") if "axes" in node.attrs else (node.integer("axis"),)
    shape = ins[0].shape
    kept = [i for i in range(len(shape)) if i not in axes]
    own = index if len(index) == len(kept) else tuple(index[i] for i in kept)
    if not kept:
        own = ()
    fixed = dict(zip(kept, own, strict=True))
    ranges = [(fixed[i],) if i in fixed else range(n) for i, n in enumerate(shape)]
    return {0: list(product(*ranges))}


def _select(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """The condition, and the element at the same place of both operands."""
    return {0: [(0,) * len(ins[0].shape)], 1: [index], 2: [index]}


def _pad(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """The element that was moved here; none where constant padding was filled in."""
    padding, mode = node.ints("padding"), node.text("mode")
    where = []
    for axis, (p, n) in enumerate(zip(index, ins[0].shape, strict=True)):
        at = p - padding[2 * axis]
        if mode == "reflect":
            at = -at if at < 0 else 2 * (n - 1) - at if at >= n else at
        elif mode == "replicate":
            at = min(max(at, 0), n - 1)
        elif mode == "circular":
            at %= n
        elif not 0 <= at < n:
            return {0: []}
        where.append(at)
    return {0: [tuple(where)]}


def _resize_bilinear(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """The neighbours that have a share."""
    *at, channel = index
    near = []
    for place, (low, high, weight) in zip(at, positions(node), strict=True):
        share = int(weight[place])
        both = {int(low[place])} if share == 0 else {int(high[place])} if share == 1 << node.integer("bits") else None
        near.append(sorted(both or {int(low[place]), int(high[place])}))
    return {0: [(*where, channel) for where in product(*near)]}


def _moved(node: Node, ins: Sequence[Value], index: Index) -> Parts:
    """Any other movement: move the positions themselves and see which one arrives."""
    op = operator(node.op)
    assert isinstance(op, Movement)
    positions = np.arange(ins[0].size, dtype=np.int64).reshape(1, *ins[0].shape)
    arrived = int(op.move(node, ins[0], positions)[(0, *index)])
    return {0: [tuple(int(i) for i in np.unravel_index(arrived, ins[0].shape))]}


_RULES: dict[str, Callable[[Node, Sequence[Value], Index], Parts]] = {
    "add": _elementwise,
    "argmax": _reduced,
    "average_pool": _pool,
    "concat": _concat,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _pool,
    "maximum": _elementwise,
    "mean": _reduced,
    "minimum": _elementwise,
    "mul": _elementwise,
    "pad": _pad,
    "prelu": _elementwise,
    "requantise": _same_place,
    "resize_bilinear": _resize_bilinear,
    "select": _select,
    "sigmoid_lines": _same_place,
    "softmax": _along_axis,
    "softmax_lines": _along_axis,
    "softmax_reciprocal": _along_axis,
    "sub": _elementwise,
    "sum": _reduced,
    "table": _same_place,
}
