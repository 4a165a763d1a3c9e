"""What every number format can do: codes to integers on a grid and exact numbers back to codes.

A value is an integer *code*. A format decodes it to an integer on a *grid*; the real value is
``grid * 2**-frac``. Arithmetic happens on grids and is exact; `encode` is the one place where it rounds.
A new format is a subclass in a file of its own, registered in `edgeq.formats`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.rounding import DEFAULT_RULE, Int64Array, round_ratio

#: binary points outside this range are refused: no exact int64 arithmetic could align them
MAX_FRAC = 1024
#: `encode` needs numerators and denominators below this magnitude
ENCODE_LIMIT = 1 << 62
#: and sums that neither a divisor nor a multiplier follows stay below this one
WIDE_LIMIT = 1 << 94

Frac = int | tuple[int, ...]


def check_exponent(value: Frac, axis: int | None, what: str) -> None:
    """Raise FormatError unless `value` is an int, or a non-empty tuple of ints with an axis to lie along."""
    items = value if isinstance(value, tuple) else (value,)
    if not items or not all(isinstance(v, int) and not isinstance(v, bool) for v in items):
        raise FormatError(f"{what} must be an int or a non-empty tuple of ints, not {value!r}")
    if any(abs(v) > MAX_FRAC for v in items):
        raise FormatError(f"{what} {value!r} is outside -{MAX_FRAC}..{MAX_FRAC}")
    if axis is not None and (type(axis) is not int or axis < 0):
        raise FormatError(f"{what}: axis must be None or an int of at least 0, not {axis!r}")
    if isinstance(value, tuple) != (axis is not None):
        raise FormatError(f"{what} {value!r} with axis {axis!r}: a tuple needs an axis, one int has none")


@dataclass(frozen=True)
class Format(ABC):
    """A number format; immutable, compared by value. Subclasses are frozen dataclasses."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of a code in bits."""

    @property
    @abstractmethod
    def frac(self) -> Frac:
        """Binary point of the grid: value = grid * 2**-frac; a tuple where it differs along `axis`."""

    @property
    @abstractmethod
    def channel_axis(self) -> int | None:
        """The axis that a tuple `frac` lies along, counted without the batch dimension."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether negative values exist."""

    @property
    @abstractmethod
    def code_range(self) -> tuple[int, int]:
        """Least and greatest integer that can be a code."""

    @property
    @abstractmethod
    def grid_range(self) -> tuple[int, int]:
        """Least and greatest finite value, as grid integers."""

    @abstractmethod
    def to_grid_scalar(self, code: int) -> int:
        """Decode one code; FormatError for a code that stands for no finite number."""

    @abstractmethod
    def to_grid(self, codes: npt.NDArray[Any]) -> Int64Array:
        """Vector twin of `to_grid_scalar`."""

    @abstractmethod
    def from_grid(self, grid: Int64Array) -> Int64Array:
        """Codes of grid integers that are exactly representable (zero is always the positive zero)."""

    @abstractmethod
    def round_scalar(self, x: Fraction, rule: str) -> int:
        """Round an exact number, in grid units, to the nearest grid integer of this format and saturate."""

    @abstractmethod
    def round_grid(self, num: Int64Array, den: Int64Array, rule: str) -> Int64Array:
        """Vector twin of `round_scalar` for num/den in grid units."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A JSON object that `edgeq.formats.from_json` reads back equal."""

    @abstractmethod
    def per_tensor(self, frac: int) -> Format:
        """The same format with one grid of binary point `frac`."""

    def check_codes(self, codes: npt.NDArray[Any], place: str) -> None:
        """Raise FormatError, naming `place`, unless every code exists in this format."""
        if codes.size == 0:
            return
        if codes.dtype.kind not in "iu":
            raise FormatError(f"{place}: codes must be integers, not {codes.dtype}")
        lo, hi = self.code_range
        least, greatest = int(codes.min()), int(codes.max())
        if least < lo or greatest > hi:
            bad = least if least < lo else greatest
            raise FormatError(f"{place}: code {bad} is outside {lo}..{hi} of {self}")

    def frac_along(self, ndim: int) -> Int64Array:
        """`frac` shaped to broadcast against an array of `ndim` dimensions (no batch dimension counted)."""
        if self.channel_axis is None:
            return np.asarray(self.frac, dtype=np.int64)
        shape = [1] * ndim
        shape[self.channel_axis] = -1
        return np.asarray(self.frac, dtype=np.int64).reshape(shape)

    def decode(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Real values of codes (an array without batch, or with one leading batch dimension if per tensor)."""
        return np.ldexp(self.to_grid(codes).astype(np.float64), -self.frac_along(codes.ndim))

    def quantize(self, x: npt.ArrayLike, rule: str = DEFAULT_RULE, place: str = "input") -> Int64Array:
        """Codes nearest to real numbers; exact for every finite float64. FormatError on NaN; infinities saturate."""
        values = np.asarray(x, dtype=np.float64)
        if np.isnan(values).any():
            where = tuple(int(i) for i in np.argwhere(np.isnan(values))[0])
            raise FormatError(f"{place}: element {where} is NaN; remove it before quantising")
        lo, hi = self.grid_range
        with np.errstate(over="ignore", under="ignore"):
            units = np.ldexp(values, self.frac_along(values.ndim))
        # Everything beyond the range saturates, so clipping first changes nothing and keeps the numbers in int64.
        # What is too small for float64 in grid units is less than any half step, but not zero: its sign counts.
        units = np.clip(units, lo - 2.0, hi + 2.0)
        units = np.where((units == 0) & (values != 0), np.copysign(np.finfo(np.float64).tiny, values), units)
        # 2**-extra is finer than any tie of this format needs; what float64 holds below it is kept as a sticky bit.
        extra = 62 - max(abs(lo - 2), abs(hi + 2)).bit_length()
        scaled = np.ldexp(units, extra)
        num = np.floor(scaled).astype(np.int64)
        sticky = scaled != np.floor(scaled)
        num = np.where(sticky, num | 1, num)
        grid = self.round_grid(num, np.asarray(1 << extra, dtype=np.int64), rule)
        return self.from_grid(grid)


def encode_scalar(x: Fraction, fmt: Format, rule: str, channel: int = 0) -> int:
    """Grid integer of the real number `x` in `fmt` by one rounding, then saturation (the reference)."""
    frac = fmt.frac[channel] if isinstance(fmt.frac, tuple) else fmt.frac
    return fmt.round_scalar(x * Fraction(2) ** frac, rule)


def encode(
    num: Int64Array,
    frac: Int64Array,
    fmt: Format,
    rule: str,
    den: Int64Array | int = 1,
    ndim: int | None = None,
) -> Int64Array:
    """Grid integers of the exact numbers ``num / den * 2**-frac`` in `fmt`: one rounding, then saturation.

    `num`, `frac` and `den` broadcast against each other; `ndim` is the dimension of the value without its
    batch (default: that of `num` less one). The aligned numerator and denominator must stay below 2**62,
    which the range analysis of `edgeq.ir` proves beforehand.
    """
    return fmt.round_grid(*align(num, frac, fmt, den, ndim), rule)


def align(
    num: Int64Array, frac: Int64Array, fmt: Format, den: Int64Array | int = 1, ndim: int | None = None
) -> tuple[Int64Array, Int64Array]:
    """Numerator and denominator of the same numbers in units of the grid of `fmt`; arguments as those of `encode`."""
    rank = num.ndim - 1 if ndim is None else ndim
    shift = fmt.frac_along(rank) - np.asarray(frac, dtype=np.int64)
    up = np.minimum(np.maximum(shift, 0), 62)
    # A denominator of 2**62 rounds every numerator below 2**61 as any larger one would (one of 2**61 would not:
    # 2**60 / 2**61 is a tie, 2**60 / 2**62 is none).
    down = np.minimum(np.maximum(-shift, 0), 62)
    return num << up, np.asarray(den, dtype=np.int64) << down


__all__ = ["ENCODE_LIMIT", "Format", "Frac", "align", "check_exponent", "encode", "encode_scalar", "round_ratio"]
