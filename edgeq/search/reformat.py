"""Reformat: other fixed-point formats for computed values of an integer graph, with what hangs on their grids.

Codes that only move keep one format, so values come in groups. A group may change where all that writes and reads it
rounds by shifts: multipliers, tables and overflow modes are made for the grids that they were made for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.errors import GraphError
from edgeq.formats import FixedPoint
from edgeq.formats.rounding import round_ratio
from edgeq.ir import Graph, Node, Value, check
from edgeq.ir.ops._matrix import accumulator_frac

#: operators whose result rounds by shifts to any format, and those that take any format
WRITERS = frozenset({"conv", "linear", "add", "sub", "concat", "average_pool", "mean", "requantise"})
MOVERS = frozenset({"max_pool", "slice", "reshape", "transpose"})
#: attributes that are made for the formats that a node has
_BOUND = ("multiplier", "a_multiplier", "overflow")
#: no wider format gets another one
MOST_BITS = 8


def groups(graph: Graph) -> list[tuple[str, ...]]:
    """Values that may get another format, those that must get the same one together, in the order of the graph."""
    root: dict[str, str] = {}
    fixed: set[str] = {*graph.inputs, *graph.outputs}

    def of(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for node in graph.nodes:
        maps = [v.name for v in graph.ins(node) if not v.constant]
        if node.op in MOVERS:
            root[of(node.outputs[0])] = of(maps[0])
        elif node.op == "select" and not any(v.constant for v in graph.ins(node)):
            for name in maps[1:]:
                root[of(node.outputs[0])] = of(name)
        elif node.op not in WRITERS or any(key in node.attrs for key in _BOUND):
            fixed |= {*maps, *node.outputs}
    computed = [name for node in graph.nodes for name in node.outputs]
    kept = {of(name) for name in fixed} | {of(n) for n in computed if not _narrow(graph.values[n])}
    found: dict[str, list[str]] = {}
    for name in computed:
        if of(name) not in kept:
            found.setdefault(of(name), []).append(name)
    return [tuple(names) for names in found.values()]


def _narrow(value: Value) -> bool:
    fmt = value.format
    return isinstance(fmt, FixedPoint) and fmt.bits <= MOST_BITS and isinstance(fmt.frac, int)


def positive(graph: Graph, group: Sequence[str]) -> bool:
    """Whether no value of a group is ever below zero, by the bounds of the nodes that compute it."""
    nodes = [node for node in graph.nodes if set(node.outputs) & set(group) and node.op not in MOVERS]
    return all(
        graph.values[node.outputs[0]].format.grid_range[0] >= 0 or node.attrs.get("lo", -1) >= 0  # type: ignore[operator]
        for node in nodes
    )


def with_formats(graph: Graph, formats: Mapping[str, FixedPoint]) -> Graph:
    """The graph with other formats of computed values: bounds move to the new grids, finer biases are rounded to them.

    formats: of every value that changes, whole groups together (see `groups`). Raises GraphError where they do not fit.
    """
    values = {n: replace(v, format=formats.get(n, v.format)) for n, v in graph.values.items()}
    nodes: list[Node] = []
    biases: dict[tuple[str, tuple[int, ...]], str] = {}
    for node in graph.nodes:
        (out,) = node.outputs
        made = node
        if out in formats and node.op in WRITERS:
            made = replace(node, attrs=_bounds(node, graph.values[out], formats[out]))
        if node.op in ("conv", "linear") and len(node.inputs) == 3:
            made = replace(made, inputs=(*node.inputs[:2], _bias(values, node, biases)))
        nodes.append(made)
    used = {name for node in nodes for name in (*node.inputs, *node.outputs)} | set(graph.inputs)
    found = graph.replace(nodes=tuple(nodes), values={n: v for n, v in values.items() if n in used})
    check(found)
    return found


def with_weights(graph: Graph, bits: int, nodes: Collection[str]) -> Graph:
    """The graph whose convolutions and linear layers named have weights of at most `bits` bits.

    The binary point of each output channel is that of least squared error. Codes are narrow (-7 to 7 of 4 bits), as the
    kernels that put several products into one multiply like them.
    """
    values = dict(graph.values)
    for node in graph.nodes:
        if node.name not in nodes or node.op not in ("conv", "linear"):
            continue
        weight = values[node.inputs[1]]
        if isinstance(weight.format, FixedPoint) and weight.format.bits > bits:
            values[weight.name] = _narrowed(weight, bits)
    return with_formats(graph.replace(values=values), {})


def without_left_shifts(graph: Graph, before: Graph) -> Graph:
    """The graph whose outputs are no finer than the coarsest products that they are rounded from.

    Kernels for speed shift right only. Looked at are nodes whose operands have other formats than in `before`.
    """
    group_of = {name: names for names in groups(graph) for name in names}
    formats: dict[str, FixedPoint] = {}
    for node in graph.nodes:
        (out,) = node.outputs
        if node.op not in ("conv", "linear") or out not in group_of:
            continue
        x, weight = (graph.values[name] for name in node.inputs[:2])
        if x.name not in formats and all(v.format == before.values[v.name].format for v in (x, weight)):
            continue
        limit = min(accumulator_frac(replace(x, format=formats.get(x.name, x.format)), weight))
        have = formats.get(out, graph.values[out].format)
        assert isinstance(have, FixedPoint)
        assert isinstance(have.frac, int)
        if limit < have.frac:
            formats |= dict.fromkeys(group_of[out], FixedPoint(have.width, limit, have.sign))
    return with_formats(graph, formats) if formats else graph


def _narrowed(weight: Value, bits: int) -> Value:
    """A weight in fewer bits, with a binary point for each output channel."""
    assert weight.data is not None
    assert isinstance(weight.format, FixedPoint)
    rows, most = weight.data.reshape(weight.shape[0], -1), (1 << (bits - 1)) - 1
    drops = range(weight.format.bits)
    tried = np.stack([np.clip(_moved(rows, -drop), -most, most) for drop in drops])
    errors = np.stack([(((codes << drop) - rows) ** 2).sum(axis=1) for codes, drop in zip(tried, drops, strict=True)])
    best = errors.argmin(axis=0)
    data = tried[best, np.arange(len(rows))].reshape(weight.shape)
    data.setflags(write=False)
    have = weight.format.frac if isinstance(weight.format.frac, tuple) else (weight.format.frac,) * len(rows)
    points = tuple(int(f) - int(d) for f, d in zip(have, best, strict=True))
    return replace(weight, data=data, format=FixedPoint(bits, points, True, 0))


def _bounds(node: Node, old: Value, fmt: FixedPoint) -> dict[str, int | str | tuple[int, ...]]:
    """Attributes with bounds on the new grid; those that the format gives anyway are left out."""
    attrs = dict(node.attrs)
    before, after = old.format.frac, fmt.frac
    assert isinstance(before, int)
    assert isinstance(after, int)
    least, most = fmt.grid_range
    for key in ("lo", "hi"):
        if key in attrs:
            bound = int(_moved(np.array([node.integer(key)]), after - before)[0])
            attrs[key] = min(max(bound, least), most)
    if attrs.get("lo") == least:
        del attrs["lo"]
    if attrs.get("hi") == most:
        del attrs["hi"]
    return attrs


def _moved(grid: npt.NDArray[np.int64], left: int) -> npt.NDArray[np.int64]:
    """Grid integers on a grid that is 2^left finer, ties up."""
    if left >= 0:
        return grid << left
    return round_ratio(grid, np.asarray(1 << -left, dtype=np.int64), "half_up")


def _bias(values: dict[str, Value], node: Node, made: dict[tuple[str, tuple[int, ...]], str]) -> str:
    """The name of a bias that is no finer than the products: the node's own where it fits."""
    x, weight, bias = (values[name] for name in node.inputs)
    assert bias.data is not None
    if not isinstance(bias.format, FixedPoint):
        raise GraphError(f"{node.label}: its bias has the format {bias.format}, not fixed point")
    products = accumulator_frac(x, weight)
    have = bias.format.frac if isinstance(bias.format.frac, tuple) else (bias.format.frac,) * weight.shape[0]
    points = tuple(min(pair) for pair in zip(have, products, strict=True))
    if points == have:
        return bias.name
    key = (bias.name, points)
    if key not in made:
        codes = [int(_moved(c[None], p - h)[0]) for c, p, h in zip(bias.data, points, have, strict=True)]
        point, axis = (points[0], None) if len(set(points)) == 1 else (points, 0)
        data = np.array(codes, dtype=np.int64)
        data.setflags(write=False)
        name = f"{bias.name}@{len(made)}"
        values[name] = Value(
            name, bias.shape, FixedPoint(bias.format.width, point, bias.format.sign, axis), data, bias.source
        )
        made[key] = name
    return made[key]
