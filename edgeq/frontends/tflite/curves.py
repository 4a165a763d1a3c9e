"""Functions of one code, step by step as TensorFlow Lite Micro's reference kernels compute them in 16 and 32 bits.

Sources: the kernels of logistic, tanh, hard_swish, leaky_relu and elu, and gemmlowp's fixed-point functions, restated.
Each function takes a code without its zero point and gives one; whoever calls it adds the zero point and saturates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from edgeq.formats import scale_scalar
from edgeq.formats.dyadic import FIRST_SHIFT
from edgeq.frontends.tflite.numbers import dyadic, exp_negative

Curve = Callable[[int], int]

_INT32_MAX = (1 << 31) - 1
#: 48/17 and -32/17 with 29 bits behind the point: the start of Newton's method for 1/d, 1/2 <= d <= 1
_START, _SLOPE = 1515870810, -1010580540
_ONE_29 = 1 << 29
#: bits before the point of the argument of logistic and tanh
_INTEGER_BITS = 4


def _high_product(a: int, b: int, bits: int = 31) -> int:
    """a * b / 2**bits, rounded half up (SaturatingRoundingDoublingHighMul)."""
    return (a * b + (1 << (bits - 1))) >> bits


def _divide(x: int, times: int) -> int:
    """x / 2**times, rounded half away from zero (RoundingDivideByPOT)."""
    if times == 0:
        return x
    half = 1 << (times - 1)
    return (x + half) >> times if x >= 0 else -((-x + half) >> times)


def _saturate(x: int, bits: int) -> int:
    """x as a signed integer of `bits` bits."""
    return min(max(x, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def _twice_reciprocal(a: int) -> int:
    """2 / (1 + a) with 29 bits behind the point, 0 <= a <= 1 with 31: three steps of Newton's method."""
    half = (a + _INT32_MAX + 1) >> 1
    x = _START + _high_product(half, _SLOPE)
    for _ in range(3):
        x += _saturate(_high_product(x, _ONE_29 - _high_product(half, x)) << 2, 32)
    return x


def _sigmoid(x: int) -> int:
    """1 / (1 + exp(-x)) with 31 bits behind the point, x with 27."""
    if x == 0:
        return 1 << 30
    above = _saturate(_twice_reciprocal(exp_negative(-abs(x), _INTEGER_BITS)) << 1, 32)
    return above if x > 0 else _INT32_MAX - above


def _tanh(x: int) -> int:
    """tanh(x) with 31 bits behind the point, x with 27."""
    if x == 0:
        return 0
    # exp(2x): the same integer with one bit less behind its point.
    above = _saturate((_twice_reciprocal(exp_negative(-abs(x), _INTEGER_BITS + 1)) - _ONE_29) << 2, 32)
    return above if x > 0 else -above


def _scaled_curve(scale: float, curve: Curve, shift: int, least: int, most: int) -> Curve:
    """`curve` of x * scale, brought down by `shift` bits; beyond the range that it knows: least, most."""
    multiplier, down = dyadic(scale * (1 << (31 - _INTEGER_BITS)))
    left = FIRST_SHIFT - down
    # Where `left` is negative the reference shifts by it, which has no meaning; nothing reaches such a radius.
    radius = math.floor(((1 << _INTEGER_BITS) - 1) * 2.0 ** (31 - _INTEGER_BITS - left))

    def at(x: int) -> int:
        if x <= -radius:
            return least
        if x >= radius:
            return most
        return _divide(curve(scale_scalar(x, multiplier, down, "tflite")), shift)

    return at


def logistic(scale: float) -> Curve:
    """LOGISTIC: 1 / (1 + exp(-x * scale)) in steps of 1/256."""
    return _scaled_curve(scale, _sigmoid, 31 - 8, 0, 255)


def tanh(scale: float) -> Curve:
    """TANH: tanh(x * scale) in steps of 1/128."""
    return _scaled_curve(scale, _tanh, 31 - 7, -128, 127)


