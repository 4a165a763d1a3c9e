"""Explaining one differing element: where it is, what both sides have, and what it is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.ir import Graph, Node, Value, operator
from edgeq.ir.operator import Arithmetic
from edgeq.verify.dependencies import Index, dependencies
from edgeq.verify.result import Divergence, ExactResult, Operand

#: elements of one operand that a report lists; a wide layer has thousands
MOST_LISTED = 64


def explain(
    graph: Graph,
    name: str,
    wrong: npt.NDArray[np.bool_],
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    one: Mapping[str, npt.NDArray[Any]],
    other: Mapping[str, npt.NDArray[Any]],
    offset: int,
) -> Divergence:
    """Describe the first True of `wrong`; `offset` is the number of samples before this batch."""
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    sample, index = where[0], where[1:]
    value = graph.values[name]
    (code_a, real_a), (code_b, real_b) = _both(value, a[where]), _both(value, b[where])
    node = graph.producer(name)
    found = Divergence(
        layer=value.source or name,
        node=node.name if node else "",
        op=node.op if node else "input",
        value=name,
        sample=offset + sample,
        index=index,
        codes=(code_a, code_b),
        reals=(real_a, real_b),
        differing=int(wrong.sum()),
    )
    if node is None:
        return found
    # The second side is the one compared against; before the first divergence both have the same operands.
    codes = {
        name: _codes(graph.values[name], trace[name][sample])
        for trace in (one, other)
        for name in trace
        if not np.ma.is_masked(trace[name][sample])
    }
    ins = graph.ins(node)
    if any(not v.constant and v.name not in codes for v in ins):
        return found
    operands = [v.data if v.data is not None else codes[v.name] for v in ins]
    return replace(
        found, exact=_exact(node, ins, graph.outs(node)[0], operands, index), inputs=_inputs(node, ins, operands, index)
    )


def _both(value: Value, item: Any) -> tuple[int, float]:
    """Code and real number of one element, whichever of the two it is given as."""
    array = np.asarray(item).reshape(1)
    if array.dtype.kind != "f":
        return int(array[0]), _real(value, int(array[0]), ())
    real = float(array[0])
    return (0 if np.isnan(real) else int(value.format.quantize(array)[0])), real


def _codes(value: Value, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    return value.format.quantize(np.nan_to_num(array))


def _real(value: Value, code: int, index: Index) -> float:
    """The real number of a code; `index` chooses the channel of a format per channel. NaN where it has none."""
    fmt, frac = value.format, value.format.frac
    if isinstance(frac, tuple):
        assert fmt.channel_axis is not None
        frac = frac[index[fmt.channel_axis]]
    try:
        return float(np.ldexp(float(fmt.to_grid_scalar(code)), -frac))
    except FormatError:
        return float("nan")


def _inputs(node: Node, ins: list[Value], operands: list[npt.NDArray[Any]], index: Index) -> tuple[Operand, ...]:
    names = [role.rstrip("?*") for role in operator(node.op).operands]
    found = []
    for i, indices in dependencies(node, ins, index).items():
        listed = indices[:MOST_LISTED]
        codes = tuple(int(operands[i][at]) for at in listed)
        reals = tuple(_real(ins[i], code, at) for code, at in zip(codes, listed, strict=True))
        role = names[min(i, len(names) - 1)]
        found.append(Operand(role, ins[i].name, len(indices), tuple(listed), codes, reals))
    return tuple(found)


def _exact(
    node: Node, ins: list[Value], out: Value, operands: list[npt.NDArray[Any]], index: Index
) -> ExactResult | None:
    """The golden result before rounding, computed for this one sample."""
    op = operator(node.op)
    if not isinstance(op, Arithmetic):
        return None
    batched = [o if v.constant else o[None] for v, o in zip(ins, operands, strict=True)]
    exact = op.exact(node, ins, op.grids(node, ins, out, batched))
    at = (0, *index)
    den = np.broadcast_to(np.asarray(exact.den), exact.num.shape)[at]
    frac = np.broadcast_to(np.asarray(exact.frac), exact.num.shape)[at]
    return ExactResult(int(exact.num[at]), int(den), int(frac))
