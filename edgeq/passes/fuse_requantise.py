"""Fuse a requantise (a ReLU, a clip, a change of format) into the output stage of the node that feeds it.

Write the producer as v = C1(R1(a)): `a` is the exact accumulation, R1 rounds it to the grid of v, C1 clamps to the
bounds [L1, H1] of format and attributes. The requantise is u = C2(R2(v)). The fused node computes C'(R'(a)) with one
rounding, and that is the same for every input in these cases:

exact  R1 does nothing, because the grid of v is at least as fine as that of `a` (and there is no division but by a
       power of two). R2 is monotone, and a monotone function commutes with a clamp: R2 of a clamped to [L1, H1] is
       R2(a) clamped to [R2(L1), R2(H1)]. So R' = R2, and C' clamps to C2(R2(L1)) and C2(R2(H1)). That the producer
       saturates is no obstacle.
same   R2 does nothing, because both grids are the same (fixed point: the binary point; minifloat: the format).
       R' = R1, and C' clamps to C2(L1) and C2(H1). This is every ReLU on the same grid.
floor  R1 is floor, R2 is floor or half_up on a coarser fixed-point grid: floor(floor(x) / 2^k) = floor(x / 2^k), and
       half_up adds a half that is an integer of the finer grid, so that floor(floor(x) + h) = floor(x + h). R' = R2.

Two roundings to nearest are none of these (0.49 -> 0.5 -> 1), so they stay two nodes. An entry of a table is rounded
again in the table itself: the requantise of a table is another table.

A producer with multipliers (affine formats, imported networks) rounds on the grid of its output; its ReLU is the case
"same": one scale, and so one grid, on both sides of the requantise. The rule that rounds codes (an average) sees the
zero point as well, which must then be one, too. A requantise with a multiplier rounds again, and stays. An overflow
mode other than saturation is not monotone: neither of the two may have one.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from edgeq.formats import CODE_RULE, DEFAULT_RULE, Affine, FixedPoint, Format
from edgeq.ir import Attr, Graph, Node, Value, operator
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, output_bounds, overflows
from edgeq.passes._edit import RangeCache, changed, fits, only_reader, remade, repeat, replaced


def fuse_requantise(graph: Graph) -> Graph:
    """Every requantise that one of the cases above covers, moved into the node before it."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for producer in graph.nodes:
            second = only_reader(graph, producer.outputs[0])
            if second is None or second.op != "requantise":
                continue
            found = fused(graph, producer, second, ranges)
            if found is not None:
                return found
        return None

    return repeat(step, graph)


def fused(graph: Graph, producer: Node, second: Node, ranges: RangeCache) -> Graph | None:
    """The graph with the requantise `second` moved into `producer`; None where that would change a result."""
    if producer.op == "table":
        return _into_table(graph, producer, second)
    if "multiplier" in second.attrs or overflows(producer) or overflows(second):
        return None
    op = operator(producer.op)
    if not isinstance(op, Arithmetic) or not OUTPUT_STAGE.keys() <= op.attributes.keys():
        return None
    known = ranges.of(graph)
    middle, out = graph.outs(producer)[0], graph.outs(second)[0]
    bounds = op.bounds(producer, graph.ins(producer), [known[n] for n in producer.inputs])
    assert bounds is not None
    rule = fused_rule(producer, second, bounds, middle.format, out.format)
    if rule is None:
        return None
    stage = OUTPUT_STAGE.keys() - {"multiplier", "shift"}
    attrs: dict[str, Attr] = {k: v for k, v in producer.attrs.items() if k not in stage}
    attrs.update(_stage(second, rule, _through(producer, second, middle.format, out.format), out.format))
    node = changed(producer, outputs=second.outputs, attrs=attrs)
    if not fits(graph, node, out.format, known):
        return None
    return replaced(graph, {producer.name: (node,), second.name: ()}, {out.name: _named(out, node)})


def _named(out: Value, node: Node) -> Value:
    """The output keeps the layer that it came from; a nameless one takes the node's."""
    return Value(out.name, out.shape, out.format, None, out.source or node.source)


def fused_rule(producer: Node, second: Node, bounds: Bounds, first: Format, last: Format) -> str | None:
    """Rounding rule of the fused node, or None where fusing would change a result."""
    r1, r2 = (n.text("rounding", DEFAULT_RULE) for n in (producer, second))
    multiplied = "multiplier" in producer.attrs
    if isinstance(first, FixedPoint) and not multiplied and _exact(bounds, first):
        return r2
    if first == last or (r1 != CODE_RULE and _one_grid(first, last)):
        return r1
    fixed = isinstance(first, FixedPoint) and isinstance(last, FixedPoint) and not multiplied
    if fixed and r1 == "floor" and r2 in ("floor", "half_up") and first.frac > last.frac:  # type: ignore[operator]
        return r2
    return None


def _one_grid(first: Format, last: Format) -> bool:
    """Whether the same grid integers stand for the same real numbers."""
    if isinstance(first, FixedPoint) and isinstance(last, FixedPoint):
        return first.point == last.point
    return isinstance(first, Affine) and isinstance(last, Affine) and first.scale == last.scale


def _exact(bounds: Bounds, fmt: FixedPoint) -> bool:
    """Whether every accumulation lies on the grid of `fmt`."""
    least, most = bounds.den
    if least != most or most & (most - 1):
        return False
    assert isinstance(fmt.point, int)
    return max(bounds.frac) + most.bit_length() - 1 <= fmt.point


def _through(producer: Node, second: Node, first: Format, last: Format) -> tuple[int, int]:
    """The producer's bounds, taken through the requantise: those of the fused node, on the last grid."""
    assert isinstance(first.frac, int)
    assert isinstance(last.frac, int)
    rule = second.text("rounding", DEFAULT_RULE)
    scale = Fraction(2) ** (last.frac - first.frac)
    lo, hi = output_bounds(second, last)
    ends = (min(max(last.round_scalar(end * scale, rule), lo), hi) for end in output_bounds(producer, first))
    least, most = ends
    return least, most


def _stage(second: Node, rule: str, bounds: tuple[int, int], fmt: Format) -> dict[str, Attr]:
    """Attributes of an output stage, those that say nothing left out."""
    attrs: dict[str, Attr] = {} if rule == DEFAULT_RULE and "rounding" not in second.attrs else {"rounding": rule}
    for key, bound, end in zip(("lo", "hi"), bounds, fmt.grid_range, strict=True):
        if bound != end:
            attrs[key] = bound
    return attrs


def _into_table(graph: Graph, producer: Node, second: Node) -> Graph | None:
    """table -> requantise: the requantise of every entry, once; not where the channel decides on the multiplier."""
    if len(second.attrs.get("multiplier", ())) > 1:  # type: ignore[arg-type]
        return None
    entries, out = graph.ins(producer)[1], graph.outs(second)[0]
    assert entries.data is not None
    op = operator("requantise")
    (codes,) = op.evaluate(second, (entries,), (out,), [entries.data[None]])
    table = remade(graph, entries, np.asarray(codes[0]), out.format)
    node = changed(producer, inputs=(producer.inputs[0], table.name), outputs=second.outputs)
    return replaced(graph, {producer.name: (node,), second.name: ()}, {table.name: table, out.name: _named(out, node)})