@cache
def sigmoid_table() -> tuple[int, ...]:
    """sigmoid(i / 24) in steps of 2^-16, each moved by half of what a line to the next would miss in its middle."""

    def at(i: float) -> float:
        return 65536 / (1 + math.exp(-i / 24))

    found = [math.floor(at(i) + (at(i + 0.5) - (at(i) + at(i + 1)) / 2) / 2 + 0.5) for i in range(255)]
    return (*found, 65535)


def wide_argument(scale: float, tanh: bool) -> tuple[int, int]:
    """Multiplier and shift from 16-bit codes to steps of 1 / 12288: exact for few powers of two, else of 15 bits."""
    power = math.floor(math.log2(scale) + 0.5)
    if abs(math.log2(scale) - power) < 1e-3 and 12 + power in ((0, 1) if tanh else (0,)):
        return 3 << (12 + power), 0
    factor, shift = scale * 4096.0 * 3.0, 0
    while factor <= 32767 / 2 and shift <= 30:
        factor, shift = factor * 2, shift + 1
    return int(factor), shift


def _small_multiplier(factor: np.float32) -> tuple[int, int]:
    """A multiplier of 16 bits for a float32 factor, and the exponent: factor ~ multiplier / 2**15 * 2**exponent."""
    multiplier, shift = dyadic(float(factor))
    small = (1 << 15) - 1 if multiplier >= _INT32_MAX - (1 << 15) else (multiplier + (1 << 15)) >> 16
    return small, FIRST_SHIFT - shift


def hard_swish(scale: float, out: float) -> Curve | None:
    """HARD_SWISH in 16 bits; None where the reference refuses the scales (the output's is too fine)."""
    fine = np.float32(1 / 128) * np.float32(scale)
    multiplier, exponent = _small_multiplier(fine / np.float32(out))
    ramp, ramp_exponent = _small_multiplier(fine / (np.float32(3) / np.float32(32768)))
    if exponent > 0:
        return None

    def at(x: int) -> int:
        fine_x = x << 7
        value = _high_product(fine_x, multiplier, 15)
        part = fine_x
        if ramp_exponent > 0:
            part = _saturate(part << (ramp_exponent - 1), 16)
        part = _high_product(part, ramp, 15)
        if ramp_exponent > 0:
            part = _saturate(part << 1, 16)
        elif ramp_exponent < 0:
            part = _divide(part, -ramp_exponent)
        product = ((part + (1 << 15)) >> 1) * value
        # Rounded towards zero, to take back what the products before rounded up.
        return _divide(abs(product) // (1 << 15) * (1 if product >= 0 else -1), -exponent)

    return at


def leaky_relu(scale: float, out: float, alpha: float) -> Curve:
    """LEAKY_RELU: a multiplier for numbers from zero on, one with the slope in it below."""
    above, slope = dyadic(scale / out), scale * alpha / out
    below, sign = dyadic(abs(slope)), -1 if slope < 0 else 1

    def at(x: int) -> int:
        return scale_scalar(x, *above, "tflite") if x >= 0 else sign * scale_scalar(x, *below, "tflite")

    return at


def prelu(scale: float, out: float, slope_scale: float, slope: int) -> Curve:
    """PRELU with one slope for all."""
    above, below = dyadic(scale / out), dyadic(scale * slope_scale / out)

    def at(x: int) -> int:
        return scale_scalar(x, *above, "tflite") if x >= 0 else scale_scalar(x * slope, *below, "tflite")

    return at


def rescaled(scale: float, out: float) -> Curve:
    """RELU and its kind before they clip: one multiplier."""
    m, s = dyadic(scale / out)
    return lambda x: scale_scalar(x, m, s, "tflite")


def absolute(scale: float, out: float) -> Curve:
    """ABS."""
    if scale == out:
        return abs
    curve = rescaled(scale, out)
    return lambda x: curve(abs(x))


def elu(scale: float, out: float) -> Curve:
    """ELU: exp(x) - 1 below zero, in float32."""
    inverse = np.float32(1) / np.float32(out)

    def at(x: int) -> int:
        real = np.float32(scale) * np.float32(x)
        made = np.float32(math.exp(float(real))) - np.float32(1) if real < 0 else real
        units = float(made * inverse)
        return int(math.copysign(math.floor(abs(units) + 0.5), units))

    return at
