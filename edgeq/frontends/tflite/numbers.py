"""The numbers that TensorFlow Lite derives from scales when a model is loaded: multipliers, bounds, exponentials.

Sources: the reference kernels of TensorFlow Lite Micro (kernels/internal/quantization_util, kernel_util, softmax) and
gemmlowp's fixed-point functions, restated. float32 steps are float32 here too: a multiplier that differs in its last
bit is another network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgeq.formats.dyadic import FIRST_SHIFT

_INT32_MAX = (1 << 31) - 1
#: bits before the point of the exponential's argument
_EXP_INTEGER_BITS = 5


def dyadic(real: float) -> tuple[int, int]:
    """multiplier and shift of our output stage for a real factor: factor ~ multiplier / 2**shift."""
    if real == 0.0:
        return 0, FIRST_SHIFT
    mantissa, exponent = math.frexp(real)
    fixed = math.floor(mantissa * (1 << 31) + 0.5)
    if fixed == 1 << 31:
        fixed, exponent = fixed // 2, exponent + 1
    if exponent < -FIRST_SHIFT:
        return 0, FIRST_SHIFT
    return fixed, FIRST_SHIFT - exponent


def product_factors(x: float, weights: tuple[float, ...], out: float) -> list[float]:
    """Factors from sums of products to the output, one for each scale of the weights, in float64."""
    return [x * w / out for w in weights]


def quantised(value: float, scale: float, zero: int) -> int:
    """Code of a real number, without saturation, as activation bounds are made: float32, ties away from zero."""
    units = float(np.float32(value) / np.float32(scale))
    return zero + int(math.copysign(math.floor(abs(units) + 0.5), units))


def _high_product(a: int, b: int) -> int:
    """a * b / 2**31, rounded half up (SaturatingRoundingDoublingHighMul)."""
    return (a * b + (1 << 30)) >> 31


def _divide(x: int, times: int) -> int:
    """x / 2**times, rounded half away from zero (RoundingDivideByPOT)."""
    half = 1 << (times - 1)
    return (x + half) >> times if x >= 0 else -((-x + half) >> times)


def exp_negative(a: int, integer_bits: int = _EXP_INTEGER_BITS) -> int:
    """exp(a) with 31 bits behind the point, for a <= 0 with 31 - integer_bits bits behind its own."""
    if a == 0:
        return _INT32_MAX
    point = 31 - integer_bits
    quarter = 1 << (point - 2)
    part = (a & (quarter - 1)) - quarter
    result = _exp_quarter(part << integer_bits)
    rest = part - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, 5), factors, strict=True):
        if integer_bits > exponent and rest & (1 << (point + exponent)):
            result = _high_product(result, factor)
    if integer_bits > _EXP_INTEGER_BITS and a < -(1 << (36 - integer_bits)):
        return 0
    return result


def _exp_quarter(a: int) -> int:
    """exp(a) for -1/4 <= a < 0, both with 31 bits behind the point: a Taylor series around -1/8."""
    eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = _high_product(x, x)
    x3, x4 = _high_product(x2, x), _high_product(x2, x2)
    inner = _divide(_high_product(_divide(x4, 2) + x3, third) + x2, 1)
    return eighth + _high_product(eighth, x + inner)


def softmax_lines(scale: float, beta: float) -> tuple[int, int]:
    """Multiplier and shift that bring distances of 16-bit codes to steps of 10 / 65535."""
    return dyadic(scale * beta / (10.0 / 65535.0))


def exp_line() -> list[int]:
    """exp from -10 to 0 in 512 steps, for `softmax_lines`."""
    return _line(np.float32(10) / np.float32(65535), 32767, lambda v: np.float32(math.exp(float(v))))


def reciprocal_line() -> list[int]:
    """1 / (1 + v) from 0 to 1 in 512 steps."""
    return _line(np.float32(1) / np.float32(65535), -32768, lambda v: np.float32(1) / (np.float32(1) + v))


def _away(value: float) -> float:
    """Rounded to an integer, ties away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _line(step: np.float32, zero: int, function: Callable[[np.float32], np.float32]) -> list[int]:
    """513 numbers with 15 bits behind the point, each moved by half of what the line to the next misses in its middle.

    step, zero: the real number of a 16-bit code is (code - zero) * step. All steps in float32.
    """
    f = np.float32
    least, most = step * f(-32768 - zero), step * f(32767 - zero)
    width = (most - least) / f(512)
    # The range of the output is -1 to 1, both included: 65535 steps for 65536 codes.
    unit = f(2) / f(65535)
    scale = f(65536) / (unit * f(32767) - unit * f(-32768))
    found = []
    for i in range(512):
        at, middle, end = (
            function(v) for v in (least + f(i) * width, least + f(i) * width + width / f(2), least + f(i + 1) * width)
        )
        sample = _away(float(at * scale))
        drawn = _away(float((end * scale + f(sample)) / f(2)))
        missed = _away((drawn - _away(float(middle * scale))) / 2)
        found.append(int(min(max(sample - missed, -32768), 32767)))
    return [*found, int(min(_away(float(function(most) * scale)), 32767))]


def softmax_table(scale: float, beta: float, distances: int) -> list[int]:
    """exp(-d * scale * beta) with 31 bits behind the point, d = 0 …; its last entry stands for all that follow."""
    real = min(beta * scale * (1 << (31 - _EXP_INTEGER_BITS)), float((1 << 31) - 1))
    multiplier, shift = dyadic(real)
    left = FIRST_SHIFT - shift
    radius = math.floor(((1 << _EXP_INTEGER_BITS) - 1) * (1 << (31 - _EXP_INTEGER_BITS)) / (1 << left))
    table: list[int] = []
    for d in range(distances):
        if d > radius:
            return [*table, 0]
        table.append(exp_negative(_high_product(-d << left, multiplier)))
    return table
