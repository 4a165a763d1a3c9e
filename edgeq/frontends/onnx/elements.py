"""ONNX operators that compute element by element, or over windows and axes without weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats import Affine, FixedPoint, Format
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends._tensors import identity
from edgeq.frontends.onnx.build import (
    Building,
    Coded,
    Constant,
    Held,
    Known,
    Pending,
    Shape,
    Stage,
    Tensor,
    inner,
    lead,
    plain,
    unsupported,
)
from edgeq.frontends.onnx.file import Operation
from edgeq.frontends.onnx.functions import FUNCTIONS, Reals
from edgeq.frontends.onnx.matrix import matrix, product
from edgeq.frontends.onnx.movement import axes_of, feature_map, spatial, window
from edgeq.frontends.onnx.numbers import Quantisation, binary_point, encode_real, multipliers, step
from edgeq.frontends.onnx.quant import clip_codes
from edgeq.frontends.tflite.numbers import softmax_table
from edgeq.ir import Attr
from edgeq.ir.ops.softmax_reciprocal import EXP_BITS

#: bits of constants that the file does not quantise
CONSTANT_BITS = 16
#: bits that sums gain before operands of two scales are joined, as TensorFlow Lite has them
_LEFT = 20
#: fraction bits of softmax's exponentials; the first is exactly one
_EXP_POINT = 15
#: softmax before a scale that is not its own
_SIXTEEN = Affine(16, False, 0, 2.0**-16)


# -- two operands -----------------------------------------------------------------------------------------------------


def operands(b: Building, call: Operation) -> tuple[list[str], Held]:
    """The values of both operands, laid out alike, and what their join will be."""
    tensors = [b.tensor(call, i) for i in (0, 1)]
    try:
        full = tuple(np.broadcast_shapes(*(t.shape for t in tensors)))
    except ValueError:
        raise DamagedError(f"{call.op} {call.name}: {tensors[0].shape} and {tensors[1].shape}") from None
    computed = {i: b.settle(t, call) for i, t in enumerate(tensors) if not isinstance(t, (Known, Constant))}
    if not computed:
        raise unsupported(call, "both operands are constant; fold them before the export")
    ranked = {i: _ranked(b, t, len(full), call.name) for i, t in computed.items()}
    most = max(ranked.values(), key=lambda t: (t.shape == full, math.prod(t.shape)))
    alike = all(lead(t.shape) == lead(full) for t in ranked.values())
    order = most.permutation if alike else identity(len(inner(full)))
    names = []
    for i, tensor in enumerate(tensors):
        if i in ranked:
            t = ranked[i]
            names.append(b.laid(t, order if alike else identity(len(t.permutation))).name)
        else:
            assert isinstance(tensor, (Known, Constant))
            names.append(_constant(b, call, tensor, full, order))
    return names, Held("", full, order)


def _ranked(b: Building, t: Held, rank: int, place: str) -> Held:
    """A tensor with axes of one in front."""
    more = rank - len(t.shape)
    if not more:
        return t
    return b.hold(t.name, (1,) * more + t.shape, [a + more for a in b.order(t)], place=f"{place}.shape")


def _constant(b: Building, call: Operation, found: Known | Constant, full: Shape, order: Shape) -> str:
    """A constant operand with the axes that the other one has."""
    codes, fmt = constant_codes(b, call, found)
    codes = codes.reshape((1,) * (len(full) - codes.ndim) + codes.shape)
    if lead(full):
        codes = codes[0]
    laid = codes.transpose(order) if full else codes.reshape(1)
    return b.builder.constant(f"{call.name}.constant", laid, fmt, call.name)


def constant_codes(b: Building, call: Operation, found: Known | Constant) -> tuple[npt.NDArray[np.int64], Format]:
    """Codes and one format of a constant; floats that the file does not quantise get 16 bits, exact where they fit."""
    if isinstance(found, Constant) and found.numbers.scale.size == found.numbers.zero.size == 1:
        if found.minifloat is None:
            return found.codes, found.numbers.format(b.fixed, call.name)
        if (point := binary_point(float(found.numbers.scale.flat[0]))) is not None:
            return found.codes, replace(found.minifloat, scale=-point)
    real = found.real() if isinstance(found, Constant) else found.data.astype(np.float64)
    if not np.isfinite(real).all():
        raise DamagedError(f"{call.op} {call.name}: a constant is not finite")
    most = float(np.abs(real).max(initial=0.0))
    if most == 0:
        return np.zeros(real.shape, np.int64), FixedPoint(2, 0)
    point = CONSTANT_BITS - 2 - math.frexp(most)[1] + 1
    units = np.ldexp(real, point)
    while point > -64 and np.array_equal(units, np.rint(units)) and not (np.rint(units).astype(np.int64) & 1).any():
        point, units = point - 1, units / 2
    if b.fixed or np.array_equal(units, np.rint(units)):
        fmt: Format = FixedPoint(CONSTANT_BITS, point)
    else:
        fmt = Affine(CONSTANT_BITS, True, 0, most / ((1 << (CONSTANT_BITS - 1)) - 1))
    return encode_real(real, fmt, "half_even"), fmt


def add(b: Building, call: Operation) -> None:
    """Add and Sub."""
    if _both_known(b, call):
        return
    op = call.op.lower()
    names, out = operands(b, call)
    values = [b.builder.values[n] for n in names]
    units = [step(v.format) for v in values]
    affine = [isinstance(v.format, Affine) for v in values]

    def make(fmt: Format, stage: Stage) -> Held:
        attrs = stage.attrs(fmt)
        kinds = {*affine, isinstance(fmt, Affine)}
        if kinds != {False} and not (kinds == {True} and units[0] == units[1] == step(fmt)):
            attrs |= _joined(names, units, fmt, b, f"{call.op} {call.name}")
        return replace(out, name=b.builder.node(op, call.name, names, fmt, call.name, **attrs))

    def exact() -> Format | None:
        if any(affine) and (not all(affine) or units[0] != units[1]):
            return None
        return b.held_exactly(call.name, op, names, {}, (min(units),), any(affine))

    b.put(call, Pending(call.name, out.shape, make, exact))


def _joined(names: list[str], units: list[float], fmt: Format, b: Building, place: str) -> dict[str, Attr]:
    """Multipliers that bring both operands to twice the greater scale, with bits to spare, and the sum to `fmt`."""
    wide = max(b.builder.values[n].format.bits for n in names)
    left, twice = min(_LEFT, max(0, 29 - wide)), 2 * max(units)
    (m,), (s,) = multipliers((twice / (1 << left),), step(fmt), place)
    found: dict[str, Attr] = {"left": left, "multiplier": (m,), "shift": (s,)}
    for operand, unit in zip("ab", units, strict=True):
        (m,), (s,) = multipliers((unit,), twice, place)
        found |= {f"{operand}_multiplier": m, f"{operand}_shift": s}
    return found


def _both_known(b: Building, call: Operation) -> bool:
    """Joins two constants, one of which was quantised."""
    pair = [b.tensor(call, i) for i in (0, 1)]
    if not all(isinstance(t, (Known, Constant)) for t in pair):
        return False
    x, y = (b.known(call, i) for i in (0, 1))
    made = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[call.op](x, y)
    b.put(call, Known(call.outputs[0], np.asarray(made, dtype=np.float32), "FLOAT"))
    return True


def mul(b: Building, call: Operation) -> None:
    """Mul; by one positive number it is only another scale."""
    if _both_known(b, call):
        return
    for at in (0, 1):
        factor, x = b.tensor(call, at), b.tensor(call, 1 - at)
        if isinstance(factor, Known) and factor.data.size == 1 and float(factor.data.reshape(-1)[0]) > 0:
            _times(b, call, x, float(factor.data.reshape(-1)[0]), factor.shape)
            return
    names, out = operands(b, call)
    units = [step(b.builder.values[n].format) for n in names]
    b.put(call, b.pending(call.name, "mul", names, out, (product(*units),)))


def extreme(b: Building, call: Operation) -> None:
    """Max and Min of two tensors of one format."""
    if len([i for i in call.inputs if i]) != 2:
        raise unsupported(call, f"{len(call.inputs)} operands; two are supported")
    names, out = operands(b, call)
    formats = [b.builder.values[n].format for n in names]
    fmt = _common(set(formats))
    if fmt is None:
        raise unsupported(call, f"operands {formats[0]} and {formats[1]}; quantise both with one scale")
    op = {"Max": "maximum", "Min": "minimum"}[call.op]
    made = b.builder.node(op, call.name, names, fmt, call.name)
    b.put(call, replace(out, name=made))


def div(b: Building, call: Operation) -> None:
    """Div by one positive constant."""
    by = b.known(call, 1)
    if by.size != 1 or not float(by.reshape(-1)[0]) > 0:
        raise unsupported(call, "divides by more than one positive constant; multiply by the reciprocals")
    _times(b, call, b.tensor(call, 0), 1.0 / float(by.reshape(-1)[0]), by.shape)


def _times(b: Building, call: Operation, x: Tensor, factor: float, shape: Shape) -> None:
    if not math.isfinite(factor):
        raise DamagedError(f"{call.op} {call.name}: a constant is not finite")
    if isinstance(x, Pending) and x.scaled is not None and math.isinf(x.lo) and math.isinf(x.hi):
        made: Pending = x.scaled(factor)
    else:
        held = b.settle(x, call)
        made = b.requantised(held, call.name, factor)
    if len(shape) > len(made.shape):
        raise unsupported(call, f"a factor of shape {shape} for {made.shape}")
    b.put(call, made)


def concat(b: Building, call: Operation) -> None:
    """Concat: each operand in the output's format."""
    tensors = [b.tensor(call, i) for i in range(len(call.inputs))]
    rank = len(tensors[0].shape)
    axis = call.integer("axis", 1)
    if any(len(t.shape) != rank for t in tensors) or not -rank <= axis < rank:
        raise DamagedError(f"Concat {call.name}: axis {axis} of {[t.shape for t in tensors]}")
    axis %= rank
    for i in range(rank):
        if i != axis and len({t.shape[i] for t in tensors}) > 1:
            raise DamagedError(f"Concat {call.name}: axis {axis} of {[t.shape for t in tensors]}")
    full = tuple(sum(t.shape[axis] for t in tensors) if i == axis else n for i, n in enumerate(tensors[0].shape))
    coded = [isinstance(t, Coded) or (isinstance(t, Held) and t.integer) for t in tensors]
    if any(coded):
        tensors = [b.settle(t, call) if c else t for t, c in zip(tensors, coded, strict=True)]

    def make(fmt: Format, stage: Stage) -> Held:
        parts = [_in_format(b, call, t, fmt, stage) for t in tensors]
        return _concat(b, call, parts, axis, full, fmt)

    def exact() -> Format | None:
        formats = {b.format(b.settle(t, call)) for t in tensors if not isinstance(t, (Known, Constant))}
        return _common(formats)

    formats = {b.format(t) for t in tensors if isinstance(t, Held)}
    if len(formats) == 1 and all(isinstance(t, Held) for t in tensors):
        made = make(next(iter(formats)), Stage())
        b.put(call, replace(made, integer=all(coded)))
    elif any(coded):
        raise unsupported(call, "joins codes of several scales; dequantise them before")
    else:
        b.put(call, Pending(call.name, full, make, exact))


