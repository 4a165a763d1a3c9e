"""Which channels of which values belong together, who reads them, and which are constant.

A channel is an index on the last axis. Most operators treat channels apart, so that one channel of the input and one of
the output can only be removed together; the products of convolutions and linear layers are where channels begin (rows
of weights) and end (columns). Everything else is a barrier: its channels stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.formats import Affine, FixedPoint, Format, Grouped, Minifloat
from edgeq.ir import Attr, Graph, Interval, Node, Value, analyse, operator
from edgeq.ir.operator import Bounds
from edgeq.ir.ops._matrix import bias_terms
from edgeq.ir.ranges import output_rows

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

#: one tie: operand index, channel of the operand, channel of the output
Tie = tuple[int, int, int]


def dense(node: Node) -> bool:
    """Whether each output channel is a weighted sum over all input channels."""
    return node.op == "linear" or (node.op in ("conv", "conv_transpose") and node.integer("groups") == 1)


def channels(value: Value) -> int:
    """Size of the last axis."""
    return value.shape[-1] if value.shape else 1


def ties(graph: Graph, node: Node) -> list[Tie] | None:
    """How the channels of the output hang on those of the computed operands; None where they cannot be told apart.

    A list is complete: an output channel depends on the tied channels only, and on nothing else that is computed.
    """
    ins, out = graph.ins(node), graph.outs(node)[0]
    x, count = ins[0], channels(out)
    last = len(x.shape) - 1
    if node.op in ("requantise", "table", "max_pool", "average_pool", "resize_nearest"):
        return _straight([0], count)
    if node.op in ("add", "sub", "mul"):
        computed = [i for i, v in enumerate(ins) if not v.constant]
        whole = all(channels(ins[i]) == count for i in computed)
        return _straight(computed, count) if whole else None
    if node.op == "conv":
        depthwise = node.integer("groups") == x.shape[-1] == count
        return _straight([0], count) if depthwise else None
    if node.op == "concat":
        return _concat(node, ins, count)
    free = {
        "mean": lambda: last not in node.ints("axes"),
        "pad": lambda: not any(node.ints("padding")[-2:]),
        "slice": lambda: x.shape[-1] == count and node.ints("step")[-1] == 1,
        "transpose": lambda: node.ints("permutation")[-1] == last,
    }.get(node.op)
    if free is not None:
        return _straight([0], count) if x.shape and free() else None
    if node.op == "reshape" and count % channels(x) == 0:
        return [(0, k % channels(x), k) for k in range(count)]
    return None


def _straight(operands: list[int], count: int) -> list[Tie]:
    return [(i, c, c) for i in operands for c in range(count)]


def _concat(node: Node, ins: list[Value], count: int) -> list[Tie] | None:
    if any(v.constant for v in ins):
        return None
    if node.integer("axis") != len(ins[0].shape) - 1:
        return _straight(list(range(len(ins))), count)
    found, begin = [], 0
    for i, value in enumerate(ins):
        found += [(i, c, begin + c) for c in range(channels(value))]
        begin += channels(value)
    return found


@dataclass(frozen=True)
class Known:
    """What is constant of a value: which channels, and codes (one sample) that are right in those channels."""

    mask: Mask
    codes: Codes


def known_channels(graph: Graph) -> dict[str, Known]:
    """Channels of computed values that hold one code everywhere, whatever the input; values without any are left out.

    The operators' own meaning says what the constant is, borders included: a channel counts only where it comes out
    the same at every position, so a constant that meets a padded border does not. A channel whose every possible sum
    ends at one bound (a ReLU that is never positive) is constant as well.
    """
    found: dict[str, Known] = {}
    ranges = analyse(graph).values
    for node in graph.nodes:
        eligible = _eligible(graph, node, found)
        if eligible is not None and node.op in ("conv", "conv_transpose", "linear"):
            eligible = eligible | _clamped(graph, node, ranges)
        if eligible is None or not eligible.any():
            continue
        ins, out = graph.ins(node), graph.outs(node)[0]
        codes = [_stand_in(v, found, ranges) for v in ins]
        (made,) = operator(node.op).evaluate(node, ins, [out], codes)
        rows = np.asarray(made, dtype=np.int64).reshape(-1, channels(out))
        mask = eligible & (rows == rows[0]).all(axis=0)
        if mask.any():
            found[out.name] = Known(mask, rows[0])
    return found


def _clamped(graph: Graph, node: Node, ranges: Mapping[str, Interval]) -> Mask:
    """Output channels of weighted sums that rounding, saturation and bounds take to one number, whatever the sum."""
    out = graph.outs(node)[0]
    ins = graph.ins(node)
    bounds = operator(node.op).bounds(node, ins, [ranges[name] for name in node.inputs])
    assert bounds is not None
    # Those are bounds of partial sums, which may lack the bias; whole sums have it.
    bias = bias_terms(ins)
    lo = tuple(end + max(b, 0) for end, b in zip(bounds.lo, bias, strict=True))
    hi = tuple(end + min(b, 0) for end, b in zip(bounds.hi, bias, strict=True))
    rows = output_rows(node, Bounds(lo, hi, bounds.frac), out.format)
    return np.array([row.lo == row.hi for row in rows])


def _stand_in(value: Value, found: dict[str, Known], ranges: Mapping[str, Interval]) -> Codes:
    """Codes of one sample: right in known channels, in the others a number that can occur."""
    if value.data is not None:
        return value.data
    number = np.clip(0, ranges[value.name].lo, ranges[value.name].hi)
    codes = np.broadcast_to(value.format.from_grid(np.asarray(number, dtype=np.int64)), (1, *value.shape)).copy()
    if value.name in found:
        codes[...] = np.where(found[value.name].mask, found[value.name].codes, codes)
    return codes


def _eligible(graph: Graph, node: Node, found: dict[str, Known]) -> Mask | None:
    """Output channels that depend on known channels only."""
    ins, count = graph.ins(node), channels(graph.outs(node)[0])
    if dense(node):
        needed = _columns(ins[1]) & ~_mask(ins[0], found)
        return np.array([not row.any() for row in needed])
    tied = ties(graph, node)
    if tied is None:
        return None
    eligible = np.ones(count, np.bool_)
    for operand, c, k in tied:
        eligible[k] &= _mask(ins[operand], found)[c]
    if node.op == "conv":
        # A depthwise channel without weights is its bias.
        eligible |= ~_columns(ins[1]).any(axis=1)
    return eligible


def _mask(value: Value, found: dict[str, Known]) -> Mask:
    known = found.get(value.name)
    return np.zeros(channels(value), np.bool_) if known is None else known.mask


def _columns(weight: Value) -> Mask:
    """(O, C): whether any tap of an output channel has a weight for an input channel."""
    assert weight.data is not None
    grid = weight.format.to_grid(weight.data)
    found: Mask = (grid.reshape(grid.shape[0], -1, grid.shape[-1]) != 0).any(axis=1)
    return found


class Classes:
    """Channels that must go together, by union and find over (value, channel)."""

    def __init__(self, graph: Graph) -> None:
        self._base: dict[str, int] = {}
        total = 0
        for value in graph.values.values():
            if not value.constant:
                self._base[value.name] = total
                total += channels(value)
        self._parent = list(range(total))

    def find(self, name: str, channel: int) -> int:
        """Representative of the class of a channel."""
        i = self._base[name] + channel
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def of(self, value: Value) -> Iterator[int]:
        """Representatives of all channels of a value."""
        return (self.find(value.name, c) for c in range(channels(value)))

    def join(self, a: tuple[str, int], b: tuple[str, int]) -> None:
        """Make two classes one."""
        self._parent[self.find(*a)] = self.find(*b)


def sliced_multipliers(node: Node, keep: npt.NDArray[np.int64]) -> dict[str, Attr]:
    """The multipliers of the channels that stay; nothing where one serves all."""
    if "multiplier" not in node.attrs or len(node.ints("multiplier")) == 1:
        return {}
    return {key: tuple(node.ints(key)[int(i)] for i in keep) for key in ("multiplier", "shift")}


def sliced_format(value: Value, keep: npt.NDArray[np.int64]) -> Format:
    """The format of a constant with only some of its output channels."""
    fmt, index = value.format, [int(i) for i in keep]
    if isinstance(fmt, Grouped):
        return fmt.rows(index, value.shape[0])
    if fmt.channel_axis is None:
        return fmt
    if isinstance(fmt, Affine):
        assert isinstance(fmt.scale, tuple)
        return Affine(fmt.width, fmt.sign, fmt.zero_point, tuple(fmt.scale[i] for i in index), fmt.axis)
    if isinstance(fmt, Minifloat):
        assert isinstance(fmt.scale, tuple)
        scale = tuple(fmt.scale[i] for i in index)
        return Minifloat(fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, scale, fmt.axis)
    assert isinstance(fmt, FixedPoint)
    assert isinstance(fmt.point, tuple)
    return FixedPoint(fmt.width, tuple(fmt.point[i] for i in index), fmt.sign, fmt.axis)
