"""concat: each operand in the output's format, then one after another."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from edgeq.formats import Minifloat
from edgeq.fpga.dataflow import Stream
from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops import requantise
from edgeq.ir import Attr, Graph, Node, Value, operator
from edgeq.ir.operator import Arithmetic


def lower(ctx: Lowering, node: Node) -> None:
    """In turn so many beats of each operand as it has behind the axis."""
    ins, out, axis = ctx.graph.ins(node), ctx.graph.outs(node)[0], node.integer("axis")
    inner = [prod(v.shape[axis:]) for v in ins]
    lanes = gcd(ctx.lanes(out), *inner)
    parts = [ctx.convert(_part(ctx, node, i), lanes) for i in range(len(ins))]
    made = ctx.output(out, lanes)
    if len(parts) == 1:
        ctx.streams.pop(made.name)
        ctx.bind(out, parts[0])
        return
    beats = sum((n // lanes) << (32 * i) for i, n in enumerate(inner))
    params = {"BITS": out.format.bits, "N": len(parts), "LANES": lanes, "BEATS": beats}
    ctx.stage("eq_concat", params, {"s": tuple(p.name for p in parts)}, {"m": made.name}, made.beats)


def _part(ctx: Lowering, node: Node, index: int) -> Stream:
    """An operand in the output's format; a requantisation by the node's own rule where it is in another."""
    value, out = ctx.graph.ins(node)[index], ctx.graph.outs(node)[0]
    same = value.format == out.format and not node.attrs.keys() & {"multiplier", "lo", "hi"}
    if value.constant:
        return ctx.constant(_requantised(ctx, node, index), value.shape, 1)
    if same and not _negative_zeros(ctx.graph, value):
        return ctx.of(value)
    made = Value(f"{out.name}.{index}", value.shape, out.format, source=out.source)
    one = Node(
        "requantise", f"{node.name}.{index}", (value.name,), (made.name,), _stage_of(ctx, node, index), node.source
    )
    inside = ctx.graph
    ctx.graph = _with(inside, made)
    requantise.lower(ctx, one)
    ctx.graph = inside
    found = ctx.streams[ctx.values.pop(made.name)]
    ctx.streams[found.name] = replace(found, value=None)
    return ctx.streams[found.name]


def _negative_zeros(graph: Graph, value: Value) -> bool:
    """Whether a value may have the code of a negative zero: one that came in or out of a table, and was only moved."""
    if not isinstance(value.format, Minifloat) or value.format.specials == "fnuz":
        return False
    maker = next((n for n in graph.nodes if value.name in n.outputs), None)
    if maker is None:
        return True
    if maker.op == "max_pool" or isinstance(operator(maker.op), Arithmetic):
        return False
    return maker.op == "table" or _negative_zeros(graph, graph.ins(maker)[0])


def _with(graph: Graph, value: Value) -> Graph:
    return graph.replace(values={**graph.values, value.name: value})


def _stage_of(ctx: Lowering, node: Node, index: int) -> dict[str, Attr]:
    """The output stage of an operand: multipliers of its own channels where they differ."""
    attrs = {k: v for k, v in node.attrs.items() if k != "axis"}
    ins, axis = ctx.graph.ins(node), node.integer("axis")
    if axis == len(ins[0].shape) - 1:
        begin = sum(v.shape[axis] for v in ins[:index])
        for key in ("multiplier", "shift"):
            if key in attrs and len(node.ints(key)) > 1:
                attrs[key] = node.ints(key)[begin : begin + ins[index].shape[axis]]
    return attrs


def _requantised(ctx: Lowering, node: Node, index: int) -> Value:
    """A constant operand in the output's format."""
    value, out = ctx.graph.ins(node)[index], ctx.graph.outs(node)[0]
    assert value.data is not None
    one = Node("requantise", node.name, (value.name,), (out.name,), _stage_of(ctx, node, index), node.source)
    made = replace(out, shape=value.shape)
    (codes,) = operator("requantise", node.name).evaluate(one, [value], [made], [value.data[None]])
    return Value(value.name, value.shape, out.format, codes[0], value.source)