def _common(formats: set[Format]) -> Format | None:
    """A format that holds the numbers of several."""
    if len(formats) == 1:
        return next(iter(formats))
    points = [f.frac for f in formats if isinstance(f, FixedPoint) and isinstance(f.frac, int)]
    if len(points) != len(formats):
        return None
    finest = max(points)
    ends = [(e << (finest - f.frac)) for f in formats for e in f.grid_range if isinstance(f.frac, int)]
    bits = max((~e if e < 0 else e).bit_length() for e in ends) + 1
    return FixedPoint(bits, finest) if bits <= 32 else None


def _in_format(b: Building, call: Operation, t: Tensor, fmt: Format, stage: Stage) -> Held:
    if isinstance(t, (Known, Constant)):
        real = t.real() if isinstance(t, Constant) else t.data.astype(np.float64)
        codes = encode_real(np.clip(real, stage.lo, stage.hi), fmt, stage.rule)
        name = b.builder.constant(f"{call.name}.constant", codes.reshape(inner(t.shape)), fmt, call.name)
        return Held(name, t.shape, identity(len(inner(t.shape))))
    assert isinstance(t, (Held, Pending))
    return b.rounded(t, fmt, stage)


def _concat(b: Building, call: Operation, parts: list[Held], axis: int, full: Shape, fmt: Format) -> Held:
    alike = {lead(t.shape) for t in parts} == {lead(full)}
    if not alike or axis < lead(full):
        raise unsupported(call, "joins batches")
    order = parts[0].permutation
    names = []
    for t in parts:
        data = b.builder.values[t.name].data
        if data is None:
            names.append(b.laid(t, order).name)
        else:
            names.append(b.builder.constant(f"{t.name}.laid", data.transpose(order), fmt, call.name))
    made = b.builder.node("concat", call.name, names, fmt, call.name, axis=order.index(axis - lead(full)))
    return Held(made, full, order)


