"""QuantSpec: one quantiser as data — number format, rounding, how its binary point is found — and its torch twin.

`quantise` is the rounding of `edgeq.formats` on float tensors. It has no gradient; Brevitas wraps the same steps
for training, and both are tested against `Format.quantize`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from edgeq.formats import DEFAULT_OVERFLOW, FixedPoint, Format, Grouped, KHot, Minifloat, minifloat
from edgeq.quant.overflow import overflow
from edgeq.quant.recipe import Number
from edgeq.quant.rounding import round_by

#: exponents of scales stay inside what float32 holds exactly
MIN_EXPONENT, MAX_EXPONENT = -110, 110

#: the grid of a channel is that of its finest group, and must not become so fine that sums need wide accumulators
GROUP_SPREAD = 10


@dataclass(frozen=True)
class QuantSpec:
    """One quantiser.

    place:      layer or tensor, for messages.
    number:     bits, or the name of a minifloat.
    signed:     whether negative values exist (minifloats are always signed).
    narrow:     leave out the least code, so that the range is symmetric (weights).
    rounding:   name of the rule.
    overflow:   what becomes of rounded numbers beyond the range (fixed point; minifloats saturate).
    learned:    whether the binary point is a parameter that training moves.
    statistics: "mse", "max" or "percentile".
    steps:      training batches whose statistics start the binary point; 0 for parameters, which are known.
    fixed:      log2 of a range that is known beforehand and never moves (1 for a probability), or None.
    khot:       the values that the width leaves when all but so many digits are zero (of the same bits), or None.
    group:      so many consecutive input channels of weights share a scale; None: a channel or the tensor does.
    width_learned: whether training moves the width; `number` is then the one at the start and the greatest.
    """

    place: str
    number: Number
    signed: bool = True
    narrow: bool = False
    rounding: str = "half_up"
    overflow: str = DEFAULT_OVERFLOW
    learned: bool = True
    statistics: str = "mse"
    steps: int = 0
    fixed: int | None = None
    khot: KHot | None = None
    group: int | None = None
    width_learned: bool = False

    @property
    def minifloat(self) -> Minifloat | None:
        """The minifloat with scale one; None for fixed point."""
        return minifloat(self.number) if isinstance(self.number, str) else None

    @property
    def bits(self) -> int:
        """Width of a code."""
        return minifloat(self.number).bits if isinstance(self.number, str) else self.number

    @cached_property
    def top(self) -> float:
        """Greatest value at scale one."""
        if isinstance(self.number, str):
            fmt = minifloat(self.number)
            assert isinstance(fmt.frac, int)
            return float(fmt.max_magnitude * 2.0**-fmt.frac)
        if self.khot is not None:
            return float(self.khot.top)
        return float(2 ** (self.number - self.signed) - 1)

    @cached_property
    def head(self) -> int:
        """A range of 2**p is covered by the scale 2**(p - head)."""
        if isinstance(self.number, str):
            return int(self.top).bit_length()
        return self.number - self.signed

    @property
    def low(self) -> float:
        """Least value at scale one."""
        if isinstance(self.number, str) or self.khot is not None or (self.signed and self.narrow):
            return -self.top
        return -self.top - 1 if self.signed else 0.0

    @property
    def grid_frac(self) -> int:
        """Binary point of the grid at scale one (0 for fixed point)."""
        frac = self.minifloat.frac if self.minifloat else 0
        assert isinstance(frac, int)
        return frac

    @cached_property
    def group_spread(self) -> int:
        """How far below the greatest scale of its channel that of a group may lie, in powers of two."""
        element = self.format(0)
        assert isinstance(element, FixedPoint | Minifloat)
        return min(GROUP_SPREAD, Grouped.most_spread(element))

    def quantise(self, x: Tensor, exponent: Tensor) -> Tensor:
        """Nearest representable values of `x` at scale 2**exponent, brought into range; the same dtype, no gradient."""
        scale = power_of_two(exponent).to(x.dtype)
        units = x / scale
        if self.khot is not None:
            return round_khot(units, self.khot, self.rounding) * scale
        if self.minifloat is None:
            return overflow(round_by(units, self.rounding), self.low, self.top, self.overflow) * scale
        return round_minifloat(units, self.minifloat, self.rounding, self.top) * scale

    def of_width(self, bits: int) -> QuantSpec:
        """The same quantiser with another number of bits."""
        return replace(self, number=bits, khot=None if self.khot is None else replace(self.khot, bits=bits))

    def format(self, exponent: int | tuple[int, ...], axis: int | None = None) -> Format:
        """The format of values at scale 2**exponent (a tuple: one scale for each channel along `axis`)."""
        if self.minifloat is not None:
            m = self.minifloat
            return Minifloat(m.exponent, m.mantissa, m.bias, m.specials, exponent, axis)
        assert isinstance(self.number, int)
        point = tuple(-e for e in exponent) if isinstance(exponent, tuple) else -exponent
        return FixedPoint(self.number, point, self.signed, axis)


def power_of_two(exponent: Tensor) -> Tensor:
    """2**exponent as float32, exact: put together from its bits. `exponent` is an integer tensor."""
    bits = (exponent.to(torch.int32).clamp(-126, 127) + 127) << 23
    return bits.view(torch.float32)


def round_minifloat(units: Tensor, fmt: Minifloat, rule: str, top: float) -> Tensor:
    """Values of `fmt` at scale one nearest to `units`, saturated; exact for every finite float."""
    step = minifloat_step(units, fmt)
    return torch.clamp(round_by(units / step, rule) * step, -top, top)


def round_khot(units: Tensor, fmt: KHot, rule: str) -> Tensor:
    """Levels of `fmt` nearest to `units`, saturated; exact for every finite float, no gradient."""
    levels, thresholds = _khot_tables(fmt, rule, units.dtype, units.device)
    return levels[torch.bucketize(units.detach().contiguous(), thresholds, right=True)]


@lru_cache(maxsize=256)
def _khot_tables(fmt: KHot, rule: str, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Levels and thresholds; where a tie belongs to the lesser level, the next number of the dtype above the tie."""
    exact = torch.from_numpy(fmt.thresholds(rule).copy())
    thresholds = exact.to(dtype)
    above = torch.nextafter(thresholds, torch.full_like(thresholds, torch.inf))
    thresholds = torch.where(thresholds.double() < exact, above, thresholds)
    return torch.from_numpy(fmt.levels.copy()).to(device, dtype), thresholds.to(device)


def minifloat_step(units: Tensor, fmt: Minifloat) -> Tensor:
    """Distance of neighbouring values of `fmt` around each unit; by `frexp`, since log2 rounds near powers of two."""
    assert fmt.bias is not None
    _, exponent = torch.frexp(units.detach())
    least = 1 - fmt.bias - fmt.mantissa
    step = torch.clamp(exponent - 1 - fmt.mantissa, least, 64)
    return power_of_two(step).to(units.dtype)


__all__ = ["QuantSpec", "minifloat_step", "power_of_two", "round_khot", "round_minifloat"]
