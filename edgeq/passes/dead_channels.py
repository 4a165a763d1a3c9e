"""Remove channels that nobody needs: those that no weight reads, and those that are constant.

A channel whose columns of weights are all zero adds zero to every sum, at borders as elsewhere: channel, columns and
the rows that computed it go. A channel that is constant (its own weights are zero, so only its bias is left) adds
constant * weights to every sum that sees it, and that goes into the bias, exactly, on the grid of the products — but
only where each window sees the channel completely. A convolution with padding reads the value zero beyond the border,
not the constant, so what a constant other than zero adds depends on the position: such a channel stays. So does one
that a transposed convolution reads, whose sums take different taps at different positions.

Between the layers a channel runs through element-wise operators, pools, depthwise convolutions, joins and concats; it
goes from all of them, or from none. Inputs, outputs and operators that mix channels in other ways keep theirs, and
every value keeps at least one channel. Multipliers of channels go with their channels; zero points need no word of
their own, because all of this is said of grid integers, in which padding is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edgeq.formats import Affine, FixedPoint, Format, Grouped
from edgeq.ir import Attr, Graph, Node, Value
from edgeq.ir.ops._matrix import accumulator_frac, aligned_bias, bias_terms
from edgeq.passes._channels import (
    Classes,
    Known,
    channels,
    dense,
    known_channels,
    sliced_format,
    sliced_multipliers,
    ties,
)
from edgeq.passes._edit import changed, constant, reads, rebuilt, with_shape

Grid = npt.NDArray[np.int64]
#: a graph with more channels than these keeps them all: nothing that a microcontroller runs comes near
MOST_CHANNELS = 1 << 20


def remove_dead_channels(graph: Graph) -> Graph:
    """Every removable channel, at once; what that makes removable in turn is found by the next call."""
    if sum(channels(value) for value in graph.values.values()) > MOST_CHANNELS:
        return graph
    known = known_channels(graph)
    classes = Classes(graph)
    kept = _joined(graph, classes)
    for node in graph.nodes:
        if dense(node):
            _keep_read_channels(graph, node, known, classes, kept)
    keep = _survivors(graph, classes, kept)
    if all(len(index) == channels(graph.values[name]) for name, index in keep.items()):
        return graph
    rewrite = _Rewrite(graph, known, keep)
    return rebuilt(graph, [rewrite.node(n) for n in graph.nodes], rewrite.values)


def _joined(graph: Graph, classes: Classes) -> set[int]:
    """Tie channels to classes; returns the classes that must stay because something bars their removal."""
    barred: list[tuple[str, int]] = [
        (n, c) for n in (*graph.inputs, *graph.outputs) for c in range(channels(graph.values[n]))
    ]
    for node in graph.nodes:
        if dense(node):
            continue
        tied, out = ties(graph, node), node.outputs[0]
        if tied is None:
            for value in (*graph.ins(node), *graph.outs(node)):
                barred += [] if value.constant else [(value.name, c) for c in range(channels(value))]
            continue
        for operand, c, k in tied:
            classes.join((node.inputs[operand], c), (out, k))
    return {classes.find(*slot) for slot in barred}


def _keep_read_channels(graph: Graph, node: Node, known: Mapping[str, Known], classes: Classes, kept: set[int]) -> None:
    """Keep the classes of input channels that the weights of a dense node need."""
    x, weight = graph.ins(node)[:2]
    if isinstance(weight.format, Grouped):
        # Without a column the groups of a row would have other members.
        kept.update(classes.of(x))
        return
    have = known.get(x.name)
    total = np.zeros(weight.shape[0], object)
    for c in range(channels(x)):
        column = _column(weight, c)
        if not column.any():
            continue
        number = None if have is None or not have.mask[c] else int(x.format.to_grid(have.codes[c : c + 1])[0])
        if number is None or (number != 0 and not _sees_all(node)):
            kept.add(classes.find(x.name, c))
        elif number != 0:
            total += np.abs(column).sum(axis=1).astype(object) * abs(number)
    if total.any() and not _bias_has_room(graph, node, total):
        kept.update(classes.of(x))


def _column(weight: Value, channel: int) -> Grid:
    """(O, taps) weights of one input channel."""
    assert weight.data is not None
    return weight.format.to_grid(weight.data[..., channel]).reshape(weight.shape[0], -1)


def _sees_all(node: Node) -> bool:
    """Whether every output position sums over all taps of the kernel."""
    return node.op == "linear" or (node.op == "conv" and not any(node.ints("padding")))


def _bias_has_room(graph: Graph, node: Node, more: npt.NDArray[np.object_]) -> bool:
    """Whether 32 bits on the grid of the products hold the bias with `more` on it."""
    ins = graph.ins(node)
    bias = np.abs(np.array(bias_terms(ins), object))
    return bool((bias < 1 << 31).all() and (bias + more < 1 << 31).all())


def _survivors(graph: Graph, classes: Classes, kept: set[int]) -> dict[str, Grid]:
    """Channels that stay, for each computed value; at least one everywhere."""
    values = [v for v in graph.values.values() if not v.constant]
    lonely = True
    while lonely:
        lonely = False
        for value in values:
            if not any(i in kept for i in classes.of(value)):
                kept.add(classes.find(value.name, 0))
                lonely = True
    return {v.name: np.array([c for c, i in enumerate(classes.of(v)) if i in kept], np.int64) for v in values}


@dataclass
class _Rewrite:
    """Nodes and values without the channels that go."""

    graph: Graph
    known: Mapping[str, Known]
    keep: Mapping[str, Grid]
    values: dict[str, Value] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        """The node on what is left, its constants and attributes cut to size."""
        out = self.graph.outs(node)[0]
        keep = self.keep[out.name]
        if len(keep) < channels(out):
            self.values[out.name] = with_shape(out, (*out.shape[:-1], len(keep)))
        attrs: dict[str, Attr] = dict(node.attrs)
        if len(keep) < channels(out):
            attrs |= sliced_multipliers(node, keep)
        if dense(node):
            return changed(node, inputs=self._dense(node), attrs=attrs)
        if len(keep) == channels(out):
            return node
        if node.op == "reshape":
            attrs["shape"] = (*node.ints("shape")[:-1], len(keep))
        elif node.op == "slice":
            attrs["end"] = (*node.ints("end")[:-1], len(keep))
        elif node.op == "conv":
            attrs["groups"] = len(keep)
        inputs = tuple(self._operand(node, i, keep) for i in range(len(node.inputs)))
        return changed(node, inputs=inputs, attrs=attrs)

    def _operand(self, node: Node, index: int, keep: Grid) -> str:
        """A constant operand of a node that treats channels apart."""
        value = self.graph.ins(node)[index]
        if value.data is None or node.op == "table":
            return value.name
        if node.op == "conv":
            return self._constant(value, value.data[keep], sliced_format(value, keep))
        if value.shape and value.shape[-1] > 1:
            return self._constant(value, value.data[..., keep], value.format)
        return value.name

    def _dense(self, node: Node) -> tuple[str, ...]:
        """Inputs of a dense node: rows and columns cut out, constants gone into the bias."""
        x, weight, *biases = self.graph.ins(node)
        rows, columns = self.keep[node.outputs[0]], self.keep[x.name]
        assert weight.data is not None
        if len(rows) == weight.shape[0] and len(columns) == channels(x):
            return node.inputs
        names = [x.name, self._constant(weight, weight.data[rows][..., columns], sliced_format(weight, rows))]
        more = self._constants_seen(x, weight, columns)
        if more.any():
            names.append(self._folded(x, weight, biases, more, rows))
        elif biases and biases[0].data is not None:
            names.append(self._constant(biases[0], biases[0].data[rows], sliced_format(biases[0], rows)))
        return tuple(names)

    def _constants_seen(self, x: Value, weight: Value, columns: Grid) -> Grid:
        """What the constant channels that go add to each output channel, on the grid of the products."""
        more = np.zeros(weight.shape[0], np.int64)
        have = self.known.get(x.name)
        for c in set(range(channels(x))) - {int(c) for c in columns}:
            column = _column(weight, c)
            if column.any():
                assert have is not None
                more += column.sum(axis=1) * int(x.format.to_grid(have.codes[c : c + 1])[0])
        return more

    def _folded(self, x: Value, weight: Value, biases: list[Value], more: Grid, rows: Grid) -> str:
        total = more + (aligned_bias(x, weight, biases[0]) if biases else 0)
        fmt = _bias_format(x, weight, biases)
        old = biases[0] if biases else Value(f"{weight.name}_bias", total.shape, fmt, total, weight.source)
        return self._constant(old, total[rows], sliced_format(replace(old, format=fmt), rows))

    def _constant(self, old: Value, codes: Grid, fmt: Format) -> str:
        """Name of a constant in place of `old`, which keeps its name where nobody else reads it."""
        taken = self.graph.replace(values={**self.graph.values, **self.values})
        made = constant(taken, old.name, codes, fmt, old.source)
        if reads(self.graph, old.name) == 1:
            made = Value(old.name, made.shape, made.format, made.data, made.source)
        self.values[made.name] = made
        return made.name


def _bias_format(x: Value, weight: Value, biases: list[Value]) -> Format:
    """32 bits on the grid of the products."""
    if isinstance(x.format, Affine) or isinstance(weight.format, Affine):
        old = biases[0].format if biases else None
        return Affine(32, True, 0, old.scale, old.axis) if isinstance(old, Affine) else Affine(32)
    fracs = accumulator_frac(x, weight)
    return FixedPoint(32, fracs[0]) if len(set(fracs)) == 1 else FixedPoint(32, fracs, True, 0)