# -- one operand ------------------------------------------------------------------------------------------------------


def _clipped(b: Building, call: Operation, lo: float, hi: float) -> None:
    x = b.tensor(call, 0)
    if math.isnan(lo) or math.isnan(hi):
        raise DamagedError(f"{call.op} {call.name}: a bound is NaN")
    if isinstance(x, Constant):
        b.put(call, Known(call.outputs[0], np.clip(x.real(), lo, hi).astype(np.float32), "FLOAT"))
        return
    if isinstance(x, Held):
        if x.integer:
            raise unsupported(call, "clips codes after another operator")
        waiting = b.requantised(x, call.name)
        fmt = b.format(x)
        b.put(call, replace(waiting, lo=lo, hi=hi, scaled=None, exact=lambda: fmt))
        return
    if not isinstance(x, Pending):
        raise unsupported(call, "clips a constant")
    ends = Stage(lo=x.lo, hi=x.hi).bounded(lo, hi)
    b.put(call, replace(x, lo=ends.lo, hi=ends.hi, scaled=None))


def relu(b: Building, call: Operation) -> None:
    """Relu: a bound of the rounding that follows."""
    _clipped(b, call, 0.0, math.inf)


def clip(b: Building, call: Operation) -> None:
    """Clip: bounds of the rounding that follows, or fewer bits of codes."""
    x = b.tensor(call, 0)
    if isinstance(x, Coded) or (isinstance(x, Held) and x.integer):
        clip_codes(b, call, x)
        return
    lo, hi = float(call.attrs.get("min", -math.inf)), float(call.attrs.get("max", math.inf))
    lo = float(b.known(call, 1).reshape(-1)[0]) if b.has(call, 1) else lo
    hi = float(b.known(call, 2).reshape(-1)[0]) if b.has(call, 2) else hi
    _clipped(b, call, lo, max(lo, hi))


