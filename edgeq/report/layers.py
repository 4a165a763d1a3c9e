"""The layers of a network as rows: shapes, formats, accumulator, multiply–accumulates and bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeq.formats import Grouped
from edgeq.ir import Accumulator, Graph, Node, Value, analyse, operator
from edgeq.ir.graph import Shape
from edgeq.mcu.storage import value_bytes


@dataclass(frozen=True)
class Layer:
    """One node of a graph.

    layer:   layer of the source network; node, op: the node.
    inputs, output: shapes of what it computes from and of its result, without the batch.
    formats: of each computed operand; weights: format of its constant operands by name; output_format: of the result.
    accumulator_bits: width of the least integer that holds its worst case; None where codes only move.
    macs:    multiply–accumulates of one inference.
    constant_bytes: of its weights, biases and tables, packed; output_bytes: of its result in RAM.
    """

    layer: str
    node: str
    op: str
    inputs: tuple[Shape, ...]
    output: Shape
    formats: tuple[str, ...]
    weights: dict[str, str]
    output_format: str
    accumulator_bits: int | None
    macs: int
    constant_bytes: int
    output_bytes: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def layers(net: Graph) -> list[Layer]:
    """The rows, in execution order."""
    ranges = analyse(net)
    return [_layer(net, node, ranges.accumulators[node.name]) for node in net.nodes]


def _layer(net: Graph, node: Node, accumulator: Accumulator | None) -> Layer:
    ins, out = net.ins(node), net.outs(node)[0]
    names = [role.rstrip("?*") for role in operator(node.op).operands]
    roles = [names[min(i, len(names) - 1)] for i in range(len(ins))]
    return Layer(
        layer=node.source or node.name,
        node=node.name,
        op=node.op,
        inputs=tuple(v.shape for v in ins if not v.constant),
        output=out.shape,
        formats=tuple(str(v.format) for v in ins if not v.constant),
        weights={role: str(v.format) for role, v in zip(roles, ins, strict=True) if v.constant},
        output_format=str(out.format),
        accumulator_bits=accumulator.bits if accumulator is not None else None,
        macs=operator(node.op).macs(node, ins, [out]),
        constant_bytes=sum(packed_bytes(v) for v in ins if v.constant),
        output_bytes=value_bytes(out),
    )


def packed_bytes(value: Value) -> int:
    """Bytes of a constant at the width of its format, the last byte filled up; with a byte for each group scale."""
    scales = len(value.format.shifts) if isinstance(value.format, Grouped) else 0
    return -(-value.size * value.format.bits // 8) + scales
