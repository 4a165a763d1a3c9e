"""Packing: which values of up to 4 bits share bytes in RAM, and which keep a byte for each code.

Kernels for bytes are the fast ones, but for convolutions and rows of up to 4 by up to 4 bits, which read and write
either. So by default only those values share bytes that no other kernel sees; all others run as bytes do. Where that
does not fit, those of the fullest steps follow, the ones first that save most for what bringing codes out takes
(`edgeq.mcu.fit`); and where RAM is what counts, all share bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, Node, Ranges, operator
from edgeq.ir.operator import Arithmetic
from edgeq.mcu import ops
from edgeq.mcu.ops import _dsp, _dsp_fields, _mve
from edgeq.mcu.select import Context, unknown_mode
from edgeq.mcu.storage import packed, storage

#: "fast": where no kernel gets slower, never the inputs and outputs of the network; "all": all of up to 4 bits; "none"
PACKINGS = ("fast", "all", "none")
_FIELDS = {"conv": _dsp_fields.CONV, "linear": _dsp_fields.ROWS}


def packed_graph(graph: Graph, ranges: Ranges, features: Iterable[str], packing: str | frozenset[str]) -> Graph:
    """The graph with the formats of values that share bytes marked as `Packed`; the same numbers, so `ranges` hold.

    packing: one of `PACKINGS`, or the names of these values.
    """
    isa = frozenset(features)
    if isinstance(packing, frozenset):
        return _marked(graph, packing)
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


@dataclass(frozen=True)
class Sharers:
    """Values that can only share bytes together, because kernels move codes from one to the other as they lie.

    touched: codes that kernels have to bring out of bytes or put there, of all these values in one inference.
    """

    names: frozenset[str]
    touched: int

    def saved(self, sizes: Mapping[str, int], graph: Graph) -> int:
        """Bytes that less are needed where these values take `sizes` with a byte for each code."""
        return sum(
            sizes[name] - -(-sizes[name] * storage(packed(_fixed(graph, name))).bits // 8)
            for name in self.names
            if name in sizes
        )


def sharers(graph: Graph, ranges: Ranges, features: Iterable[str]) -> Iterator[Sharers]:
    """What may share bytes beside each other, but for inputs and outputs of the network."""
    isa, narrow = frozenset(features), narrow_values(graph)
    made = _marked(graph, narrow)
    slow = [node for node in made.nodes if not _as_fast(made, node, ranges, isa)]
    touched = dict.fromkeys(narrow, 0)
    for name in (name for node in slow for name in _values(node) if name in narrow):
        touched[name] += graph.values[name].size
    for names in _moved_together(graph, narrow):
        if not names & {*graph.inputs, *graph.outputs}:
            yield Sharers(names, sum(touched[name] for name in names))


def _moved_together(graph: Graph, narrow: set[str]) -> list[frozenset[str]]:
    """The values in groups between whose members codes move."""
    group = {name: {name} for name in narrow}
    for node in graph.nodes:
        out = node.outputs[0]
        if isinstance(operator(node.op), Arithmetic) or out not in narrow:
            continue
        for name in narrow.intersection(node.inputs):
            if graph.values[name].format == graph.values[out].format and group[name] is not group[out]:
                group[out] |= group[name]
                group |= dict.fromkeys(group[name], group[out])
    unique = {id(names): names for names in group.values()}
    return sorted((frozenset(names) for names in unique.values()), key=min)


def _fixed(graph: Graph, name: str) -> FixedPoint:
    fmt = graph.values[name].format
    assert isinstance(fmt, FixedPoint)
    return fmt


def _marked(graph: Graph, shared: Iterable[str]) -> Graph:
    """The graph with these values packed."""
    marked = {name: replace(graph.values[name], format=packed(_fixed(graph, name))) for name in sorted(shared)}
    return graph.replace(values={**graph.values, **marked}) if marked else graph


def _values(node: Node) -> tuple[str, ...]:
    return (*node.inputs, *node.outputs)


def _as_fast(graph: Graph, node: Node, ranges: Ranges, features: frozenset[str]) -> bool:
    """Whether a node with packed operands runs by fields, or costs nothing."""
    ctx = Context(graph, node, ranges, features)
    if ops.KERNELS.get(node.op) == ():
        return len({v.format for v in (*ctx.ins, ctx.out)}) == 1
    variant = _FIELDS.get(node.op)
    return variant is not None and not ctx.scaled and (unknown_mode(variant, ctx) or variant.supports(ctx)) is None
