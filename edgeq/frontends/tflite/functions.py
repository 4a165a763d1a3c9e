"""Functions of one variable from .tflite files: tables of codes, lines between entries, or clips where that is all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.formats import Affine
from edgeq.frontends.tflite import curves
from edgeq.frontends.tflite.build import Building, bounds, unsupported
from edgeq.frontends.tflite.curves import Curve
from edgeq.frontends.tflite.file import DamagedError, Operation
from edgeq.frontends.tflite.matrix import multiplier
from edgeq.frontends.tflite.numbers import quantised
from edgeq.ir import Attr
from edgeq.ir.ops.sigmoid_lines import TABLE as SIGMOID_TABLE

#: greatest multiplier of 16-bit codes whose products stay within 32 bits
_WIDE_MOST = (1 << 16) - 1

#: ReLUs: least and greatest real number
_CLIPS: dict[str, tuple[float | None, float | None]] = {
    "RELU": (0.0, None),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def _ends(b: Building, call: Operation, wide: bool = False) -> tuple[Affine, Affine, float, float]:
    """Formats and scales of input and output, which are 8 bits wide, or 16 where that is allowed."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made = b.format(x), b.format(out)
    if x.type != out.type or x.type not in ("INT8", "INT16")[: 1 + wide]:
        raise unsupported(call, out, f"{x.type} to {out.type}; INT8 {'and INT16 are' if wide else 'is'} supported")
    if into.bits == 16 and (into.zero_point or made.zero_point):
        raise unsupported(call, out, "16-bit codes have a zero point; it has to be 0")
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


def _wide_sigmoid(b: Building, call: Operation, function: str) -> None:
    """LOGISTIC and TANH of 16 bits: lines between the entries of one table."""
    _, made, scale, _ = _ends(b, call, wide=True)
    out = b.output(call)
    if made.scale != 2.0**-15:
        raise unsupported(call, out, f"output {made}; its scale has to be 1/32768")
    m, s = curves.wide_argument(scale, function == "tanh")
    if m > _WIDE_MOST:
        fact = f"input scale {scale:.3g} leaves the 32 bits of TensorFlow Lite; scales up to 5 are supported"
        raise unsupported(call, out, fact)
    table = b.builder.constant(f"{out.name}.sigmoid", curves.sigmoid_table(), SIGMOID_TABLE, out.name)
    attrs: dict[str, Attr] = {"function": function, "argument_multiplier": m, "argument_shift": s}
    b.finish(out, b.node("sigmoid_lines", out, [b.value(b.tensor(call, 0)), table], made, **attrs))


def logistic(b: Building, call: Operation) -> None:
    """LOGISTIC."""
    into, made, scale, _ = _ends(b, call, wide=True)
    if into.bits == 16:
        _wide_sigmoid(b, call, "sigmoid")
        return
    if made.zero_point != -128:
        raise unsupported(call, b.output(call), f"output {made}; its zero point has to be -128")
    _tabulated(b, call, curves.logistic(scale), "logistic")


def tanh(b: Building, call: Operation) -> None:
    """TANH; the kernel takes the output to be in steps of 1/128 around zero."""
    into, _, scale, _ = _ends(b, call, wide=True)
    if into.bits == 16:
        _wide_sigmoid(b, call, "tanh")
        return
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
    into, _, scale, out_scale = _ends(b, call, wide=True)
    if not np.isfinite(options.Alpha()):
        raise DamagedError(f"{call.op} {b.output(call).name}: alpha is {options.Alpha()}")
    if into.bits == 16:
        if options.Alpha() < 0:
            raise unsupported(
                call, b.output(call), f"alpha is {options.Alpha():.3g}; INT16 with 0 and more is supported"
            )
        _sloped(b, call, scale * float(options.Alpha()) / out_scale, 1, scale / out_scale)
        return
    _tabulated(b, call, curves.leaky_relu(scale, out_scale, float(options.Alpha())), "leaky_relu")


def _sloped(b: Building, call: Operation, below: float, sign: int, above: float) -> None:
    """16-bit codes times `above`, those below zero times `sign` and `below`: a prelu whose slope is one code."""
    out = b.output(call)
    slope = b.builder.constant(f"{out.name}.sign", np.array([sign]), Affine(8, True, 0, 1.0), out.name)
    stages = [multiplier(call, out, f) for f in (below, above)]
    stage: dict[str, Attr] = {
        "rounding": "tflite",
        "multiplier": tuple(m for m, _ in stages),
        "shift": tuple(s for _, s in stages),
    }
    b.finish(out, b.node("prelu", out, [b.value(b.tensor(call, 0)), slope], b.format(out), **stage))


def elu(b: Building, call: Operation) -> None:
    """ELU."""
    _, _, scale, out_scale = _ends(b, call)
    _tabulated(b, call, curves.elu(scale, out_scale), "elu")


def absolute(b: Building, call: Operation) -> None:
    """ABS."""
    into, _, scale, out_scale = _ends(b, call, wide=True)
    if into.bits == 16:
        _sloped(b, call, scale / out_scale, -1, scale / out_scale)
        return
    _tabulated(b, call, curves.absolute(scale, out_scale), "abs")


def clip(b: Building, call: Operation) -> None:
    """RELU, RELU_N1_TO_1, RELU_0_TO_1: one multiplier and bounds; bounds alone where the format stays."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made, scale, out_scale = _ends(b, call, wide=True)
    if into == made and b.constant(x) is None:
        b.finish(out, b.node("requantise", out, [b.value(x)], made, **bounds(*_CLIPS[call.op], made)))
        return
    if into.bits == 16:
        m, s = multiplier(call, out, scale / out_scale)
        stage: dict[str, Attr] = {"rounding": "tflite", "multiplier": (m,), "shift": (s,)}
        b.finish(out, b.node("requantise", out, [b.value(x)], made, **stage, **bounds(*_CLIPS[call.op], made)))
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
    into, made, scale, _ = _ends(b, call, wide=True)
    least, most = into.zero_point, min(quantised(6.0, scale, into.zero_point), into.code_range[1])
    if into.bits == 16:
        name = b.node("requantise", out, [b.value(x)], into, **bounds(0.0, 6.0, into))
        b.finish(out, name)
        return
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
