"""Reductions, maxima and slopes of .tflite files: MEAN, SUM, ARG_MAX, ARG_MIN, MAXIMUM, MINIMUM, PRELU."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from edgeq.formats import Affine, FixedPoint
from edgeq.formats.dyadic import FIRST_SHIFT
from edgeq.frontends.tflite import curves
from edgeq.frontends.tflite.build import Building, batchless, unsupported
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor
from edgeq.frontends.tflite.matrix import multiplier
from edgeq.ir import Attr


def _axes(b: Building, call: Operation) -> list[int]:
    """The axes that a reduction names, of the tensor as it is in the file, each once and ascending."""
    x, out = b.tensor(call, 0), b.output(call)
    named, rank = [int(a) for a in b.fixed(call, 1).reshape(-1)], len(x.shape)
    if any(not -rank <= a < rank for a in named):
        raise DamagedError(f"{call.op} {out.name}: axes {named} of {x.shape}")
    return sorted({a % rank for a in named})


def _reduction(b: Building, call: Operation) -> None:
    """MEAN and SUM: an exact sum times a multiplier; that of a mean is divided by the number of elements."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made = b.format(x), b.format(out)
    if (x.type, out.type) not in (("INT8", "INT8"), ("INT16", "INT16")):
        raise unsupported(call, out, f"{x.type} to {out.type}; INT8 and INT16 are supported")
    assert isinstance(into.scale, float)
    assert isinstance(made.scale, float)
    axes, shape = _axes(b, call), b.shape(x)
    m, s = multiplier(call, out, into.scale / made.scale)
    if call.op == "MEAN":
        m, s = divided(m, s, prod(x.shape[a] for a in axes))
    stage: dict[str, Attr] = {"rounding": "tflite", "multiplier": (m,), "shift": (s,)}
    dropped = len(x.shape) - len(shape)
    inner = tuple(a - dropped for a in axes if a >= dropped)
    if not inner:
        b.finish(out, b.node("requantise", out, [b.value(x)], made, **stage))
        return
    keep = int(len(out.shape) == len(x.shape))
    b.finish(out, b.node("sum", out, [b.value(x)], made, axes=inner, keep_axes=keep, **stage))


def divided(m: int, s: int, count: int) -> tuple[int, int]:
    """A multiplier and shift over `count`, as the kernel divides them: as many bits more as the shift has room for."""
    more = min(count.bit_length() - 1, 32, 2 * FIRST_SHIFT - s)
    return (m << more) // count, s + more


def _arg(b: Building, call: Operation) -> None:
    """ARG_MAX and ARG_MIN: the first of equals, as an integer without a scale."""
    x, out = b.tensor(call, 0), b.output(call)
    if x.type not in ("INT8", "UINT8", "INT16") or out.type not in ("INT32", "INT64"):
        raise unsupported(call, out, f"{x.type} to {out.type}; INT8 to INT32 is supported")
    axes, shape = _axes(b, call), b.shape(x)
    if len(axes) != 1:
        raise unsupported(call, out, f"axes {axes} of {x.shape}; one axis is supported")
    axis, name = axes[0] - (len(x.shape) - len(shape)), b.value(x)
    if axis < 0:
        # Of a batch of one the first is the greatest.
        axis = len(shape)
        name = b.node("reshape", out, [name], b.builder.values[name].format, shape=(*shape, 1))
    if call.op == "ARG_MIN":
        fmt = b.builder.values[name].format
        lo, hi = fmt.code_range
        upside_down = b.builder.constant(f"{out.name}.table", np.arange(lo, hi + 1)[::-1], fmt, out.name)
        name = b.node("table", out, [name, upside_down], fmt, function="upside down")
    name = b.node("argmax", out, [name], FixedPoint(32, 0), axis=axis, keep_axes=0)
    want = batchless(out.shape)
    if prod(want) != b.builder.values[name].size:
        raise DamagedError(f"{call.op} {out.name}: declared {out.shape}, it makes {b.builder.values[name].shape}")
    if want and want != b.builder.values[name].shape:
        name = b.node("reshape", out, [name], FixedPoint(32, 0), shape=want)
    b.names[out.index] = name


def _operand(b: Building, tensor: Tensor, rank: int, fmt: Affine | None = None) -> str:
    """The value of an operand, a constant one without leading axes of size one; `fmt`: its codes, in this format."""
    data = b.constant(tensor)
    if data is None:
        return b.value(tensor) if fmt is None else b.coded(tensor, b.value(tensor), fmt)
    while data.ndim > max(rank, 1) and data.shape[0] == 1:
        data = data[0]
    return b.builder.constant(tensor.name, data, b.format(tensor) if fmt is None else fmt, tensor.name)


def _choice(b: Building, call: Operation) -> None:
    """MAXIMUM and MINIMUM: codes are compared, whatever the scales say."""
    x, y, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    if len({x.type, y.type, out.type}) > 1 or out.type not in ("INT8", "INT16"):
        raise unsupported(call, out, f"{x.type} and {y.type} to {out.type}; INT8 is supported")
    made, rank = b.format(out), len(batchless(out.shape))
    names = [_operand(b, t, rank, made) for t in (x, y)]
    b.finish(out, b.node(call.op.lower(), out, names, made))


def _prelu(b: Building, call: Operation) -> None:
    """PRELU: a table where one slope is for all, else products."""
    x, slope, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    into, by, made = b.format(x), b.format(slope), b.format(out)
    if (x.type, slope.type) not in (("INT8", "INT8"), ("INT16", "INT8")) or out.type != x.type:
        raise unsupported(call, out, f"{x.type} and {slope.type} to {out.type}; INT8 and INT16 are supported")
    assert isinstance(into.scale, float)
    assert isinstance(by.scale, float)
    assert isinstance(made.scale, float)
    data = b.constant(slope)
    if data is not None and data.size == 1 and x.type == "INT8" and b.constant(x) is None:
        curve = curves.prelu(into.scale, made.scale, by.scale, int(data.reshape(-1)[0]) - by.zero_point)
        least, most = made.code_range
        codes = [curve(code - into.zero_point) + made.zero_point for code in range(-128, 128)]
        b.finish(out, b.table(out, b.value(x), [min(max(c, least), most) for c in codes], "prelu"))
        return
    stages = [multiplier(call, out, into.scale * by.scale / made.scale), multiplier(call, out, into.scale / made.scale)]
    stage: dict[str, Attr] = {
        "rounding": "tflite",
        "multiplier": tuple(m for m, _ in stages),
        "shift": tuple(s for _, s in stages),
    }
    rank = len(batchless(out.shape))
    b.finish(out, b.node("prelu", out, [_operand(b, x, rank), _operand(b, slope, rank)], made, **stage))


#: operators that this file reads, by their name in the schema
READERS: dict[str, Callable[[Building, Operation], None]] = {
    "ARG_MAX": _arg,
    "ARG_MIN": _arg,
    "MAXIMUM": _choice,
    "MEAN": _reduction,
    "MINIMUM": _choice,
    "PRELU": _prelu,
    "SUM": _reduction,
}
