"""Compute when the graph is made what does not depend on the input.

A node of constants only is run once. A node whose output the range analysis proves to be one number is that number,
and a convolution or linear layer whose weights are all zero is its rounded bias. Two tables in a row are one table.
A graph output stays computed: a network's answer may be a constant, but somebody has to write it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.ir import Graph, Node, Value, operator
from edgeq.passes._edit import RangeCache, changed, constant, only_reader, rebuilt, remade, repeat, replaced
from edgeq.passes.identities import may_hold_negative_zero

#: a constant of more elements would cost more flash than computing it costs time
MOST_ELEMENTS = 4096
_WEIGHTED = ("conv", "conv_transpose", "linear")


def fold_constants(graph: Graph) -> Graph:
    """Every node that the rules above cover, replaced by a constant."""
    ranges = RangeCache()

    def step(graph: Graph) -> Graph | None:
        for node in graph.nodes:
            if (found := _tables(graph, node)) is not None:
                return found
            if not _foldable(graph, node.outputs[0]):
                continue
            codes = _known(graph, node, ranges)
            if codes is not None:
                return _constant(graph, node, codes)
        return None

    return repeat(step, graph)


def _foldable(graph: Graph, name: str) -> bool:
    """Whether a value may become a constant: what then depends on constants only can become one as well."""
    known = {v.name for v in graph.constants()} | {name}
    if name in graph.outputs:
        return False
    for node in graph.nodes:
        if known.issuperset(node.inputs) and node.outputs[0] not in known:
            out = graph.outs(node)[0]
            if out.name in graph.outputs or out.size > MOST_ELEMENTS:
                return False
            known.add(out.name)
    return True


def _known(graph: Graph, node: Node, ranges: RangeCache) -> npt.NDArray[np.int64] | None:
    """Codes of the output, without batch, where no input changes them."""
    ins, out = graph.ins(node), graph.outs(node)[0]
    if all(v.constant for v in ins):
        return _run(node, ins, out, [v.data for v in ins])
    if out.size > MOST_ELEMENTS:
        return None
    if node.op in _WEIGHTED and ins[1].data is not None and not ins[1].format.to_grid(ins[1].data).any():
        zeros = np.zeros(ins[0].shape, np.int64)
        return _run(node, ins, out, [zeros, *(v.data for v in ins[1:])])
    interval = ranges.of(graph)[out.name]
    if interval.lo == interval.hi and not may_hold_negative_zero(graph, out.name):
        return np.broadcast_to(out.format.from_grid(np.array(interval.lo)), out.shape)
    return None


def _run(node: Node, ins: list[Value], out: Value, codes: list[npt.NDArray[np.int64] | None]) -> npt.NDArray[np.int64]:
    """The operator's own meaning for one sample; the first input stands for a computed one."""
    data = [c for c in codes if c is not None]
    first = Value(ins[0].name, ins[0].shape, ins[0].format)
    (found,) = operator(node.op).evaluate(node, [first, *ins[1:]], [out], [data[0][None], *data[1:]])
    return np.asarray(found[0], dtype=np.int64)


def _constant(graph: Graph, node: Node, codes: npt.NDArray[np.int64]) -> Graph:
    """Replace a node by its codes; the constant takes the name of the value."""
    out = graph.outs(node)[0]
    made = constant(graph, "", codes, out.format, out.source)
    value = Value(out.name, made.shape, made.format, made.data, made.source)
    return rebuilt(graph, [n for n in graph.nodes if n.name != node.name], {out.name: value})


def _tables(graph: Graph, first: Node) -> Graph | None:
    """table -> table: one table of the entries' entries."""
    second = only_reader(graph, first.outputs[0])
    if first.op != "table" or second is None or second.op != "table":
        return None
    inner, outer = graph.ins(first)[1], graph.ins(second)[1]
    assert inner.data is not None
    assert outer.data is not None
    fmt = graph.outs(first)[0].format
    lo = fmt.code_range[0]
    table = remade(graph, outer, outer.data[inner.data - lo])
    names = [str(n.attrs["function"]) for n in (second, first) if "function" in n.attrs]
    attrs = {"function": " of ".join(names)} if names else {}
    node = changed(second, inputs=(first.inputs[0], table.name), attrs=attrs)
    return replaced(graph, {first.name: (), second.name: (node,)}, {table.name: table})
