"""Remove nodes that change nothing, and join neighbours that are one movement: reshapes, transposes, slices, pads.

A movement whose output equals its input element for element is removed, and a transpose that only moves axes of size
one is a reshape, which costs nothing. So is a requantise to the same format whose
bounds clamp nothing that can occur — unless a minifloat's negative zero can reach it, because a requantise makes it
positive and the codes would differ. A concat of one operand is a requantise, and so is an average over windows of one.
Adding or subtracting a constant zero, or multiplying by a constant one, is a requantise as well, where the constant
does not widen the shape: the sum is the same number, on the same or a finer grid, rounded once. An average of one
element is an integer of its grid already, so that it does not matter that its rule may round the code (affine formats).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeq.formats import CODE_RULE, Format, Minifloat
from edgeq.ir import Graph, Interval, Node, Value, operator
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Movement, frac_of, output_bounds
from edgeq.passes._edit import RangeCache, changed, fits, forward, only_reader, repeat, replaced


def remove_identities(graph: Graph) -> Graph:
    """Every node that changes nothing, gone; chains of one movement, joined; disguised requantises, named so."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for node in graph.nodes:
            if _identity(graph, node, ranges) and (found := forward(graph, node)) is not None:
                return found
            if _plain_requantise(graph, node) and fits(graph, node, graph.outs(node)[0].format, ranges.of(graph)):
                attrs = {k: v for k, v in node.attrs.items() if k in OUTPUT_STAGE and v != CODE_RULE}
                operand = next(i for i in node.inputs if not graph.values[i].constant)
                return replaced(graph, {node.name: (changed(node, op="requantise", inputs=(operand,), attrs=attrs),)})
            if node.op == "transpose" and _keeps_order(node, graph.ins(node)[0]):
                reshape = changed(node, op="reshape", attrs={"shape": graph.outs(node)[0].shape})
                return replaced(graph, {node.name: (reshape,)})
            if (found := _joined(graph, node)) is not None:
                return found
        return None

    return repeat(step, graph)


def _identity(graph: Graph, node: Node, ranges: RangeCache) -> bool:
    x, out = graph.ins(node)[0], graph.outs(node)[0]
    if node.op == "requantise":
        if "multiplier" in node.attrs:
            return False
        return x.format == out.format and _clamps_nothing(node, x.format, ranges.of(graph)[x.name], graph)
    if x.shape != out.shape or not isinstance(operator(node.op), Movement):
        return False
    if node.op == "transpose":
        return _keeps_order(node, x)
    if node.op == "max_pool":
        plain = set(node.ints("kernel")) == {1}
        return plain and not may_hold_negative_zero(graph, x.name)
    # A reshape, slice, resize or pad that keeps the shape keeps every element where it is.
    return node.op in ("reshape", "slice", "pad", "resize_nearest")


def _keeps_order(transpose: Node, x: Value) -> bool:
    """Whether only axes of size one change places, so that no element does."""
    wide = [p for p in transpose.ints("permutation") if x.shape[p] > 1]
    return wide == sorted(wide)


def _clamps_nothing(node: Node, fmt: Format, interval: Interval, graph: Graph) -> bool:
    lo, hi = output_bounds(node, fmt)
    return lo <= interval.lo and interval.hi <= hi and not may_hold_negative_zero(graph, node.inputs[0])


def may_hold_negative_zero(graph: Graph, name: str) -> bool:
    """Whether codes of a value can be the negative zero of a minifloat: arithmetic never makes one."""
    value = graph.values[name]
    if not isinstance(value.format, Minifloat) or value.format.specials == "fnuz":
        return False
    producer = graph.producer(name)
    if value.data is not None:
        return bool((value.data == 1 << (value.format.bits - 1)).any())
    if producer is None:
        return True
    if isinstance(operator(producer.op), Arithmetic) or producer.op == "max_pool":
        return False
    moved = {"table": producer.inputs[1:2], "select": producer.inputs[1:]}.get(producer.op, producer.inputs[:1])
    return any(may_hold_negative_zero(graph, name) for name in moved)


def _plain_requantise(graph: Graph, node: Node) -> bool:
    """Whether a node computes its one operand, rounded."""
    ins, out = graph.ins(node), graph.outs(node)[0]
    if "multiplier" in node.attrs:
        return False
    if node.op == "concat":
        return len(ins) == 1
    if node.op == "average_pool":
        return set(node.ints("kernel")) == {1} and ins[0].shape == out.shape
    if node.op == "mean":
        return ins[0].shape == out.shape
    if node.op in ("add", "sub", "mul"):
        known = [v for v in ins if v.constant]
        other = next(v for v in ins if not v.constant)
        if len(known) != 1 or other.shape != out.shape or (node.op == "sub" and known[0] is ins[0]):
            return False
        return _uniform(known[0], 1 if node.op == "mul" else 0)
    return False


def _uniform(value: Value, number: int) -> bool:
    """Whether a constant is `number` (0 or 1) in every element."""
    assert value.data is not None
    grid, frac = value.format.to_grid(value.data), frac_of(value)
    if number == 0:
        return not grid.any()
    return 0 <= frac < 62 and bool((grid == 1 << frac).all())


def _joined(graph: Graph, first: Node) -> Graph | None:
    """Two movements of one kind in a row, as one."""
    join = _JOINS.get(first.op)
    second = only_reader(graph, first.outputs[0])
    if join is None or second is None or second.op != first.op:
        return None
    attrs = join(first, second)
    if attrs is None:
        return None
    node = changed(second, inputs=first.inputs, attrs=attrs)
    return replaced(graph, {first.name: (), second.name: (node,)})


def _join_reshape(first: Node, second: Node) -> Mapping[str, object] | None:
    return second.attrs


def _join_transpose(first: Node, second: Node) -> Mapping[str, object] | None:
    inner = first.ints("permutation")
    return {"permutation": tuple(inner[p] for p in second.ints("permutation"))}


def _join_slice(first: Node, second: Node) -> Mapping[str, object] | None:
    parts: dict[str, list[int]] = {"begin": [], "end": [], "step": []}
    keys = ("begin", "end", "step")
    for b1, s1, b2, e2, s2 in zip(
        first.ints("begin"), first.ints("step"), *(second.ints(k) for k in keys), strict=True
    ):
        last = b1 + (b2 + (e2 - b2 - 1) // s2 * s2) * s1
        parts["begin"].append(b1 + b2 * s1)
        parts["end"].append(last + 1)
        parts["step"].append(s1 * s2)
    return {k: tuple(v) for k, v in parts.items()}


def _join_pad(first: Node, second: Node) -> Mapping[str, object] | None:
    same = all(n.text("mode") == "constant" for n in (first, second))
    if not same or first.integer("value", 0) != second.integer("value", 0):
        return None
    total = np.array(first.ints("padding")) + np.array(second.ints("padding"))
    return {**second.attrs, "padding": tuple(int(p) for p in total)}


_JOINS: dict[str, Callable[[Node, Node], Mapping[str, object] | None]] = {
    "pad": _join_pad,
    "reshape": _join_reshape,
    "slice": _join_slice,
    "transpose": _join_transpose,
}
