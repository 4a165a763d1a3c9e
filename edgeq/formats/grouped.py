"""Grouped: weights whose power-of-two scale differs for each group of consecutive input channels.

Source: OCP Microscaling Formats (MX) Specification 1.0: blocks of 32 elements along the reduction axis share one E8M0
scale. Here a group may have any size, and elements are any minifloat or fixed point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.fixed_point import FixedPoint
from edgeq.formats.format import Format, Frac
from edgeq.formats.minifloat import Minifloat, minifloat
from edgeq.formats.rounding import Int64Array

#: no grid integer may be greater in magnitude: sums over a whole constant stay within int64
MAX_GRID = 1 << 33


@dataclass(frozen=True)
class Grouped(Format):
    """An element format whose grid integers are shifted to the left by one number for each group.

    element: what a code is; its binary point (of a channel) is that of the finest group, whose shift is 0.
    group:   so many consecutive elements of the last axis share a shift; the last group of a row may be shorter.
    shifts:  for each group its exponent less that of the grid, not negative; row-major over all axes but the last, then
             the groups of a row: (O, *kernel, groups) of a convolution, (O, groups) of a linear layer.

    Arrays of codes and grid integers have to have the shape that the shifts are of.
    """

    kind: ClassVar[str] = "grouped"

    element: FixedPoint | Minifloat
    group: int
    shifts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.element, FixedPoint | Minifloat):
            raise FormatError(f"Grouped elements must be FixedPoint or Minifloat, not {self.element}")
        if self.element.channel_axis not in (None, 0):
            raise FormatError("Grouped elements may differ along axis 0 only: output channels")
        if type(self.group) is not int or self.group < 1:
            raise FormatError(f"Grouped group must be an int of at least 1, not {self.group!r}")
        if not isinstance(self.shifts, tuple) or not self.shifts or any(type(s) is not int for s in self.shifts):
            raise FormatError("Grouped shifts must be a non-empty tuple of ints")
        least, greatest, most = min(self.shifts), max(self.shifts), self.most_spread(self.element)
        if least < 0 or greatest > most:
            raise FormatError(
                f"Grouped shifts {least}..{greatest} are outside 0..{most}: "
                f"so far may the scales of {self.element} lie apart within a channel"
            )

    @staticmethod
    def most_spread(element: FixedPoint | Minifloat) -> int:
        """How far the exponents of groups on one grid may lie apart, so that grid integers stay within 2**33."""
        greatest = max(map(abs, element.grid_range))
        return (MAX_GRID // greatest).bit_length() - 1

    @property
    def bits(self) -> int:
        return self.element.bits

    @property
    def frac(self) -> Frac:
        return self.element.frac

    @property
    def channel_axis(self) -> int | None:
        return self.element.channel_axis

    @property
    def signed(self) -> bool:
        return self.element.signed

    @property
    def code_range(self) -> tuple[int, int]:
        return self.element.code_range

    @property
    def grid_range(self) -> tuple[int, int]:
        lo, hi = self.element.grid_range
        return lo << max(self.shifts), hi << max(self.shifts)

    def groups_of(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the shifts of an array of `shape`; FormatError where it has another number of groups."""
        if not shape:
            raise FormatError(f"{self} needs an axis of input channels")
        found = (*shape[:-1], -(-shape[-1] // self.group))
        if np.prod(found, dtype=object) != len(self.shifts):
            raise FormatError(f"{len(self.shifts)} group scales do not fit {tuple(shape)} in groups of {self.group}")
        return found

    def shifts_along(self, shape: Sequence[int]) -> Int64Array:
        """The shift of every element of an array of `shape`."""
        shifts = np.asarray(self.shifts, dtype=np.int64).reshape(self.groups_of(shape))
        return np.repeat(shifts, min(self.group, shape[-1]), axis=-1)[..., : shape[-1]]

    def to_grid_scalar(self, code: int, place: int = 0) -> int:
        """Decode one code of the group at `place` in `shifts`."""
        return self.element.to_grid_scalar(code) << self.shifts[place]

    def to_grid(self, codes: npt.NDArray[Any]) -> Int64Array:
        grid: Int64Array = self.element.to_grid(codes) << self.shifts_along(codes.shape)
        return grid

    def from_grid(self, grid: Int64Array) -> Int64Array:
        return self.element.from_grid(grid >> self.shifts_along(grid.shape))

    def round_scalar(self, x: Fraction, rule: str, place: int = 0) -> int:
        """Round a number, in grid units, to an element of the group at `place` in `shifts` and saturate."""
        return self.element.round_scalar(x / (1 << self.shifts[place]), rule) << self.shifts[place]

    def round_grid(self, num: Int64Array, den: Int64Array, rule: str) -> Int64Array:
        shifts = self.shifts_along(num.shape)
        rounded: Int64Array = self.element.round_grid(num, np.asarray(den, dtype=np.int64) << shifts, rule) << shifts
        return rounded

    def per_tensor(self, frac: int) -> Grouped:
        return replace(self, element=self.element.per_tensor(frac))

    def rows(self, keep: Sequence[int], channels: int) -> Grouped:
        """The format of some of `channels` output channels."""
        element = self.element
        if isinstance(element, Minifloat) and isinstance(element.scale, tuple):
            element = replace(element, scale=tuple(element.scale[i] for i in keep))
        elif isinstance(element, FixedPoint) and isinstance(element.point, tuple):
            element = replace(element, point=tuple(element.point[i] for i in keep))
        shifts = np.asarray(self.shifts, dtype=np.int64).reshape(channels, -1)[list(keep)]
        return Grouped(element, self.group, tuple(shifts.reshape(-1).tolist()))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "element": self.element.to_json(),
            "group": self.group,
            "shifts": list(self.shifts),
        }

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Grouped:
        """Read what `to_json` wrote; FormatError on anything else."""
        kinds: dict[str, type[FixedPoint] | type[Minifloat]] = {"fixed": FixedPoint, "minifloat": Minifloat}
        element = obj["element"]
        return cls(kinds[element["kind"]].from_json(element), obj["group"], tuple(obj["shifts"]))

    def __str__(self) -> str:
        return f"{self.element} in groups of {self.group}"


def grouped(element: FixedPoint | Minifloat, group: int, exponents: npt.ArrayLike, place: str = "weights") -> Grouped:
    """Elements of one scale times 2**exponent for each group, on the grid of the finest group of each channel.

    element: of one scale; exponents: ints (O, …, groups of a row), as `Grouped.shifts`. FormatError, naming `place` and
    the channel, where those of a channel lie too far apart.
    """
    whole = np.asarray(exponents, dtype=np.int64)
    rows = whole.reshape(whole.shape[0], -1)
    least = rows.min(axis=1)
    spread, most = rows.max(axis=1) - least, Grouped.most_spread(element)
    if (spread > most).any():
        channel = int(np.argmax(spread))
        raise FormatError(
            f"{place}: the group scales of channel {channel} lie {int(spread[channel])} powers of two apart; {element} "
            f"holds {most}: raise the smallest ones, or take larger groups"
        )
    if not isinstance(element.frac, int):
        raise FormatError(f"{place}: group scales need elements of one scale, not {element}")
    if isinstance(element, Minifloat):
        assert isinstance(element.scale, int)
        finest: FixedPoint | Minifloat = replace(element, scale=tuple((element.scale + least).tolist()), axis=0)
    else:
        finest = replace(element, point=tuple((element.frac - least).tolist()), axis=0)
    return Grouped(finest, group, tuple((rows - least[:, None]).reshape(-1).tolist()))


#: elements of the concrete MX formats, whose groups have 32 elements
MX: dict[str, FixedPoint | Minifloat] = {
    "mxfp4": minifloat("e2m1"),
    "mxfp6_e2m3": minifloat("e2m3"),
    "mxfp6_e3m2": minifloat("e3m2"),
    "mxfp8_e4m3": minifloat("e4m3"),
    "mxfp8_e5m2": minifloat("e5m2"),
    "mxint8": FixedPoint(8, 6),
}
#: elements that share a scale in an MX format
MX_GROUP = 32

__all__ = ["MAX_GRID", "MX", "MX_GROUP", "Grouped", "grouped"]