def function(b: Building, call: Operation) -> None:
    """A function of one variable: a table, made when the output's format is known."""
    of = FUNCTIONS[call.op]
    tabulate(b, call, b.tensor(call, 0), lambda x: of(call, x))


def tabulate(b: Building, call: Operation, tensor: Tensor, of: Callable[[Reals], Any]) -> None:
    """A table of `of` from the codes of a tensor."""
    if isinstance(tensor, Constant):
        b.put(call, Known(call.outputs[0], np.asarray(of(tensor.real()), dtype=np.float32), "FLOAT"))
        return
    x = b.settle(tensor, call)
    source = b.format(x)
    if source.bits > 16:
        raise unsupported(call, f"reads {source}; quantise its input to 16 bits or less")
    lo, hi = source.code_range
    codes = np.arange(lo, hi + 1)
    finite = np.array([_finite(source, int(c)) for c in codes])
    with np.errstate(all="ignore"):
        real = np.asarray(of(source.decode(np.where(finite, codes, 0))), dtype=np.float64)
    if np.isnan(real[finite]).any():
        raise unsupported(call, f"is no number for some numbers of {source}")

    def make(fmt: Format, stage: Stage) -> Held:
        made = encode_real(np.clip(real, stage.lo, stage.hi), fmt, stage.rule)
        if stage.codes is not None:
            zero = fmt.zero_point if isinstance(fmt, Affine) else 0
            grid = np.clip(fmt.to_grid(made), stage.codes[0] - zero, stage.codes[1] - zero)
            made = fmt.from_grid(grid)
        return b.table(call.name, x, fmt, made, call.op.lower())

    b.put(call, Pending(call.name, x.shape, make, lambda: None))


