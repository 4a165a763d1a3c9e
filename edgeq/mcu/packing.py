"""Packing: which values of up to 4 bits share bytes in RAM, and which keep a byte for each code.

Kernels for bytes are the fast ones, but for convolutions and rows of up to 4 by up to 4 bits, which read and write
either. So by default only those values share bytes that no other kernel sees; all others run as bytes do. Where RAM is
what counts, all share bytes, and portable kernels run what has no kernel of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, Node, Ranges
from edgeq.mcu import ops
from edgeq.mcu.ops import _dsp, _dsp_fields, _mve
from edgeq.mcu.select import Context, unknown_mode
from edgeq.mcu.storage import packed

#: "fast": where no kernel gets slower, never the inputs and outputs of the network; "all": all of up to 4 bits; "none"
PACKINGS = ("fast", "all", "none")
_FIELDS = {"conv": _dsp_fields.CONV, "linear": _dsp_fields.ROWS}


def packed_graph(graph: Graph, ranges: Ranges, features: Iterable[str], packing: str) -> Graph:
    """The graph with the formats of values that share bytes marked as `Packed`; the same numbers, so `ranges` hold."""
    isa = frozenset(features)
    if packing == "none" or (packing == "fast" and (_dsp.DSP not in isa or _mve.MVE in isa)):
        return graph
    shared = narrow_values(graph)
    if packing == "fast":
        shared -= {*graph.inputs, *graph.outputs}
    made = _marked(graph, shared)
    while packing == "fast" and shared:
        slower = {name for node in made.nodes if not _as_fast(made, node, ranges, isa) for name in _values(node)}
        if not shared & slower:
            break
        shared -= slower
        made = _marked(graph, shared)
    return made


def narrow_values(graph: Graph) -> set[str]:
    """Values whose codes may share bytes: fixed point of up to 4 bits that is computed or an input."""
    computed = (v for v in graph.values.values() if not v.constant)
    return {v.name for v in computed if isinstance(v.format, FixedPoint) and v.format.bits <= _dsp_fields.MOST_BITS}


def _marked(graph: Graph, shared: set[str]) -> Graph:
    """The graph with these values packed."""
    values = dict(graph.values)
    for name in shared:
        fmt = values[name].format
        assert isinstance(fmt, FixedPoint)
        values[name] = replace(values[name], format=packed(fmt))
    return graph.replace(values=values) if shared else graph


def _values(node: Node) -> tuple[str, ...]:
    return (*node.inputs, *node.outputs)


def _as_fast(graph: Graph, node: Node, ranges: Ranges, features: frozenset[str]) -> bool:
    """Whether a node with packed operands runs by fields, or costs nothing."""
    ctx = Context(graph, node, ranges, features)
    if ops.KERNELS.get(node.op) == ():
        return len({v.format for v in (*ctx.ins, ctx.out)}) == 1
    variant = _FIELDS.get(node.op)
    return variant is not None and not ctx.scaled and (unknown_mode(variant, ctx) or variant.supports(ctx)) is None
