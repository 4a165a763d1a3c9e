"""Affine: the 8- and 16-bit integers of .tflite and .onnx files, value = (code - zero point) * scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.integer import IntegerFormat
from edgeq.formats.rounding import Int64Array, round_ratio, round_scalar

Scale = float | tuple[float, ...]
#: the rule that rounds the code and not the grid integer; both differ at ties
CODE_RULE = "code_half_away"


@dataclass(frozen=True)
class Affine(IntegerFormat):
    """An integer whose grid begins at a zero point and has a step that no arithmetic ever sees.

    width, sign: container of the code, 1 to 32 bits.
    zero_point:  the code of the real number zero; the grid integer is code - zero_point.
    scale:       real value of one step, known to the borders only; a tuple gives one for each channel of a constant.
    axis:        the axis that a tuple `scale` lies along (without batch), else None.

    The binary point is 0: between two scales only a multiplier of the output stage converts.
    """

    kind: ClassVar[str] = "affine"

    width: int
    sign: bool = True
    zero_point: int = 0
    scale: Scale = 1.0
    axis: int | None = None

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= 32:
            raise FormatError(f"Affine width must be 1..32 bits, not {self.width!r}")
        if not isinstance(self.sign, bool):
            raise FormatError(f"Affine sign must be True or False, not {self.sign!r}")
        lo, hi = self.code_range
        if type(self.zero_point) is not int or not lo <= self.zero_point <= hi:
            raise FormatError(f"Affine zero point {self.zero_point!r} is not a code of {lo}..{hi}")
        items = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        if not items or not all(type(s) is float and math.isfinite(s) and s > 0 for s in items):
            raise FormatError("Affine scale must be a positive finite float or a non-empty tuple of them")
        if self.axis is not None and (type(self.axis) is not int or self.axis < 0):
            raise FormatError(f"Affine axis must be None or an int of at least 0, not {self.axis!r}")
        if isinstance(self.scale, tuple) != (self.axis is not None):
            raise FormatError(f"Affine with axis {self.axis!r}: a tuple of scales needs an axis, one scale has none")

    @property
    def frac(self) -> int:
        return 0

    @property
    def grid_range(self) -> tuple[int, int]:
        lo, hi = self.code_range
        return lo - self.zero_point, hi - self.zero_point

    def to_grid_scalar(self, code: int) -> int:
        lo, hi = self.code_range
        if not lo <= code <= hi:
            raise FormatError(f"code {code} is outside {lo}..{hi} of {self}")
        return code - self.zero_point

    def to_grid(self, codes: npt.NDArray[Any]) -> Int64Array:
        return codes.astype(np.int64) - self.zero_point

    def from_grid(self, grid: Int64Array) -> Int64Array:
        return grid + self.zero_point

    def round_scalar(self, x: Fraction, rule: str) -> int:
        lo, hi = self.grid_range
        if rule == CODE_RULE:
            return min(max(round_scalar(x + self.zero_point, "half_away") - self.zero_point, lo), hi)
        return min(max(round_scalar(x, rule), lo), hi)

    def round_grid(self, num: Int64Array, den: Int64Array, rule: str) -> Int64Array:
        lo, hi = self.grid_range
        if rule == CODE_RULE:
            rounded = round_ratio(num + self.zero_point * np.asarray(den), den, "half_away") - self.zero_point
            return np.clip(rounded, lo, hi)
        return np.clip(round_ratio(num, den, rule), lo, hi)

    def per_tensor(self, frac: int) -> Affine:
        if frac != 0 or isinstance(self.scale, tuple):
            raise FormatError(f"{self} has no binary point to set to {frac}")
        return self

    def scale_along(self, ndim: int) -> npt.NDArray[np.float64]:
        """`scale` shaped to broadcast against an array of `ndim` dimensions (no batch dimension counted)."""
        scale = np.asarray(self.scale, dtype=np.float64)
        if self.axis is None:
            return scale
        shape = [1] * ndim
        shape[self.axis] = -1
        return scale.reshape(shape)

    def decode(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Real values of codes: grid * scale, in float64."""
        return self.to_grid(codes) * self.scale_along(codes.ndim)

    def quantize(self, x: npt.ArrayLike, rule: str = "half_away", place: str = "input") -> Int64Array:
        """Codes of real numbers as TensorFlow Lite makes them, whatever `rule` says.

        The quotient x / scale is taken in float32, rounded to the nearest integer (ties away from zero), the zero
        point is added, and the sum saturates. FormatError on NaN; infinities saturate.
        """
        with np.errstate(over="ignore", under="ignore"):
            values = np.asarray(x, dtype=np.float32)
            if np.isnan(values).any():
                where = tuple(int(i) for i in np.argwhere(np.isnan(values))[0])
                raise FormatError(f"{place}: element {where} is NaN; remove it before quantising")
            units = (values / self.scale_along(values.ndim).astype(np.float32)).astype(np.float64)
        lo, hi = self.grid_range
        units = np.clip(units, lo - 1.0, hi + 1.0)
        rounded = np.copysign(np.floor(np.abs(units) + 0.5), units).astype(np.int64)
        return self.from_grid(np.clip(rounded, lo, hi))

    def to_json(self) -> dict[str, Any]:
        """As the other formats; floats are written in hexadecimal, so that none is rounded."""
        scale = [s.hex() for s in self.scale] if isinstance(self.scale, tuple) else self.scale.hex()
        return {
            "kind": self.kind,
            "width": self.width,
            "sign": self.sign,
            "zero_point": self.zero_point,
            "scale": scale,
            "axis": self.axis,
        }

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Affine:
        """Read what `to_json` wrote; FormatError on anything else."""
        written = obj["scale"]
        try:
            scale = tuple(map(float.fromhex, written)) if isinstance(written, list) else float.fromhex(written)
        except (ValueError, OverflowError):
            raise FormatError("Affine scale is not a hexadecimal float") from None
        return cls(obj["width"], obj["sign"], obj["zero_point"], scale, obj["axis"])

    def __str__(self) -> str:
        sign = "i" if self.sign else "u"
        scale = (
            f"[{min(self.scale):.3g}..{max(self.scale):.3g}]" if isinstance(self.scale, tuple) else f"{self.scale:.6g}"
        )
        zero = f" zero {self.zero_point}" if self.zero_point else ""
        return f"{sign}{self.width} scale {scale}{zero}"
