"""Convolutions and matrix products of .onnx files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends._tensors import identity
from edgeq.frontends.onnx.build import (
    Array,
    Building,
    Constant,
    Held,
    Known,
    Pending,
    Shape,
    inner,
    lead,
    unsupported,
)
from edgeq.frontends.onnx.file import Operation
from edgeq.frontends.onnx.movement import feature_map, spatial, window
from edgeq.frontends.onnx.numbers import binary_point, per_tensor, step, steps, width_of
from edgeq.ir import Attr
from edgeq.ir.ops._matrix import accumulator_frac

#: a bias is held in this many bits
BIAS_BITS = 32


def weights(b: Building, call: Operation, found: Constant, turn: Callable[[Array], Array]) -> tuple[str, Format]:
    """A constant of the graph with output channels first, `turn` having laid its elements out, and its format."""
    shape = found.codes.shape
    scale, zero = (turn(np.broadcast_to(a, shape)) for a in (found.numbers.scale, found.numbers.zero))
    codes = turn(found.codes)
    rows, zeros = scale.reshape(len(scale), -1), zero.reshape(len(zero), -1)
    if (rows != rows[:, :1]).any() or (zeros != zeros[:, :1]).any():
        raise unsupported(call, f"scales of {found.name} differ along more than its output channels")
    if (rows <= 0).any():
        raise DamagedError(f"{call.op} {call.name}: a scale of {found.name} is not positive")
    fmt, codes = _weight_format(b, found, codes, rows[:, 0], zeros[:, 0])
    return b.builder.constant(f"{call.name}.weight", codes, fmt, call.name), fmt


def _weight_format(
    b: Building, found: Constant, codes: npt.NDArray[np.int64], scale: Array, zero: Array
) -> tuple[Format, npt.NDArray[np.int64]]:
    values = tuple(float(s) for s in scale)
    if found.minifloat is not None:
        mini = found.minifloat
        exponents = per_tensor(tuple(-_point(found, v) for v in values))
        axis = 0 if isinstance(exponents, tuple) else None
        return Minifloat(mini.exponent, mini.mantissa, mini.bias, mini.specials, exponents, axis), codes
    lo, hi = found.numbers.lo, found.numbers.hi
    if len(set(zero.tolist())) > 1:
        # One zero point for all: the grid integers themselves, a bit wider.
        codes, lo, hi = codes - zero.reshape(-1, *(1,) * (codes.ndim - 1)), lo - int(zero.max()), hi - int(zero.min())
        zero = np.zeros_like(zero)
    z = int(zero[0]) if zero.size else 0
    width, sign = width_of(min(lo, z), max(hi, z))
    points = [binary_point(v) for v in values]
    if b.fixed and z == 0 and None not in points:
        point = per_tensor(tuple(p for p in points if p is not None))
        return FixedPoint(width, point, sign, 0 if isinstance(point, tuple) else None), codes
    shared = per_tensor(values)
    return Affine(width, sign, z, shared, 0 if isinstance(shared, tuple) else None), codes


def _point(found: Constant, scale: float) -> int:
    point = binary_point(scale)
    if point is None:
        raise DamagedError(f"{found.name}: scale {scale} of a float format is no power of two")
    return point


def products(x: Format, weight: Format, channels: int) -> tuple[float, ...]:
    """The real number of one unit of each channel's products, in float32 where it is no power of two."""
    return tuple(product(step(x), s) for s in steps(weight, channels))


def product(a: float, c: float) -> float:
    """The product of two scales, in float32 unless both are powers of two."""
    exact = a * c
    return (
        exact if binary_point(a) is not None and binary_point(c) is not None else float(np.float32(a) * np.float32(c))
    )


def bias(
    b: Building, call: Operation, position: int, units: tuple[float, ...], points: tuple[int, ...] | None
) -> list[str]:
    """The bias as a constant on the grid of the products, or nothing.

    points: binary points of the products where an operand has one, or None. A bias that is not on the grid of the
    products is rounded to it, half to even.
    """
    if not b.has(call, position):
        return []
    found = b.tensor(call, position)
    if not isinstance(found, (Known, Constant)):
        raise unsupported(call, f"input {position}, the bias, is computed; it must be constant")
    real = found.real() if isinstance(found, Constant) else found.data.astype(np.float64)
    try:
        real = np.broadcast_to(real.reshape(-1) if real.size == len(units) else real, (len(units),))
    except ValueError:
        raise DamagedError(f"{call.op} {call.name}: bias of shape {found.shape} for {len(units)} channels") from None
    codes = np.rint(real / np.asarray(units))
    if isinstance(found, Constant) and points is None:
        codes = _integer_bias(found, units, codes)
    if not np.isfinite(codes).all() or (np.abs(codes) >= 1 << (BIAS_BITS - 1)).any():
        raise unsupported(call, "its bias has numbers that 32 bits on the grid of the products do not hold")
    if points is not None:
        point = per_tensor(points)
        fmt: Format = FixedPoint(BIAS_BITS, point, axis=0 if isinstance(point, tuple) else None)
    else:
        scale = per_tensor(units)
        fmt = Affine(BIAS_BITS, True, 0, scale, 0 if isinstance(scale, tuple) else None)
    return [b.builder.constant(f"{call.name}.bias", codes.astype(np.int64), fmt, call.name)]


