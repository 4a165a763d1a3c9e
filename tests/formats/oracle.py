"""A second statement of rounding: search among the finite values of a format, in fractions, without arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache

from edgeq.errors import FormatError
from edgeq.formats import Minifloat

#: every Minifloat layout there is
LAYOUTS = [(e, m) for e in range(1, 6) for m in range(8) if 3 <= 1 + e + m <= 8]
MINIFLOATS = [
    *(Minifloat(e, m) for e, m in LAYOUTS),
    *(Minifloat(e, m, specials="fnuz") for e, m in LAYOUTS),
    *(Minifloat(4, 3, specials="ocp"), Minifloat(5, 2, specials="ocp")),
]


def real_by_definition(fmt: Minifloat, code: int) -> Fraction | None:
    """(-1)^s * 2^(e - bias) * 1.m, subnormals 2^(1 - bias) * 0.m, as the standards write it; None if not finite."""
    assert fmt.bias is not None
    assert isinstance(fmt.scale, int)
    sign, rest = divmod(code, 1 << (fmt.exponent + fmt.mantissa))
    e, m = divmod(rest, 1 << fmt.mantissa)
    all_ones = e == (1 << fmt.exponent) - 1
    if fmt.specials == "fnuz" and sign == 1 and rest == 0:
        return None
    if fmt.specials == "ocp" and all_ones and (fmt.exponent == 5 or m == 7):
        return None
    fraction = Fraction(m, 1 << fmt.mantissa) + (e > 0)
    magnitude = fraction * Fraction(2) ** (max(e, 1) - fmt.bias + fmt.scale)
    return -magnitude if sign else magnitude


@lru_cache(maxsize=128)
def values(fmt: Minifloat) -> list[tuple[Fraction, int]]:
    """(real value, code) of every finite number, ascending; zero once, as the positive zero."""
    found: dict[Fraction, int] = {}
    for code in range(1 << fmt.bits):
        real = real_by_definition(fmt, code)
        if real is not None:
            found.setdefault(real, code)
    return sorted(found.items())


def nearest_code(fmt: Minifloat, x: Fraction, rule: str) -> int:
    """The code that `x` rounds to, saturating."""
    table = values(fmt)
    at = bisect_right(table, (x, 1 << 30)) - 1
    if at < 0:
        return table[0][1]
    if at == len(table) - 1:
        return table[-1][1]
    (low, low_code), (high, high_code) = table[at], table[at + 1]
    if rule == "floor" or x == low:
        return low_code
    below, above = x - low, high - x
    if below != above:
        return low_code if below < above else high_code
    if rule == "half_up":
        return high_code
    # The even multiple of the step between the two neighbours.
    return low_code if (low / (high - low)) % 2 == 0 else high_code


def finite(fmt: Minifloat, code: int) -> bool:
    """Whether the implementation takes a code for a number."""
    try:
        fmt.to_grid_scalar(code)
    except FormatError:
        return False
    return True