def _finite(fmt: Format, code: int) -> bool:
    try:
        fmt.to_grid_scalar(code)
    except FormatError:
        return False
    return True


def prelu(b: Building, call: Operation) -> None:
    """PRelu with one slope."""
    slope = b.known(call, 1)
    if slope.size != 1:
        raise unsupported(call, "a slope for each channel; one slope is supported")
    a = float(slope.reshape(-1)[0])
    tabulate(b, call, b.tensor(call, 0), lambda x: np.where(x < 0, a * x, x))


# -- windows and axes -------------------------------------------------------------------------------------------------


def average_pool(b: Building, call: Operation) -> None:
    """AveragePool: the exact mean of each window."""
    tensor = b.tensor(call, 0)
    sizes, kernel = feature_map(b, call, tensor), call.ints("kernel_shape")
    attrs, out, grown = window(b, call, sizes, kernel)
    if set(attrs.pop("dilation")) != {1}:  # type: ignore[arg-type]
        raise unsupported(call, "dilated windows")
    padding = attrs["padding"]
    assert isinstance(padding, tuple)
    include = call.integer("count_include_pad", 0) == 1
    if include and grown:
        raise unsupported(call, "ceil_mode with count_include_pad; take one of them")
    include = include or not any(padding)
    x = spatial(b, b.settle(tensor, call))
    own: dict[str, Attr] = {**attrs, "kernel": kernel, "include_pad": int(include)}
    made = Held("", (*tensor.shape[:2], *out), x.permutation)
    b.put(call, _mean(b, call, "average_pool", x, made, own, math.prod(kernel), include))


def _mean(
    b: Building,
    call: Operation,
    op: str,
    x: Held,
    out: Held,
    attrs: dict[str, Attr],
    den: int,
    whole: bool,
    factor: float = 1.0,
) -> Pending:
    """A mean that waits for its format; not `whole`: windows are divided by what they see, not by `den`.

    Among scales a multiplier stands in place of the division: of a sum, which for windows is a convolution with ones.
    Where windows see different numbers of elements the mean is rounded at its input's scale first.
    """
    source = b.format(x)
    unit = step(source)
    waiting = b.pending(call.name, op, [x.name], out, (unit,), attrs)

    def make(fmt: Format, stage: Stage) -> Held:
        affine = isinstance(source, Affine), isinstance(fmt, Affine)
        if factor == 1.0 and not any(affine):
            return waiting.rounded(fmt, stage)
        each = unit * factor / den
        if op == "mean":
            return b.pending(call.name, "sum", [x.name], out, (each,), attrs, natural=False).rounded(fmt, stage)
        if whole:
            return _ones(b, call, x, out, attrs, each).rounded(fmt, stage)
        if factor == 1.0 and all(affine) and step(fmt) == unit:
            return waiting.rounded(fmt, stage)
        first = waiting.rounded(source, Stage(stage.rule))
        return b.requantised(first, f"{call.name}.scaled", factor).rounded(fmt, stage)

    def scaled(by: float) -> Pending:
        return _mean(b, call, op, x, out, attrs, den, whole, factor * by)

    return Pending(call.name, out.shape, make, lambda: None, scaled=scaled)


def _ones(b: Building, call: Operation, x: Held, out: Held, attrs: dict[str, Attr], unit: float) -> Pending:
    """The sum of each window as a convolution with ones."""
    kernel, channels = attrs["kernel"], b.builder.values[x.name].shape[-1]
    assert isinstance(kernel, tuple)
    weight = b.builder.constant(
        f"{call.name}.ones", np.ones((channels, *kernel, 1), np.int64), Affine(2, True, 0, 1.0), call.name
    )
    own: dict[str, Attr] = {"stride": attrs["stride"], "padding": attrs["padding"], "dilation": (1,) * len(kernel)}
    own["groups"] = channels
    return b.pending(call.name, "conv", [x.name, weight], out, (unit,), own, natural=False)


def global_average_pool(b: Building, call: Operation) -> None:
    """GlobalAveragePool: the exact mean over the spatial axes."""
    tensor = b.tensor(call, 0)
    if len(tensor.shape) < 3:
        raise DamagedError(f"GlobalAveragePool {call.name}: input {tensor.shape}")
    _reduce(b, call, tensor, list(range(2, len(tensor.shape))), True)