def _integer_bias(found: Constant, units: tuple[float, ...], codes: Array) -> Array:
    """The integers of the file as they are, where their scale is that of the products up to float32."""
    scale = np.broadcast_to(found.numbers.scale, found.codes.shape).reshape(-1)
    same = np.abs(scale / np.asarray(units if len(units) == scale.size else units[:1]) - 1) < 1e-5
    if same.all() and not found.numbers.zero.any() and found.codes.size == len(units):
        own: Array = found.codes.reshape(-1)
        return own
    return codes


def matrix(
    b: Building, call: Operation, op: str, x: Held, found: Constant, turn: Callable[[Array], Array], out: Held,
    attrs: dict[str, Attr], at_bias: int, alpha: float = 1.0,
) -> Pending:  # fmt: skip
    """A node with constant weights that waits for its rounding."""
    weight, fmt = weights(b, call, found, turn)
    channels = b.builder.values[weight].shape[0]
    source = b.format(x)
    units = products(source, fmt, channels)
    affine = isinstance(source, Affine) and isinstance(fmt, Affine)
    units = tuple(u * alpha for u in units)
    points = None if affine else accumulator_frac(b.builder.values[x.name], b.builder.values[weight])
    names = [x.name, weight, *bias(b, call, at_bias, units, points)]
    return b.pending(call.name, op, names, out, units, attrs, natural=alpha == 1.0)


def constant_weights(b: Building, call: Operation, position: int, rank: int) -> Constant:
    """Weights that are constant and quantised."""
    found = b.tensor(call, position)
    if isinstance(found, Known) and found.data.dtype.kind in "iu" and found.type != "BOOL":
        from edgeq.frontends.onnx.quant import raw_constant

        found = raw_constant(found)
    if isinstance(found, Known):
        raise unsupported(call, f"weights {found.name} are floats that are not quantised; quantise the whole network")
    if not isinstance(found, Constant):
        raise unsupported(call, "its weights are computed; they must be constant")
    if len(found.shape) != rank or 0 in found.shape:
        raise DamagedError(f"{call.op} {call.name}: weights {found.shape} for an input of {rank} axes")
    return found


def conv(b: Building, call: Operation) -> None:
    """Conv: weights (O, C / groups, *kernel)."""
    shape = feature_map(b, call, b.tensor(call, 0))
    channels = b.tensor(call, 0).shape[1]
    found = constant_weights(b, call, 1, len(shape) + 2)
    groups = call.integer("group", 1)
    outputs, each = found.shape[:2]
    if groups < 1 or each * groups != channels or outputs % groups:
        raise DamagedError(f"Conv {call.name}: weights {found.shape}, {groups} groups, {channels} channels")
    attrs, out, _ = window(b, call, shape, found.shape[2:])
    x = spatial(b, b.held(call, 0))
    made = Held("", (1, outputs, *out), x.permutation)
    own: dict[str, Attr] = {**attrs, "groups": groups}
    b.put(call, matrix(b, call, "conv", x, found, lambda a: np.moveaxis(a, 1, -1), made, own, 2))


