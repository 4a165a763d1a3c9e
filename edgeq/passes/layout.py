"""Remove transposes: sink them towards the outputs, where they cancel, or let a border or a weight matrix take them.

A transpose moves codes, and an element-wise operator does not care where an element lies, so the two may change places
(with the axes of the operator and its constants permuted along). Going down, transposes of one order meet their inverse
and cancel (`identities` joins them), or end in one of three places that cost nothing at run time:

- a graph input that only equal transposes read is laid out transposed from the start (`Graph.layouts`),
- a graph output that a transpose makes is laid out in the order before it,
- transpose -> reshape to a vector -> linear takes the columns of its weights in the other order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.formats import Grouped
from edgeq.ir import Attr, Graph, Node, Value
from edgeq.passes._edit import (
    changed,
    fresh,
    only_reader,
    reads,
    rebuilt,
    remade,
    repeat,
    replaced,
    with_shape,
)

Permutation = tuple[int, ...]


def remove_transposes(graph: Graph) -> Graph:
    """Every transpose that the rules above can move away."""
    return repeat(_step, graph)


def _step(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        if node.op == "transpose":
            rules = (_into_input, _into_output, _into_weights, _below)
            found = next((g for rule in rules if (g := rule(graph, node)) is not None), None)
            if found is not None:
                return found
    return None


def _into_input(graph: Graph, node: Node) -> Graph | None:
    """All readers of a graph input transpose it alike: the input is laid out that way."""
    name, permutation = node.inputs[0], node.ints("permutation")
    readers = graph.consumers(name)
    alike = all(r.op == "transpose" and r.ints("permutation") == permutation for r in readers)
    gone = {r.outputs[0] for r in readers}
    if name not in graph.inputs or name in graph.outputs or not alike or gone & set(graph.outputs):
        return None
    layout = graph.layouts.get(name, tuple(range(len(permutation))))
    value = with_shape(graph.values[name], graph.values[node.outputs[0]].shape)
    nodes = []
    for n in graph.nodes:
        if n.name not in {r.name for r in readers}:
            nodes.append(changed(n, inputs=tuple(name if i in gone else i for i in n.inputs)))
    moved = graph.replace(layouts=_laid(graph, name, tuple(layout[p] for p in permutation)))
    return rebuilt(moved, nodes, {name: value})


def _into_output(graph: Graph, node: Node) -> Graph | None:
    """Only the outside reads the result: it reads the value before, laid out as the user has it."""
    out, source, permutation = node.outputs[0], node.inputs[0], node.ints("permutation")
    producer = graph.producer(source)
    if out not in graph.outputs or reads(graph, out) != 1 or producer is None or source in graph.outputs:
        return None
    layout = graph.layouts.get(out, tuple(range(len(permutation))))
    # out[i] is source[permutation[i]], and lies along the user's axis layout[i].
    before = tuple(layout[permutation.index(i)] for i in range(len(permutation)))
    value = with_shape(graph.values[out], graph.values[source].shape)
    nodes = [
        changed(
            n,
            inputs=tuple(out if i == source else i for i in n.inputs),
            outputs=(out,) if n.name == producer.name else n.outputs,
        )
        for n in graph.nodes
        if n.name != node.name
    ]
    return rebuilt(graph.replace(layouts=_laid(graph, out, before)), nodes, {out: value})


def _laid(graph: Graph, name: str, layout: Permutation) -> dict[str, Permutation]:
    """The layouts with that of one border changed; the natural order is left out."""
    layouts = {k: v for k, v in graph.layouts.items() if k != name}
    return layouts if layout == tuple(range(len(layout))) else {**layouts, name: layout}


def _into_weights(graph: Graph, node: Node) -> Graph | None:
    """transpose -> reshape to one vector -> linear: each weight meets the element that it met before."""
    flat = only_reader(graph, node.outputs[0])
    if flat is None or flat.op != "reshape":
        return None
    linear = only_reader(graph, flat.outputs[0])
    x, moved, vector = graph.ins(node)[0], graph.outs(node)[0], graph.outs(flat)[0]
    if linear is None or linear.op != "linear" or linear.inputs[0] != vector.name or vector.shape[-1] != x.size:
        return None
    weight = graph.ins(linear)[1]
    assert weight.data is not None
    if isinstance(weight.format, Grouped):
        # In another order the groups of a row would have other members.
        return None
    # order[j]: where element j of x lies in the vector that the weights were made for.
    order = np.arange(x.size).reshape(moved.shape).transpose(np.argsort(node.ints("permutation"))).reshape(-1)
    turned = remade(graph, weight, weight.data[:, order])
    # Its elements lie in another order now, so it is another value: a name must not stand for two of them.
    inner = Value(fresh(graph, f"{vector.name}_untransposed"), vector.shape, vector.format, None, vector.source)
    flat = changed(flat, inputs=(x.name,), outputs=(inner.name,))
    linear = changed(linear, inputs=(inner.name, turned.name, *linear.inputs[2:]))
    made = {turned.name: turned, inner.name: inner}
    return replaced(graph, {node.name: (), flat.name: (flat,), linear.name: (linear,)}, made)


#: how an operator computes on untransposed inputs: its attributes there and the transposition of its output, or None
Turn = Callable[[Graph, Node, Permutation], tuple[dict[str, Attr], Permutation] | None]


def _plain(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    return dict(node.attrs), permutation


def _axis(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    return {**node.attrs, "axis": permutation[node.integer("axis")]}, permutation


def _mean(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    axes = tuple(sorted(permutation[a] for a in node.ints("axes")))
    attrs: dict[str, Attr] = {**node.attrs, "axes": axes}
    if node.integer("keep_axes"):
        return attrs, permutation
    left = [p for p in permutation if p not in axes]
    return attrs, tuple(sorted(left).index(p) for p in left) or (0,)


def _argmax(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    axis = permutation[node.integer("axis")]
    attrs: dict[str, Attr] = {**node.attrs, "axis": axis}
    if node.integer("keep_axes"):
        return attrs, permutation
    left = [p for p in permutation if p != axis]
    return attrs, tuple(sorted(left).index(p) for p in left) or (0,)


def _pairs(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    padding, inverse = node.ints("padding"), np.argsort(permutation)
    turned = tuple(padding[2 * int(i) + side] for i in inverse for side in (0, 1))
    return {**node.attrs, "padding": turned}, permutation


def _slice(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation]:
    inverse = np.argsort(permutation)
    keys = ("begin", "end", "step")
    return {k: tuple(node.ints(k)[int(i)] for i in inverse) for k in keys}, permutation


def _linear(graph: Graph, node: Node, permutation: Permutation) -> tuple[dict[str, Attr], Permutation] | None:
    rows_only = permutation[-1] == len(permutation) - 1
    return (dict(node.attrs), permutation) if rows_only else None


_TURNS: dict[str, Turn] = {
    "add": _plain,
    "argmax": _argmax,
    "concat": _axis,
    "linear": _linear,
    "mean": _mean,
    "mul": _plain,
    "pad": _pairs,
    "requantise": _plain,
    "slice": _slice,
    "softmax": _axis,
    "sub": _plain,
    "table": _plain,
}
#: operators all of whose computed operands must come transposed alike
_MANY = ("add", "concat", "mul", "sub")


def _below(graph: Graph, node: Node) -> Graph | None:
    """The one reader of a transpose computes first, and its output is transposed."""
    reader, permutation = _reader(graph, node.outputs[0]), node.ints("permutation")
    if reader is None:
        return None
    turn = None if _bound_to_channels(reader, permutation) else _TURNS.get(reader.op)
    turned = turn(graph, reader, permutation) if turn else None
    operands = _untransposed(graph, reader, permutation) if turned else None
    if turned is None or operands is None:
        return None
    (attrs, order), (names, constants) = turned, operands
    out = graph.outs(reader)[0]
    shape = tuple(out.shape[order.index(i)] for i in range(len(order)))
    inner = Value(fresh(graph, f"{out.name}_untransposed"), shape, out.format, None, out.source)
    computed = changed(reader, inputs=names, outputs=(inner.name,), attrs=attrs)
    last = Node("transpose", fresh(graph, f"{out.name}_transposed"), (inner.name,), (out.name,), {"permutation": order})
    last = changed(last, source=out.source)
    gone = [n.name for n in graph.nodes if n.op == "transpose" and n.outputs[0] in reader.inputs]
    removed: dict[str, tuple[Node, ...]] = dict.fromkeys(gone, ())
    return replaced(graph, {**removed, reader.name: (computed, last)}, {inner.name: inner, **constants})


def _bound_to_channels(node: Node, permutation: Permutation) -> bool:
    """Whether a node has a multiplier for each channel of the last axis, and the transposition moves that axis."""
    many = "multiplier" in node.attrs and len(node.ints("multiplier")) > 1
    return many and permutation[-1] != len(permutation) - 1


def _reader(graph: Graph, name: str) -> Node | None:
    """The one node that reads a value, perhaps more than once (x + x)."""
    readers = graph.consumers(name)
    return readers[0] if len(readers) == 1 and name not in graph.outputs else None


def _untransposed(
    graph: Graph, reader: Node, permutation: Permutation
) -> tuple[tuple[str, ...], dict[str, Value]] | None:
    """Names of the reader's operands before their transposition, and the constants made for it."""
    names: list[str] = []
    made: dict[str, Value] = {}
    for index, name in enumerate(reader.inputs):
        value, producer = graph.values[name], graph.producer(name)
        if value.constant and (reader.op not in _MANY):
            names.append(name)  # weights, tables
        elif value.constant:
            turned = _turned_constant(graph, value, permutation)
            if turned is None or turned.name in made:
                return None
            made[turned.name] = turned
            names.append(turned.name)
        else:
            same = producer is not None and producer.op == "transpose" and producer.ints("permutation") == permutation
            if not same or _reader(graph, name) is None or (index > 0 and reader.op not in _MANY):
                return None
            assert producer is not None
            names.append(producer.inputs[0])
    return tuple(names), made


def _turned_constant(graph: Graph, value: Value, permutation: Permutation) -> Value | None:
    """A constant operand in the order before the transposition (it may have fewer axes, which broadcast)."""
    assert value.data is not None
    rank = len(permutation)
    if value.data.ndim > rank:
        return None
    data = value.data.reshape((1,) * (rank - value.data.ndim) + value.data.shape)
    return remade(graph, value, data.transpose(np.argsort(permutation)))
