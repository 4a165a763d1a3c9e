"""Minifloat: a float of 3 to 8 bits with sign, whose values are integers on the grid of its smallest subnormal.

Sources: OCP 8-bit Floating Point Specification (E4M3, E5M2), OCP Microscaling Formats (E2M1, E2M3, E3M2),
"FP8 Formats for Deep Learning" (arXiv 2209.05433), and the FNUZ variants of arXiv 2206.02915.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats.format import Format, Frac, check_exponent
from edgeq.formats.rounding import Int64Array, check_rule, round_scalar

SPECIALS = {
    "none": "every code is a finite number",
    "ocp": "OCP: E4M3 has one NaN in each sign (all ones), E5M2 has infinities and NaNs as IEEE 754 has",
    "fnuz": "one NaN, at the code of the negative zero; no negative zero, no infinities",
}


@dataclass(frozen=True)
class Minifloat(Format):
    """Sign, `exponent` bits, `mantissa` bits; subnormals; saturating.

    exponent: width of the exponent, 1 or more.
    mantissa: width of the stored mantissa, 0 or more; 1 + exponent + mantissa is 3 to 8.
    bias:     exponent bias; None takes 2**(exponent-1) - 1 (one more for "fnuz").
    specials: a key of `SPECIALS`.
    scale:    power-of-two scale, value = float * 2**scale; a tuple gives one for each channel.
    axis:     the axis that a tuple `scale` lies along (without batch), else None.
    """

    kind: ClassVar[str] = "minifloat"

    exponent: int
    mantissa: int
    bias: int | None = None
    specials: str = "none"
    scale: Frac = 0
    axis: int | None = None

    def __post_init__(self) -> None:
        for name in ("exponent", "mantissa"):
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), int):
                raise FormatError(f"Minifloat {name} must be an int, not {getattr(self, name)!r}")
        if not 1 <= self.exponent <= 5 or self.mantissa < 0 or not 3 <= self.bits <= 8:
            # With 6 exponent bits the grid of the smallest subnormal no longer fits 64-bit integers.
            raise FormatError(
                f"Minifloat E{self.exponent}M{self.mantissa} is not supported: "
                "use 1 to 5 exponent bits, 0 or more mantissa bits and 3 to 8 bits in all, sign included"
            )
        if not isinstance(self.specials, str) or self.specials not in SPECIALS:
            raise FormatError(f"Minifloat specials {self.specials!r} unknown; choose one of {', '.join(SPECIALS)}")
        if self.specials == "ocp" and (self.exponent, self.mantissa) not in ((4, 3), (5, 2)):
            raise FormatError(f"OCP specials exist for E4M3 and E5M2, not for {self.name}")
        if self.bias is None:
            object.__setattr__(self, "bias", (1 << (self.exponent - 1)) - (self.specials != "fnuz"))
        if type(self.bias) is not int or abs(self.bias) > 256:
            raise FormatError(f"Minifloat bias must be an int in -256..256, not {self.bias!r}")
        check_exponent(self.scale, self.axis, "Minifloat scale")

    @property
    def name(self) -> str:
        """E2M1 and the like."""
        return f"E{self.exponent}M{self.mantissa}"

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    @property
    def frac(self) -> Frac:
        # The smallest subnormal is 2**(1 - bias - mantissa).
        assert self.bias is not None
        natural = self.bias - 1 + self.mantissa
        return tuple(natural - s for s in self.scale) if isinstance(self.scale, tuple) else natural - self.scale

    @property
    def channel_axis(self) -> int | None:
        return self.axis

    @property
    def signed(self) -> bool:
        return True

    @property
    def code_range(self) -> tuple[int, int]:
        return 0, (1 << self.bits) - 1

    @property
    def max_magnitude(self) -> int:
        """Largest finite magnitude as a grid integer."""
        top = (1 << self.exponent) - 1
        m = (1 << self.mantissa) - 1
        if self.specials == "ocp" and self.exponent == 4:
            m -= 1
        elif self.specials == "ocp":
            top -= 1
        return _magnitude(top, m, self.mantissa)

    @property
    def grid_range(self) -> tuple[int, int]:
        return -self.max_magnitude, self.max_magnitude

    def to_grid_scalar(self, code: int) -> int:
        if not 0 <= code < 1 << self.bits:
            raise FormatError(f"code {code} is outside 0..{(1 << self.bits) - 1} of {self}")
        sign = code >> (self.bits - 1)
        if self.specials == "fnuz" and code == 1 << (self.bits - 1):
            raise FormatError(f"code {code} of {self} is not a finite number")
        exponent = (code >> self.mantissa) & ((1 << self.exponent) - 1)
        magnitude = _magnitude(exponent, code & ((1 << self.mantissa) - 1), self.mantissa)
        if magnitude > self.max_magnitude:
            raise FormatError(f"code {code} of {self} is not a finite number")
        return -magnitude if sign else magnitude

    def to_grid(self, codes: npt.NDArray[Any]) -> Int64Array:
        grid, valid = _decode_table(self.exponent, self.mantissa, self.specials)
        index = codes.astype(np.int64)
        if index.size and not valid[index].all():
            raise FormatError(f"code {int(index[~valid[index]].flat[0])} of {self} is not a finite number")
        return grid[index]

    def from_grid(self, grid: Int64Array) -> Int64Array:
        magnitude = np.abs(grid)
        exponent = np.maximum(_bit_length(magnitude) - self.mantissa, 0)
        stored = magnitude >> np.maximum(exponent - 1, 0)
        code = stored + (np.maximum(exponent - 1, 0) << self.mantissa)
        signed: Int64Array = np.where(grid < 0, code | (1 << (self.bits - 1)), code)
        return signed

    def round_scalar(self, x: Fraction, rule: str) -> int:
        step = 1
        while abs(x) >= step << (self.mantissa + 1):
            step <<= 1
        q = round_scalar(x / step, rule) * step
        return min(max(q, -self.max_magnitude), self.max_magnitude)

    def round_grid(self, num: Int64Array, den: Int64Array, rule: str) -> Int64Array:
        check_rule(rule)
        top = self.max_magnitude
        whole = np.floor_divide(num, den)
        rest = num - whole * den
        truncated = np.abs(whole + ((whole < 0) & (rest > 0)))
        # Beyond the range the result saturates, so its step does not matter: clipping keeps the shifts small.
        step_log2 = np.maximum(_bit_length(np.minimum(truncated, top)) - 1 - self.mantissa, 0)
        # x / step = q + (r + rest/den) / step, kept apart because den * step could leave int64.
        q, r = whole >> step_log2, whole & ((np.int64(1) << step_log2) - 1)
        half = (np.int64(1) << step_log2) >> 1
        above = np.where(step_log2 > 0, (r > half) | ((r == half) & (rest > 0)), rest > den - rest)
        tie = np.where(step_log2 > 0, (r == half) & (rest == 0), rest == den - rest)
        if rule == "half_up":
            q = q + (above | tie).astype(np.int64)
        elif rule == "half_even":
            q = q + (above | (tie & ((q & 1) == 1))).astype(np.int64)
        rounded: Int64Array = np.clip(np.clip(q, -2 * top, 2 * top) << step_log2, -top, top)
        return rounded

    def per_tensor(self, frac: int) -> Minifloat:
        assert self.bias is not None
        natural = self.bias - 1 + self.mantissa
        return Minifloat(self.exponent, self.mantissa, self.bias, self.specials, natural - frac)

    def to_json(self) -> dict[str, Any]:
        scale = list(self.scale) if isinstance(self.scale, tuple) else self.scale
        return {
            "kind": self.kind,
            "exponent": self.exponent,
            "mantissa": self.mantissa,
            "bias": self.bias,
            "specials": self.specials,
            "scale": scale,
            "axis": self.axis,
        }

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Minifloat:
        """Read what `to_json` wrote; FormatError on anything else."""
        scale = obj["scale"]
        return cls(
            obj["exponent"],
            obj["mantissa"],
            obj["bias"],
            obj["specials"],
            tuple(scale) if isinstance(scale, list) else scale,
            obj["axis"],
        )

    def __str__(self) -> str:
        scale = f"[{min(self.scale)}..{max(self.scale)}]" if isinstance(self.scale, tuple) else f"{self.scale:+d}"
        suffix = "" if self.specials == "none" else f"-{self.specials}"
        return f"{self.name.lower()}{suffix}*2^{scale}"


_NAME = re.compile(r"e(\d+)m(\d+)(?:b(\d+))?(?:-?(none|ocp|fnuz|fn))?")


@lru_cache(maxsize=256)
def minifloat(name: str) -> Minifloat:
    """The minifloat of a name such as "e3m2", "e4m3fn", "e5m2fnuz", "e4m3b11fnuz" or "e4m3-none"; FormatError else.

    Names are those of ml_dtypes: "b" and a number is the bias, "fnuz" the specials of that name, "fn" the finite format
    (with OCP's NaNs for E4M3). Without a suffix E4M3 and E5M2 are OCP's and all others have no specials; "-none",
    "-ocp" and "-fnuz" name the specials as `str` of a format does.
    """
    found = _NAME.fullmatch(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise FormatError(f"{name!r} names no minifloat; names look like e3m2, e4m3fn, e5m2fnuz or e4m3-none")
    exponent, mantissa, suffix = int(found[1]), int(found[2]), found[4]
    ocp = (exponent, mantissa) in ((4, 3), (5, 2)) and found[3] is None
    if suffix == "fn" and (exponent, mantissa) == (5, 2):
        raise FormatError(f"{name!r} names no minifloat: E5M2 is e5m2, with infinities, e5m2fnuz or e5m2-none")
    specials = ("ocp" if ocp else "none") if suffix in (None, "fn") else suffix
    return Minifloat(exponent, mantissa, int(found[3]) if found[3] else None, specials)


def _magnitude(exponent: int, mantissa: int, mantissa_bits: int) -> int:
    """Grid integer of an unsigned exponent/mantissa pair: subnormal when the exponent is 0."""
    if exponent == 0:
        return mantissa
    return (mantissa + (1 << mantissa_bits)) << (exponent - 1)


@lru_cache(maxsize=64)
def _decode_table(exponent: int, mantissa: int, specials: str) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """Grid integer and finiteness of every code."""
    fmt = Minifloat(exponent, mantissa, specials=specials)
    grid = np.zeros(1 << fmt.bits, dtype=np.int64)
    valid = np.ones(1 << fmt.bits, dtype=np.bool_)
    for code in range(1 << fmt.bits):
        try:
            grid[code] = fmt.to_grid_scalar(code)
        except FormatError:
            valid[code] = False
    return grid, valid


def _bit_length(x: Int64Array) -> Int64Array:
    """Number of bits of non-negative integers below 2**62 (0 for 0)."""
    length = np.zeros_like(x)
    for step in (32, 16, 8, 4, 2, 1):
        big = (x >> step) > 0
        length = np.where(big, length + step, length)
        x = np.where(big, x >> step, x)
    return length + (x > 0)