def conv_transpose(b: Building, call: Operation) -> None:
    """ConvTranspose: weights (C, O / groups, *kernel)."""
    shape = feature_map(b, call, b.tensor(call, 0))
    channels, rank = b.tensor(call, 0).shape[1], len(shape)
    found = constant_weights(b, call, 1, rank + 2)
    groups = call.integer("group", 1)
    if groups < 1 or found.shape[0] != channels or channels % groups:
        raise DamagedError(f"ConvTranspose {call.name}: weights {found.shape}, {groups} groups, {channels} channels")
    outputs = found.shape[1] * groups
    attrs = _transposed_window(call, shape, found.shape[2:])
    pads, more = attrs["padding"], attrs["output_padding"]
    assert isinstance(pads, tuple)
    assert isinstance(more, tuple)
    stride, dilation = call.ints("strides", (1,) * rank), call.ints("dilations", (1,) * rank)
    out = tuple(
        (n - 1) * stride[i] + dilation[i] * (found.shape[2 + i] - 1) + 1 + more[i] - pads[2 * i] - pads[2 * i + 1]
        for i, n in enumerate(shape)
    )
    x = spatial(b, b.held(call, 0))

    def turn(a: Any) -> Any:
        grouped = a.reshape(groups, channels // groups, *a.shape[1:])
        return np.moveaxis(np.moveaxis(grouped, 1, -1).reshape(outputs, *a.shape[2:], channels // groups), 0, 0)

    made = Held("", (1, outputs, *out), x.permutation)
    b.put(call, matrix(b, call, "conv_transpose", x, found, turn, made, {**attrs, "groups": groups}, 2))


def _transposed_window(call: Operation, sizes: Shape, kernel: Shape) -> dict[str, Attr]:
    rank = len(sizes)
    stride, dilation = call.ints("strides", (1,) * rank), call.ints("dilations", (1,) * rank)
    more, pads = call.ints("output_padding", (0,) * rank), call.ints("pads", (0,) * (2 * rank))
    if not len(stride) == len(dilation) == len(more) == rank or len(pads) != 2 * rank:
        raise DamagedError(f"ConvTranspose {call.name}: strides {stride}, dilations {dilation}, pads {pads}")
    auto, wanted = call.text("auto_pad", "NOTSET"), call.ints("output_shape", ())
    padding = [p for i in range(rank) for p in (pads[i], pads[i + rank])]
    if auto == "VALID":
        padding = [0] * (2 * rank)
    elif wanted or auto in ("SAME_UPPER", "SAME_LOWER"):
        want = wanted[-rank:] or tuple(n * s for n, s in zip(sizes, stride, strict=True))
        for i in range(rank):
            total = (sizes[i] - 1) * stride[i] + more[i] + (kernel[i] - 1) * dilation[i] + 1 - want[i]
            half = total // 2
            padding[2 * i : 2 * i + 2] = [half, total - half] if auto == "SAME_UPPER" else [total - half, half]
    if min(padding) < 0:
        raise unsupported(call, f"its output is larger than its windows reach (padding {padding})")
    return {"stride": tuple(stride), "dilation": tuple(dilation), "padding": tuple(padding), "output_padding": more}


def gemm(b: Building, call: Operation) -> None:
    """Gemm: alpha · A · B + beta · C with constant B and C."""
    shape = b.tensor(call, 0).shape
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    if call.integer("transA", 0) or len(shape) != 2:
        raise unsupported(call, f"A is {shape}, transA {call.integer('transA', 0)}; rows as they are are supported")
    if alpha <= 0 or (b.has(call, 2) and beta != 1.0):
        raise unsupported(call, f"alpha {alpha}, beta {beta}; a positive alpha and a beta of one are supported")
    turned = bool(call.integer("transB", 0))
    _linear(b, call, (lambda a: a) if turned else (lambda a: a.T), 1 if turned else 0, alpha)


def matmul(b: Building, call: Operation) -> None:
    """MatMul: of a computed tensor and constant weights, or of two computed tensors."""
    first, second = b.tensor(call, 0), b.tensor(call, 1)
    if isinstance(second, (Constant, Known)) and len(second.shape) == 2:
        _linear(b, call, lambda a: a.T, 0, 1.0)
        return
    if isinstance(first, (Constant, Known)) or isinstance(second, (Constant, Known)):
        raise unsupported(call, f"{first.shape} times {second.shape}; constant weights of two axes are supported")
    x, y = b.settle(first, call), b.settle(second, call)
    rank = len(x.shape)
    if rank < 2 or rank != len(y.shape) or x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-2]:
        raise unsupported(call, f"{x.shape} times {y.shape}; two tensors of as many axes are supported")
    full = (*x.shape[:-1], y.shape[-1])
    names = [_whole(b, t, call.name) for t in (x, y)]
    if rank > 2 and lead(full):
        names = [b.laid(t, identity(rank - 1)).name for t in (x, y)]
    unit = product(step(b.format(x)), step(b.format(y)))
    out = Held("", full, identity(len(inner(full))))
    if len(b.builder.values[names[0]].shape) == len(inner(full)):
        b.put(call, b.pending(call.name, "matmul", names, out, (unit,)))
        return
    waiting = b.pending(call.name, "matmul", names, Held("", full, identity(rank)), (unit,))

    def make(fmt: Format, stage: Any) -> Held:
        return b.hold(waiting.rounded(fmt, stage).name, full, list(range(rank)), place=call.name)

    b.put(call, Pending(call.name, full, make, waiting.exact))


def _whole(b: Building, t: Held, place: str) -> str:
    """A value with all axes of ONNX's shape, the batch of one included."""
    if not lead(t.shape):
        return b.laid(t, identity(len(t.permutation))).name
    if len(t.shape) > 2:
        return t.name
    return b.builder.node("reshape", f"{place}.matrix", [t.name], b.format(t), place, shape=t.shape)


def _linear(b: Building, call: Operation, turn: Callable[[Array], Array], inputs_axis: int, alpha: float) -> None:
    found = constant_weights(b, call, 1, 2)
    shape = b.tensor(call, 0).shape
    inputs, outputs = found.shape[inputs_axis], found.shape[1 - inputs_axis]
    if not shape or shape[-1] != inputs:
        raise DamagedError(f"{call.op} {call.name}: weights {found.shape} for an input of {shape}")
    x = b.held(call, 0)
    if x.permutation[-1] != len(x.permutation) - 1:
        x = b.laid(x, identity(len(x.permutation)))
    full = (*shape[:-1], outputs)
    if inner(full) != (*inner(shape)[:-1], outputs) or len(shape) == 1:
        x = b.laid(x, identity(len(x.permutation)))
    out = Held("", full, x.permutation)
    b.put(call, matrix(b, call, "linear", x, found, turn, out, {}, 2, alpha))