def reduce(b: Building, call: Operation) -> None:
    """ReduceMean and ReduceSum over axes other than the batch."""
    tensor = b.tensor(call, 0)
    axes = axes_of(b, call, len(tensor.shape))
    if not axes:
        if call.integer("noop_with_empty_axes", 0):
            b.put(call, tensor)
            return
        axes = list(range(len(tensor.shape)))
    _reduce(b, call, tensor, axes, bool(call.integer("keepdims", 1)))


def _reduce(b: Building, call: Operation, tensor: Tensor, axes: list[int], keep: bool) -> None:
    x = b.settle(tensor, call)
    order = b.order(x)
    along = tuple(sorted(order.index(a) for a in axes if a in order))
    full = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    final = full if keep else tuple(n for i, n in enumerate(x.shape) if i not in axes)
    if not along:
        raise unsupported(call, "takes a mean over the batch")
    attrs: dict[str, Attr] = {"axes": along, "keep_axes": 1}
    den = math.prod(x.shape[a] for a in axes)
    left = [a for a in order if a not in axes]
    if not keep and left:
        attrs["keep_axes"] = 0

    def place(name: str) -> Held:
        if attrs["keep_axes"]:
            made = b.hold(name, full, order, place=call.name)
            return made if keep else b.hold(made.name, final, [], place=call.name)
        return b.hold(name, final, [a - sum(g < a for g in axes) for a in left], place=call.name)

    if call.op == "ReduceSum":
        waiting = b.pending(call.name, "sum", [x.name], plain(final), (step(b.format(x)),), attrs)
    else:
        waiting = _mean(b, call, "mean", x, plain(final), attrs, den, True)

    def make(fmt: Format, stage: Stage) -> Held:
        return place(waiting.rounded(fmt, stage).name)

    b.put(call, Pending(call.name, final, make, waiting.exact))


def softmax(b: Building, call: Operation) -> None:
    """Softmax along one axis: integer exponentials from a table, their exact sum, one rounded division."""
    x = b.settle(b.tensor(call, 0), call)
    rank, old = len(x.shape), b.model.opset < 13 or call.integer("opset", 13) < 13
    axis = call.integer("axis", 1 if old else -1)
    if not -rank <= axis < rank:
        raise DamagedError(f"Softmax {call.name}: axis {axis} of {x.shape}")
    axis %= rank
    if old and math.prod(x.shape[axis + 1 :]) != 1:
        raise unsupported(call, f"over all axes from {axis} of {x.shape} on; softmax along one axis is supported")
    order = b.order(x)
    if axis not in order:
        raise unsupported(call, "along the batch")
    source, at = b.format(x), order.index(axis)
    if source.bits > 16:
        raise unsupported(call, f"reads {source}; quantise its input to 16 bits or less")

    def plain_softmax(fmt: Format, stage: Stage) -> Held:
        codes = exponentials(step(source), source.grid_range)
        table = b.builder.constant(f"{call.name}.exp", codes, FixedPoint(_EXP_POINT + 1, _EXP_POINT, False), call.name)
        attrs = stage.attrs(fmt)
        return replace(x, name=b.builder.node("softmax", call.name, [x.name, table], fmt, call.name, axis=at, **attrs))

    def by_reciprocal(fmt: Format) -> Held:
        unit, (lo, hi) = step(source), source.grid_range
        if not 1 < unit * (1 << 26) < float("inf"):
            raise unsupported(call, f"the scale {unit:.3g} of its input is out of range")
        codes = softmax_table(unit, 1.0, hi - lo + 1)
        table = b.builder.constant(f"{call.name}.exp", codes, FixedPoint(32, EXP_BITS), call.name)
        return replace(
            x, name=b.builder.node("softmax_reciprocal", call.name, [x.name, table], fmt, call.name, axis=at)
        )

    def make(fmt: Format, stage: Stage) -> Held:
        if not isinstance(fmt, Affine) and not isinstance(source, Affine):
            return plain_softmax(fmt, stage)
        least = isinstance(fmt, Affine) and fmt.bits <= 16 and fmt.grid_range[0] == 0
        if least and step(fmt) == 2.0**-fmt.bits and len(stage.attrs(fmt)) == 1:
            return by_reciprocal(fmt)
        return b.rounded(by_reciprocal(_SIXTEEN), fmt, stage, f"{call.name}.scaled")

    own = _SIXTEEN if isinstance(source, Affine) else FixedPoint(16, 16, False)
    b.put(call, Pending(call.name, x.shape, make, lambda: own))


