"""Linear resizing: between which two elements each position lies, and the share of the second.

Positions are fractions, exactly; only the shares are rounded, to the places behind the point that the device has for
them. A product of a code and a share is then exact, and resizing is one sum with one rounding, as other operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeq.errors import UnsupportedError
from edgeq.ir.ops.resize_bilinear import MOST_BITS

#: places of a share behind the point, where it is no fraction that fewer hold
SHARE_BITS = 8
#: coordinate modes: where position i of the output stands among the elements of the input
MODES = ("align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")


@dataclass(frozen=True)
class Line:
    """One axis: for each position two elements, and the share of the second, 0 to 1."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    share: tuple[Fraction, ...]

    def weights(self, bits: int) -> tuple[int, ...]:
        """The shares in units of 2^-bits, ties up."""
        return tuple(floor(s * (1 << bits) + Fraction(1, 2)) for s in self.share)


def resize_line(mode: str, old: int, new: int, factor: float | None = None) -> Line:
    """An axis of `old` elements resized to `new`; positions outside are the first or the last element.

    factor: what the coordinates are divided by, where it is not new / old.
    """
    at = [min(max(a, Fraction(0)), Fraction(old - 1)) for a in coordinates(mode, old, new, factor)]
    low = tuple(floor(a) for a in at)
    return Line(low, tuple(min(k + 1, old - 1) for k in low), tuple(a - k for a, k in zip(at, low, strict=True)))


def coordinates(mode: str, old: int, new: int, factor: float | None = None) -> list[Fraction]:
    """Where each position stands among the elements, which stand at 0 to old - 1."""
    scale = Fraction(new, old) if factor is None else _ratio(factor)
    half = Fraction(1, 2)
    if mode == "align_corners":
        step, start = (Fraction(old - 1, new - 1) if new > 1 else Fraction(0)), Fraction(0)
    elif mode == "asymmetric":
        step, start = 1 / scale, Fraction(0)
    elif mode == "pytorch_half_pixel" and new == 1:
        step, start = Fraction(0), Fraction(0)
    elif mode in ("half_pixel", "pytorch_half_pixel"):
        step, start = 1 / scale, half / scale - half
    elif mode == "half_pixel_symmetric":
        # The middle of the output stands on the middle of the input.
        step, start = 1 / scale, Fraction(old, 2) * (1 - Fraction(new) / (scale * old)) + half / scale - half
    else:
        raise UnsupportedError(f"coordinates {mode}; {', '.join(MODES)} are read")
    return [start + i * step for i in range(new)]


def _ratio(factor: float) -> Fraction:
    """The simple fraction that a factor was before it became a float32 (3/5, not 0.60000002), where there is one."""
    simple = Fraction(factor).limit_denominator(1 << 12)
    return simple if np.float32(float(simple)) == np.float32(factor) else Fraction(factor)


#: nearest_mode -> the element that stands for a coordinate
_NEAREST: dict[str, Callable[[Fraction], int]] = {
    "round_prefer_floor": lambda v: ceil(v - Fraction(1, 2)),
    "round_prefer_ceil": lambda v: floor(v + Fraction(1, 2)),
    "floor": floor,
    "ceil": ceil,
}


def nearest_places(mode: str, rounding: str, old: int, new: int, factor: float | None = None) -> tuple[int, ...]:
    """Which element each position takes, where coordinates are rounded; arguments as for `resize_line`."""
    if rounding not in _NEAREST:
        raise UnsupportedError(f"rounding {rounding}; {', '.join(_NEAREST)} are read")
    return tuple(min(max(_NEAREST[rounding](a), 0), old - 1) for a in coordinates(mode, old, new, factor))


def share_bits(lines: Sequence[Line], otherwise: int = SHARE_BITS) -> int:
    """Places behind the point that hold every share exactly; `otherwise` where no number of them does."""
    parts = {s.denominator for line in lines for s in line.share}
    exact = all(p & (p - 1) == 0 and p <= 1 << MOST_BITS for p in parts)
    return max(parts).bit_length() - 1 if exact else otherwise


def resample(x: Tensor, lines: Sequence[Line], bits: int | None) -> Tensor:
    """x (N, C, *spatial) resized along each axis of space; shares of `bits` places, None: as exact as x's type."""
    for dim, line in enumerate(lines, start=2):
        numbers = line.share if bits is None else [w / (1 << bits) for w in line.weights(bits)]
        share = torch.tensor([float(n) for n in numbers], dtype=x.dtype, device=x.device)
        share = share.reshape(-1, *(1,) * (x.ndim - dim - 1))
        low, high = (x.index_select(dim, torch.tensor(i, device=x.device)) for i in (line.low, line.high))
        x = low * (1 - share) + high * share
    return x


class LinearResize(nn.Module):
    """Resizes feature maps of one size, by the lines of a model file; `edgeq.prepare` does not look into it."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self.lines = tuple(lines)

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.lines, None)

    def places(self, spatial: Sequence[int], size: Sequence[int]) -> tuple[Line, ...]:
        """The lines, whatever is resized."""
        return self.lines

    def size(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output."""
        return tuple(len(line.low) for line in self.lines)


class Picked(nn.Module):
    """Takes listed elements of some axes: nearest resizes, mirrored borders, steps backwards; a leaf for tracing.

    places: for each axis of torch's tensor, the batch being 0 and never picked from, the elements that are taken.
    """

    def __init__(self, places: Mapping[int, Sequence[int]]) -> None:
        super().__init__()
        self.places = {dim: tuple(int(i) for i in line) for dim, line in sorted(places.items())}

    def forward(self, x: Tensor) -> Tensor:
        for dim, line in self.places.items():
            x = x.index_select(dim, torch.tensor(line, device=x.device))
        return x


class TorchResize:
    """What the arguments of nn.Upsample and F.interpolate mean; `size` is None where the call computes it."""

    def __init__(
        self,
        size: int | Sequence[int] | None,
        factor: float | Sequence[float] | None,
        corners: bool,
        recompute: bool,
    ) -> None:
        self.wanted, self.factor, self.corners, self.recompute = size, factor, corners, recompute

    def size(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output."""
        if self.wanted is not None:
            return _each(self.wanted, len(spatial))
        assert self.factor is not None
        return tuple(floor(n * f) for n, f in zip(spatial, _each(self.factor, len(spatial)), strict=True))

    def places(self, spatial: Sequence[int], size: Sequence[int]) -> tuple[Line, ...]:
        """The line of each axis. Torch divides by the factor as it was given, unless told to take that of the sizes."""
        mode = "align_corners" if self.corners else "half_pixel"
        factors: Sequence[float | None] = (None,) * len(spatial)
        if self.factor is not None and not self.recompute:
            factors = _each(self.factor, len(spatial))
        return tuple(resize_line(mode, n, m, f) for n, m, f in zip(spatial, size, factors, strict=True))


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


__all__ = [
    "MODES", "SHARE_BITS", "Line", "LinearResize", "Picked", "TorchResize", "coordinates", "nearest_places",
    "resample", "resize_line", "share_bits",
]  # fmt: skip
