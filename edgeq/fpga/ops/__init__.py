"""Lowering: one file per operator, named as in `edgeq/ir/ops`; `lower(ctx, node)` adds its stages to the dataflow.

An operator with multipliers says in `work(graph, node, style)` what its engine has to do; folding decides its shape.
One whose modules multiply whatever the folding is says in `products(graph, node)` how many multipliers they take.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from edgeq.fpga.folding import Work
from edgeq.fpga.lowering import Lowering, fail
from edgeq.ir import OPERATORS, Graph, Node


def _module(op: str) -> ModuleType | None:
    try:
        return import_module(f"edgeq.fpga.ops.{op}")
    except ModuleNotFoundError as error:
        if error.name != f"edgeq.fpga.ops.{op}":
            raise
        return None


#: why operators have no hardware, beside those that nobody has written one for
REFUSED = dict.fromkeys(
    ("select", "within"),
    "would build all branches and make the stream wait until a whole patch has been looked at; fix which patches are "
    "narrow when the network is made (edgeq search patches without --at-run-time)",
)

#: operator -> its lowering, for those that have hardware
LOWERINGS = {op: module for op in OPERATORS if (module := _module(op)) is not None}


def known(node: Node) -> ModuleType:
    """The lowering of a node's operator; UnsupportedError names the layer where there is none."""
    if node.op in REFUSED:
        raise fail(node, f"operator {node.op} has no hardware: it {REFUSED[node.op]}")
    if node.op not in LOWERINGS:
        raise fail(
            node,
            f"operator {node.op} has no hardware; an FPGA runs {', '.join(sorted(LOWERINGS))}: replace the layer, or "
            "run the network on a microcontroller",
        )
    return LOWERINGS[node.op]


def work(graph: Graph, node: Node, style: str) -> Work | None:
    """What the node's engine has to do; None where it has no multipliers."""
    find = getattr(known(node), "work", None)
    found: Work | None = find(graph, node, style) if find else None
    return found


def products(graph: Graph, node: Node) -> int:
    """Multipliers that the node's stages take beside its engine."""
    find = getattr(known(node), "products", None)
    found: int = find(graph, node) if find else 0
    return found


def lower_node(ctx: Lowering, node: Node) -> None:
    """Add the stages of a node."""
    known(node).lower(ctx, node)
