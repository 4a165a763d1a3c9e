"""Operators of .tflite files that are computed when the graph is made: shapes, and what is done with constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from edgeq.frontends.tflite.build import Array, Building, unsupported
from edgeq.frontends.tflite.file import MAX_ELEMENTS, TYPES, DamagedError, Operation, Tensor
from edgeq.frontends.tflite.parts import Parts, SliceError, axis_of, slice_parts, strided_parts

#: elements of a call's inputs (None: left out) -> elements of its outputs
Fold = Callable[[Building, Operation, Sequence[Array | None]], Sequence[Any]]


def fold(b: Building, call: Operation) -> bool:
    """Compute a call whose result does not depend on the network's input; False where it does."""
    if call.op == "SHAPE":
        b.known[b.output(call).index] = np.array(b.tensor(call, 0).shape, dtype=TYPES["INT32"])
        return True
    if call.op not in FOLDS:
        return False
    ins: list[Array | None] = []
    for position in range(len(call.inputs)):
        tensor = b.optional(call, position)
        known = None if tensor is None else b.constant(tensor)
        if tensor is not None and known is None:
            return False
        ins.append(known)
    if not ins or (call.op in ARITHMETIC and not all(_plain(b, call, i) for i in range(len(ins)))):
        return False
    # What is made of products of all inputs may be as large as they say; a network needs a few integers.
    if prod(max(x.size, 1) for x in ins if x is not None) > MAX_ELEMENTS and call.op in (*ARITHMETIC, "GATHER"):
        raise DamagedError(f"{call.op} {b.output(call).name}: makes more than a network can have")
    try:
        with np.errstate(all="ignore"):
            made = FOLDS[call.op](b, call, ins)
    except SliceError as error:
        raise DamagedError(f"{call.op} {b.output(call).name}: {error}") from None
    for position, codes in enumerate(made):
        out = b.output(call, position)
        b.known[out.index] = _as_declared(call, out, np.asarray(codes))
    return True


def _plain(b: Building, call: Operation, position: int) -> bool:
    """Whether an input holds integers as such, not codes of real numbers."""
    tensor = b.tensor(call, position)
    return tensor.type in ("INT32", "INT64") and not (tensor.scales and set(tensor.scales) != {1.0})


def _as_declared(call: Operation, out: Tensor, codes: Array) -> Array:
    if codes.size != prod(out.shape) or out.type not in TYPES:
        raise DamagedError(f"{call.op} {out.name}: declared {out.type} {out.shape}, it makes {codes.shape}")
    return codes.astype(TYPES[out.type]).reshape(out.shape)


def _all(ins: Sequence[Array | None]) -> list[Array]:
    return [x for x in ins if x is not None]


def _first(function: Callable[..., Array]) -> Fold:
    return lambda b, call, ins: [function(*_all(ins))]


def _picked(x: Array, parts: Parts) -> Array:
    return x[np.ix_(*(list(r) for r in parts))]


def _strided_slice(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    x, *bounds = _all(ins)
    return [_picked(x, strided_parts(call, x.shape, *bounds))]


def _slice(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    x, begin, size = _all(ins)
    return [_picked(x, slice_parts(x.shape, begin, size))]


def _pack(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    axis = axis_of(call.options("PackOptions").Axis(), ins[0].ndim + 1 if ins[0] is not None else 0)
    return [np.stack(_all(ins), axis)]


def _concatenation(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    parts = _all(ins)
    return [np.concatenate(parts, axis_of(call.options("ConcatenationOptions").Axis(), parts[0].ndim))]


def _gather(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    x, indices = _all(ins)
    options = call.options("GatherOptions")
    axis = axis_of(0 if options is None else options.Axis(), x.ndim)
    if options is not None and options.BatchDims() != 0:
        raise unsupported(call, b.output(call), "batch_dims; 0 is read")
    return [np.take(x, indices.astype(np.int64), axis=axis)]


def _reduce_prod(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    x, axes = _all(ins)
    return [np.prod(x, axis=tuple({axis_of(int(a), x.ndim) for a in axes.reshape(-1)}))]


def _range(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    start, limit, delta = (int(x.reshape(-1)[0]) for x in _all(ins))
    if delta == 0 or abs(limit - start) // abs(delta) > MAX_ELEMENTS:
        raise SliceError(f"range {start} to {limit} by {delta}")
    return [np.arange(start, limit, delta)]


def _fill(b: Building, call: Operation, ins: Sequence[Array | None]) -> list[Array]:
    shape, value = _all(ins)
    sizes = tuple(int(n) for n in shape.reshape(-1))
    if any(n < 0 for n in sizes) or prod(sizes) > MAX_ELEMENTS:
        raise SliceError(f"shape {sizes}")
    return [np.full(sizes, value.reshape(-1)[0])]


#: operators on integers as such; on codes of real numbers they mean something else
ARITHMETIC: dict[str, Fold] = {
    "ADD": _first(np.add),
    "FLOOR_DIV": _first(lambda x, y: np.floor_divide(x, np.where(y == 0, 1, y))),
    "FLOOR_MOD": _first(lambda x, y: np.mod(x, np.where(y == 0, 1, y))),
    "MAXIMUM": _first(np.maximum),
    "MINIMUM": _first(np.minimum),
    "MUL": _first(np.multiply),
    "REDUCE_PROD": _reduce_prod,
    "SUB": _first(np.subtract),
}
FOLDS: dict[str, Fold] = {
    **ARITHMETIC,
    "CAST": _first(lambda x: x),
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": lambda b, call, ins: [ins[0]],
    "FILL": _fill,
    "GATHER": _gather,
    "PACK": _pack,
    "RANGE": _range,
    "RESHAPE": lambda b, call, ins: [ins[0]],
    "SLICE": _slice,
    "SQUEEZE": lambda b, call, ins: [ins[0]],
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _first(lambda x, order: x.transpose([axis_of(int(a), x.ndim) for a in order.reshape(-1)])),
}
#: operators that are read where they do not depend on the network's input, and only there
CONSTANT_ONLY = ("CAST", "FILL", "FLOOR_DIV", "FLOOR_MOD", "RANGE", "REDUCE_PROD", "SHAPE")


def computed(b: Building, call: Operation) -> None:
    """The reader of operators that were not folded."""
    raise unsupported(call, b.output(call), "depends on the network's input; it is read for constants and shapes only")
