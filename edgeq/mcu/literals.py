"""Numbers as C text: literals that no compiler warns of, and arrays in lines of readable length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH = 110
INT64_MIN = -(1 << 63)
INT32_MIN = -(1 << 31)


def literal(number: int) -> str:
    """A C99 integer constant of any width up to 64 bits; the least integers have no literal of their own."""
    if number in (INT64_MIN, INT32_MIN):
        return f"({number + 1} - 1)"
    return f"{number}u" if number >= 1 << 63 else str(number)


def array_text(data: npt.NDArray[Any]) -> str:
    """The elements, separated by commas, in indented lines."""
    flat = data.reshape(-1)
    least = int(flat.min()) if flat.size else 0
    if least in (INT64_MIN, INT32_MIN):
        return wrapped(literal(int(v)) for v in flat)
    return wrapped(map(str, flat.astype(np.int64 if flat.dtype.kind == "i" else np.uint64).tolist()))


def wrapped(items: Iterable[str]) -> str:
    """Items, separated by commas, in indented lines of at most `WIDTH` characters."""
    text = ", ".join(items)
    if len(text) <= WIDTH:
        return f"    {text},"
    lines, start = [], 0
    while len(text) - start > WIDTH:
        cut = text.rindex(", ", start, start + WIDTH) + 1
        lines.append("    " + text[start:cut])
        start = cut + 1
    return "\n".join([*lines, f"    {text[start:]},"])
