"""What a number is: formats, rounding and saturation (the numbers contract, `docs/arithmetic.md`)."""

from __future__ import annotations

from typing import Any

from edgeq.errors import FormatError
from edgeq.formats.affine import CODE_RULE, Affine
from edgeq.formats.dyadic import DYADIC_RULES, scale, scale_scalar
from edgeq.formats.fixed_point import FixedPoint
from edgeq.formats.format import Format, align, encode, encode_scalar
from edgeq.formats.grouped import MX, MX_GROUP, Grouped, grouped
from edgeq.formats.khot import KHot, count_digits
from edgeq.formats.minifloat import Minifloat, minifloat
from edgeq.formats.overflow import DEFAULT_OVERFLOW, OVERFLOWS, overflow, overflow_scalar
from edgeq.formats.rounding import DEFAULT_RULE, FIXED_RULES, RULES, round_ratio, round_scalar

#: every format by the `kind` that its JSON form carries
KINDS: dict[str, type[FixedPoint] | type[Minifloat] | type[Affine] | type[Grouped]] = {
    "fixed": FixedPoint,
    "minifloat": Minifloat,
    "affine": Affine,
    "grouped": Grouped,
}

#: minifloats by name, specials as the OCP standards have them
NAMED: dict[str, Minifloat] = {name: minifloat(name) for name in ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")}


def from_json(obj: dict[str, Any]) -> Format:
    """Read a format that `Format.to_json` wrote; FormatError names what is wrong."""
    try:
        return KINDS[obj["kind"]].from_json(obj)
    except (KeyError, TypeError) as error:
        raise FormatError(f"format description {str(obj)[:80]} is not readable ({error!r})") from None


__all__ = [
    "CODE_RULE",
    "DEFAULT_OVERFLOW",
    "DEFAULT_RULE",
    "DYADIC_RULES",
    "FIXED_RULES",
    "KINDS",
    "MX",
    "MX_GROUP",
    "NAMED",
    "OVERFLOWS",
    "RULES",
    "Affine",
    "FixedPoint",
    "Format",
    "Grouped",
    "KHot",
    "Minifloat",
    "align",
    "count_digits",
    "encode",
    "encode_scalar",
    "from_json",
    "grouped",
    "minifloat",
    "overflow",
    "overflow_scalar",
    "round_ratio",
    "round_scalar",
    "scale",
    "scale_scalar",
]
