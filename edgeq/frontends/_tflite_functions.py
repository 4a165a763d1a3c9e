"""Functions of one variable from .tflite files: each becomes a table of codes, or a clip where it is no more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.formats import Affine
from edgeq.frontends import _tflite_curves as curves
from edgeq.frontends._tflite_build import Building, bounds, unsupported
from edgeq.frontends._tflite_curves import Curve
from edgeq.frontends._tflite_file import DamagedError, Operation
from edgeq.frontends._tflite_numbers import quantised

#: ReLUs: least and greatest real number
_CLIPS: dict[str, tuple[float | None, float | None]] = {
    "RELU": (0.0, None),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def _ends(b: Building, call: Operation) -> tuple[Affine, Affine, float, float]:
    """Formats and scales of input and output, which are 8 bits wide."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made = b.format(x), b.format(out)
    if (x.type, out.type) != ("INT8", "INT8"):
        raise unsupported(call, out, f"{x.type} to {out.type}; INT8 is supported")
    assert isinstance(into.scale, float)
    assert isinstance(made.scale, float)
    return into, made, into.scale, made.scale


def _tabulated(b: Building, call: Operation, curve: Curve, function: str, zero: int | None = None) -> None:
    """The table of a curve: code by code, saturated; `zero`: a zero point that the kernel takes for granted."""
    into, made, _, _ = _ends(b, call)
    (lo, hi), (least, most) = into.code_range, made.code_range
    zero = made.zero_point if zero is None else zero
    codes = [min(max(curve(code - into.zero_point) + zero, least), most) for code in range(lo, hi + 1)]
    _looked_up(b, call, codes, function)


def _looked_up(b: Building, call: Operation, codes: list[int], function: str) -> None:
    x, out = b.tensor(call, 0), b.output(call)
    known = b.constant(x)
    if known is not None:
        b.known[out.index] = np.array(codes, dtype=np.int8)[known.astype(np.int64) + 128].reshape(out.shape)
        return
    b.finish(out, b.table(out, b.value(x), codes, function))


def logistic(b: Building, call: Operation) -> None:
    """LOGISTIC."""
    _, made, scale, _ = _ends(b, call)
    if made.zero_point != -128:
        raise unsupported(call, b.output(call), f"output {made}; its zero point has to be -128")
    _tabulated(b, call, curves.logistic(scale), "logistic")


def tanh(b: Building, call: Operation) -> None:
    """TANH; the kernel takes the output to be in steps of 1/128 around zero."""
    _, _, scale, _ = _ends(b, call)
    _tabulated(b, call, curves.tanh(scale), "tanh", zero=0)


def hard_swish(b: Building, call: Operation) -> None:
    """HARD_SWISH."""
    _, made, scale, out_scale = _ends(b, call)
    curve = curves.hard_swish(scale, out_scale)
    if curve is None:
        raise unsupported(call, b.output(call), f"output {made} is too fine for its input; TensorFlow Lite refuses it")
    _tabulated(b, call, curve, "hard_swish")


def leaky_relu(b: Building, call: Operation) -> None:
    """LEAKY_RELU."""
    options = call.options("LeakyReluOptions")
    if options is None:
        raise DamagedError(f"{call.op} {b.output(call).name}: its options are missing")
    _, _, scale, out_scale = _ends(b, call)
    if not np.isfinite(options.Alpha()):
        raise DamagedError(f"{call.op} {b.output(call).name}: alpha is {options.Alpha()}")
    _tabulated(b, call, curves.leaky_relu(scale, out_scale, float(options.Alpha())), "leaky_relu")


def elu(b: Building, call: Operation) -> None:
    """ELU."""
    _, _, scale, out_scale = _ends(b, call)
    _tabulated(b, call, curves.elu(scale, out_scale), "elu")


def absolute(b: Building, call: Operation) -> None:
    """ABS."""
    _, _, scale, out_scale = _ends(b, call)
    _tabulated(b, call, curves.absolute(scale, out_scale), "abs")


def clip(b: Building, call: Operation) -> None:
    """RELU, RELU_N1_TO_1, RELU_0_TO_1: one multiplier and bounds; bounds alone where the format stays."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made, scale, out_scale = _ends(b, call)
    if into == made and b.constant(x) is None:
        b.finish(out, b.node("requantise", out, [b.value(x)], made, **bounds(*_CLIPS[call.op], made)))
        return
    curve = curves.rescaled(scale, out_scale)
    lo, hi = (None if end is None else quantised(end, out_scale, 0) for end in _CLIPS[call.op])

    def clipped(code: int) -> int:
        found = curve(code)
        found = found if lo is None else max(found, lo)
        return found if hi is None else min(found, hi)

    _tabulated(b, call, clipped, call.op.lower())


def relu6(b: Building, call: Operation) -> None:
    """RELU6: codes between those of 0 and 6 in the input's scale, whatever the output's is."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made, scale, _ = _ends(b, call)
    least, most = into.zero_point, min(quantised(6.0, scale, into.zero_point), 127)
    if into == made and b.constant(x) is None:
        b.finish(out, b.node("requantise", out, [b.value(x)], made, **bounds(0.0, 6.0, made)))
        return
    _looked_up(b, call, [min(max(code, least), most) for code in range(-128, 128)], "relu6")


#: operators that this file reads, by their name in the schema
READERS: dict[str, Callable[[Building, Operation], None]] = {
    "ABS": absolute,
    "ELU": elu,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": logistic,
    "RELU": clip,
    "RELU6": relu6,
    "RELU_0_TO_1": clip,
    "RELU_N1_TO_1": clip,
    "TANH": tanh,
}
