"""Minifloats by the names that recipes have: e2m1, e3m4, e4m3-none, e4m3-fnuz."""

from __future__ import annotations

import re
from functools import lru_cache

from edgeq.errors import FormatError
from edgeq.formats import NAMED, Minifloat

_NAME = re.compile(r"e(\d)m(\d)(?:-(none|ocp|fnuz))?")
#: how messages say what a recipe takes
WORDS = "a minifloat of 3 to 8 bits (e1m1 … e5m2, with -none, -ocp or -fnuz for its specials)"


@lru_cache(maxsize=256)
def minifloat_named(name: str) -> Minifloat:
    """The format of a name, at scale one; FormatError for what is none.

    Without a suffix, specials are as the OCP standards have them: those of E4M3 and E5M2, and none for all others.
    """
    if name in NAMED:
        return NAMED[name]
    found = _NAME.fullmatch(name)
    if found is None:
        raise FormatError(f"{name!r} is not {WORDS}")
    exponent, mantissa, specials = found.groups()
    return Minifloat(int(exponent), int(mantissa), specials=specials or "none")


def is_minifloat(name: str) -> bool:
    """Whether the name is shaped like that of a minifloat (which may still be too wide)."""
    return _NAME.fullmatch(name) is not None


__all__ = ["WORDS", "is_minifloat", "minifloat_named"]
