"""Lowering: one file per operator, named as in `edgeq/ir/ops`; each lists its kernels in `VARIANTS`, best first.

An operator that computes in place says over which inputs in `inplace_candidates(graph, node)`; one without kernels
(`VARIANTS = ()`) only renames its input's buffer. Arithmetic in scales that are no power of two has kernels of its own,
listed in `_scaled.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType

from edgeq.errors import UnsupportedError
from edgeq.ir import OPERATORS, Graph, Node, Ranges
from edgeq.mcu.ops._scaled import SCALED
from edgeq.mcu.select import Context, Variant, lower_with
from edgeq.mcu.step import Step


def _module(op: str) -> ModuleType | None:
    try:
        return import_module(f"edgeq.mcu.ops.{op}")
    except ModuleNotFoundError as error:
        if error.name != f"edgeq.mcu.ops.{op}":
            raise
        return None


_MODULES = {op: module for op in OPERATORS if (module := _module(op)) is not None}

#: operator -> its kernels, best first; () where it costs nothing
KERNELS: dict[str, Sequence[Variant]] = {op: module.VARIANTS for op, module in _MODULES.items()}


def _known(node: Node) -> ModuleType:
    if node.op not in _MODULES:
        raise UnsupportedError(
            f"{node.op} {node.name} (layer {node.source}): operator {node.op} has no C kernel; "
            f"the C firmware runs {', '.join(sorted(_MODULES))}"
        )
    return _MODULES[node.op]


def lower(
    graph: Graph, node: Node, ranges: Ranges, features: Iterable[str] = (), *, tight: bool = False
) -> Step | None:
    """The kernel call of a node; None where the output is another name of the input's buffer.

    features: instruction set features of the board (`Board.isa`); tight: whether kernels are to keep their scratch
    small. Raises UnsupportedError with the layer's name.
    """
    module = _known(node)
    if not module.VARIANTS:
        return None
    ctx = Context(graph, node, ranges, frozenset(features), tight)
    if not ctx.scaled:
        return lower_with(module.VARIANTS, ctx)
    if node.op not in SCALED:
        raise ctx.fail("has no C kernel for scales that are no power of two; the emulator runs it")
    return lower_with(SCALED[node.op], ctx)


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """Indices of the inputs whose buffer the output may share while the kernel runs; best first."""
    find = getattr(_known(node), "inplace_candidates", None)
    return tuple(find(graph, node)) if find else ()


def overwritten(graph: Graph, node: Node, step: Step | None) -> list[str]:
    """Inputs whose buffer the output may share while this step runs; best first."""
    found = [node.inputs[i] for i in inplace_candidates(graph, node)]
    return list(dict.fromkeys([*found, *(step.overwrites if step is not None else ())]))
