"""C identifiers from the user's layer names."""

from __future__ import annotations

import re


def identifier(name: str) -> str:
    """`name` with everything that C does not allow replaced by an underscore.

    Two names may become one: what writes the C text makes the identifiers of blobs unique.
    """
    cleaned = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"n{cleaned}"
