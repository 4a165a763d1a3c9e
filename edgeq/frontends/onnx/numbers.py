"""Numbers of .onnx files: scales and zero points become formats, factors between scales become multipliers.

The rule for scales that are no power of two, stated once: a factor is taken in float32, as onnxruntime takes it, and is
then exact; sums times factors are exact, and rounded once, half to even.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.formats.format import ENCODE_LIMIT, Frac
from edgeq.formats.rounding import round_scalar
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends.tflite.numbers import dyadic

Array = npt.NDArray[Any]
#: QuantizeLinear, and Brevitas with its default, round so
RULE = "half_even"


@dataclass(frozen=True)
class Quantisation:
    """How real numbers become codes: code = round(x / scale) + zero, within lo..hi.

    scale, zero: arrays that broadcast against the tensor. lo, hi: least and greatest code.
    """

    scale: npt.NDArray[np.float64]
    zero: npt.NDArray[np.int64]
    lo: int
    hi: int
    rule: str = RULE

    @property
    def plain(self) -> bool:
        """Whether it is a binary point: scales are powers of two, zero points are zero."""
        return not self.zero.any() and all(binary_point(float(s)) is not None for s in self.scale.flat)

    def clipped(self, lo: int, hi: int) -> Quantisation:
        """With codes in lo..hi only."""
        lo, hi = max(lo, self.lo), min(hi, self.hi)
        if lo > hi:
            raise DamagedError(f"no code lies in {lo}..{hi}")
        return Quantisation(self.scale, self.zero, lo, hi, self.rule)

    def format(self, fixed: bool, place: str) -> Format:
        """The format of a computed tensor; `fixed`: powers of two become binary points."""
        if self.scale.size != 1 or self.zero.size != 1:
            raise UnsupportedError(f"{place}: is computed and has a scale per channel; one per tensor is supported")
        return one_format(float(self.scale.flat[0]), int(self.zero.flat[0]), self.lo, self.hi, fixed)

    def encode(self, values: Array) -> npt.NDArray[np.int64]:
        """Codes of constants, in float32 as QuantizeLinear has it."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            units = (values.astype(np.float32) / self.scale.astype(np.float32)).astype(np.float64)
        if np.isnan(units).any():
            raise DamagedError("a constant holds NaN")
        rounded = rounded_array(units, self.rule) + self.zero
        codes: npt.NDArray[np.int64] = np.clip(rounded, self.lo, self.hi).astype(np.int64)
        return codes


def rounded_array(units: npt.NDArray[np.float64], rule: str) -> npt.NDArray[np.float64]:
    """Floats rounded to whole numbers by a rule."""
    if rule == "half_even":
        return np.rint(units)
    whole: npt.NDArray[np.float64] = np.floor(units + 0.5) if rule == "half_up" else np.floor(units)
    return whole


def width_of(lo: int, hi: int) -> tuple[int, bool]:
    """Bits of the least integer that holds codes lo..hi, and whether it has a sign."""
    if lo >= 0:
        return max(hi.bit_length(), 1), False
    return max((~lo).bit_length(), hi.bit_length()) + 1, True


def one_format(scale: float, zero: int, lo: int, hi: int, fixed: bool) -> Format:
    """A format with one grid, of the width that codes lo..hi need."""
    width, sign = width_of(min(lo, zero), max(hi, zero))
    point = binary_point(scale)
    if fixed and zero == 0 and point is not None:
        return FixedPoint(width, point, sign)
    return Affine(width, sign, zero, scale)


def binary_point(scale: float) -> int | None:
    """p where scale is 2**-p, else None."""
    mantissa, exponent = math.frexp(scale)
    return 1 - exponent if mantissa == 0.5 else None


def step(fmt: Format) -> float:
    """The real number that one step of the grid stands for."""
    if isinstance(fmt, Affine):
        assert isinstance(fmt.scale, float)
        return fmt.scale
    assert isinstance(fmt.frac, int)
    return math.ldexp(1.0, -fmt.frac)


def steps(fmt: Format, channels: int) -> tuple[float, ...]:
    """`step` of each output channel."""
    found: Any = fmt.scale if isinstance(fmt, Affine) else fmt.frac
    each = found if isinstance(found, tuple) else (found,) * channels
    return tuple(float(v) if isinstance(fmt, Affine) else math.ldexp(1.0, -v) for v in each)


def per_tensor(values: Frac | tuple[float, ...]) -> Any:
    """One number where all are equal, else the tuple."""
    return values[0] if isinstance(values, tuple) and len(set(values)) == 1 else values


def multipliers(
    units: tuple[float, ...], out: float, place: str, worst: int = 0
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """multiplier and shift of each factor unit / out, taken in float32 and then exact.

    worst: greatest magnitude of what is multiplied. A factor of float32 has 24 bits, so a multiplier of 31 ends in
    zeros, which go where the product would not fit.
    """
    with np.errstate(over="ignore"):
        factors = [float(np.float32(u) / np.float32(out)) for u in per_channel(units)]
    if not all(math.isfinite(f) and f >= 0 for f in factors):
        raise UnsupportedError(f"{place}: its scales are too far apart ({units[0]:.3g} to {out:.3g})")
    pairs = [dyadic(f) for f in factors]
    if any(s < 0 for _, s in pairs):
        raise UnsupportedError(f"{place}: its scales differ by a factor of {max(factors):.3g}; 2^31 is supported")
    pairs = [_fitting(m, s, worst) for m, s in pairs]
    return tuple(m for m, _ in pairs), tuple(s for _, s in pairs)


def _fitting(multiplier: int, shift: int, worst: int) -> tuple[int, int]:
    while worst * multiplier + (1 << shift >> 1) >= ENCODE_LIMIT and multiplier % 2 == 0 and shift > 0 and multiplier:
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift


def per_channel(units: tuple[float, ...]) -> tuple[float, ...]:
    """Equal numbers once."""
    return units[:1] if len(set(units)) == 1 else units


def grid_bound(bound: float, fmt: Format, rule: str) -> int:
    """A real bound as a grid integer of `fmt`, inside its range."""
    lo, hi = fmt.grid_range
    if math.isinf(bound):
        return hi if bound > 0 else lo
    units = Fraction(bound) / Fraction(step(fmt))
    return fmt.round_scalar(units, rule) if isinstance(fmt, Minifloat) else min(max(round_scalar(units, rule), lo), hi)


def encode_real(values: Array, fmt: Format, rule: str) -> npt.NDArray[np.int64]:
    """Codes of the nearest numbers of `fmt`, one rounding by `rule` of quotients in float64."""
    if not isinstance(fmt, Affine):
        return fmt.quantize(values, rule)
    lo, hi = fmt.grid_range
    with np.errstate(over="ignore"):
        units = np.clip(np.asarray(values, dtype=np.float64) / step(fmt), lo - 1.0, hi + 1.0)
    return fmt.from_grid(np.clip(rounded_array(units, rule), lo, hi).astype(np.int64))