def exponentials(unit: float, grid: tuple[int, int]) -> npt.NDArray[np.int64]:
    """round(exp(-d * unit) * 2**15) for distances d = 0, 1, … that occur, down to the first zero."""
    reach = (_EXP_POINT + 1) * math.log(2.0) / unit
    count = max(2, min(math.ceil(min(reach, 1e6)) + 1, grid[1] - grid[0] + 1))
    real = np.exp(-np.arange(count, dtype=np.float64) * unit) * (1 << _EXP_POINT)
    codes: npt.NDArray[np.int64] = np.floor(real + 0.5).astype(np.int64)
    return codes


def argmax(b: Building, call: Operation) -> None:
    """ArgMax: the first of equals."""
    x = b.settle(b.tensor(call, 0), call)
    rank, axis, keep = len(x.shape), call.integer("axis", 0), call.integer("keepdims", 1)
    if not -rank <= axis < rank or call.integer("select_last_index", 0):
        raise unsupported(call, f"axis {axis} of {x.shape}, the last of equals; the first is supported")
    axis %= rank
    order, name = b.order(x), x.name
    if axis in order:
        along, keep_axes = order.index(axis), 1
    else:
        # Of a batch of one the first is the greatest.
        along, keep_axes = len(order), 0
        shape = (*b.builder.values[name].shape, 1)
        name = b.builder.node("reshape", f"{call.name}.batch", [name], b.format(x), call.name, shape=shape)
    fmt = FixedPoint(max(8, (x.shape[axis] - 1).bit_length()), 0, sign=False)
    full = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    made = b.builder.node("argmax", call.name, [name], fmt, axis=along, keep_axes=keep_axes)
    held = b.hold(made, full, order)
    if not keep:
        final = full[:axis] + full[axis + 1 :]
        rest = [a - (a > axis) for a in order if a != axis]
        held = b.hold(held.name, final, rest, place=f"{call.name}.axis")
    b.put(call, replace(held, integer=True))


def batch_normalization(b: Building, call: Operation) -> None:
    """BatchNormalization as a convolution of one element: a factor and a bias for each channel."""
    tensor = b.tensor(call, 0)
    feature_map(b, call, tensor)
    scale, shift, mean, variance = (b.known(call, i).astype(np.float64).reshape(-1) for i in (1, 2, 3, 4))
    channels = tensor.shape[1]
    if {scale.size, shift.size, mean.size, variance.size} != {channels} or (variance < 0).any():
        raise DamagedError(f"BatchNormalization {call.name}: {scale.size} factors for {channels} channels")
    factor = scale / np.sqrt(variance + call.real("epsilon", 1e-5))
    if any(call.outputs[1:]) or call.integer("training_mode", 0) or not np.isfinite(factor).all():
        raise unsupported(call, "in training")
    rank = len(tensor.shape) - 2
    # 64 steps for one: the bias stands on a grid as much finer.
    steps = np.maximum(np.abs(factor), np.finfo(np.float32).tiny) / 64
    codes = np.where(factor < 0, -64, np.where(factor > 0, 64, 0)).astype(np.int64).reshape(-1, *(1,) * (rank + 1))
    numbers = Quantisation(steps.reshape(-1, *(1,) * (rank + 1)), np.zeros(1, np.int64), -128, 127)
    x = spatial(b, b.settle(tensor, call))
    name = f"{call.outputs[0]}\0bias"
    b.tensors[name] = Known(name, (shift - mean * factor).astype(np.float64), "DOUBLE")
    inner_call = replace(call, inputs=(call.inputs[0], "", name))
    ones = (1,) * rank
    own: dict[str, Attr] = {"stride": ones, "dilation": ones, "padding": (0, 0) * rank, "groups": channels}
    weight = Constant(f"{call.name}.factor", codes, numbers)
    out = Held("", tensor.shape, x.permutation)
    made = matrix(b, inner_call, "conv", x, weight, lambda a: np.moveaxis(a, 1, -1), out, own, 2)
    b.put(call, made)
