"""Progress: what long work calls with how much is done, so that commands can draw bars."""

from __future__ import annotations

from collections.abc import Callable

#: called with parts done and parts in all
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Nobody looks on."""
