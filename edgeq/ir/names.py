"""Names of layers short enough for tables and plots."""

from __future__ import annotations


def short_name(name: str, most: int = 48) -> str:
    """The part of a layer's name that people know it by, of at most `most` characters.

    Converters join the names of everything that they fused with semicolons; the first one says enough. A name that is
    still too long keeps its end, which is where layers of one block differ.
    """
    first = name.split(";")[0] or name
    return first if len(first) <= most else "…" + first[1 - most :]
