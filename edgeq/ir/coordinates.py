"""Resizing: where the positions of an axis stand among its elements, as exact fractions.

Position i of the output stands at a coordinate between two elements. A nearest resize takes the one to which a rule
rounds it, a linear one takes both, with shares. Only shares are ever rounded, to the places behind the point that
`resize_bilinear` has for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from edgeq.errors import UnsupportedError
from edgeq.ir.graph import Attr
from edgeq.ir.ops.resize_bilinear import MOST_BITS

#: elements of an axis that a resize of a file makes at most
MAX_SIZE = 1 << 14
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


def attributes(lines: Sequence[Line], bits: int) -> dict[str, Attr]:
    """Of a `resize_bilinear` along these axes, with shares of so many places."""
    return {
        "size": tuple(len(line.low) for line in lines),
        "low": tuple(i for line in lines for i in line.low),
        "high": tuple(i for line in lines for i in line.high),
        "weight": tuple(w for line in lines for w in line.weights(bits)),
        "bits": bits,
    }


__all__ = [
    "MAX_SIZE",
    "MODES",
    "SHARE_BITS",
    "Line",
    "attributes",
    "coordinates",
    "nearest_places",
    "resize_line",
    "share_bits",
]
