"""FixedPoint: an integer of 1 to 32 bits with a binary point anywhere, per tensor or per channel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.format import Frac, check_exponent
from edgeq.formats.integer import IntegerFormat
from edgeq.formats.rounding import Int64Array, round_ratio, round_scalar


@dataclass(frozen=True)
class FixedPoint(IntegerFormat):
    """Two's complement (or unsigned) fixed point: value = code * 2**-frac.

    width: bits of a code, 1 to 32, sign included.
    point: binary point; negative for steps larger than one; a tuple gives one for each channel.
    sign:  whether the code is two's complement.
    axis:  the axis that a tuple `point` lies along (without batch), else None.
    """

    kind: ClassVar[str] = "fixed"

    width: int
    point: Frac = 0
    sign: bool = True
    axis: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.width, bool) or not isinstance(self.width, int) or not 1 <= self.width <= 32:
            raise FormatError(f"FixedPoint width must be 1..32 bits, not {self.width!r}")
        if not isinstance(self.sign, bool):
            raise FormatError(f"FixedPoint sign must be True or False, not {self.sign!r}")
        check_exponent(self.point, self.axis, "FixedPoint binary point")

    @property
    def frac(self) -> Frac:
        return self.point

    @property
    def grid_range(self) -> tuple[int, int]:
        return self.code_range

    def to_grid_scalar(self, code: int) -> int:
        lo, hi = self.code_range
        if not lo <= code <= hi:
            raise FormatError(f"code {code} is outside {lo}..{hi} of {self}")
        return code

    def to_grid(self, codes: npt.NDArray[Any]) -> Int64Array:
        return codes.astype(np.int64)

    def from_grid(self, grid: Int64Array) -> Int64Array:
        return grid

    def round_scalar(self, x: Fraction, rule: str) -> int:
        lo, hi = self.code_range
        return min(max(round_scalar(x, rule), lo), hi)

    def round_grid(self, num: Int64Array, den: Int64Array, rule: str) -> Int64Array:
        lo, hi = self.code_range
        return np.clip(round_ratio(num, den, rule), lo, hi)

    def per_tensor(self, frac: int) -> FixedPoint:
        return FixedPoint(self.width, frac, self.sign)

    def to_json(self) -> dict[str, Any]:
        point = list(self.point) if isinstance(self.point, tuple) else self.point
        return {"kind": self.kind, "width": self.width, "point": point, "sign": self.sign, "axis": self.axis}

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> FixedPoint:
        """Read what `to_json` wrote; FormatError on anything else."""
        point = obj["point"]
        return cls(obj["width"], tuple(point) if isinstance(point, list) else point, obj["sign"], obj["axis"])

    def __str__(self) -> str:
        point = f"[{min(self.point)}..{max(self.point)}]" if isinstance(self.point, tuple) else str(self.point)
        return f"{'s' if self.sign else 'u'}{self.width}.{point}"
