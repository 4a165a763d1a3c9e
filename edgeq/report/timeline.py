"""The arena over time as rectangles: when every buffer lives and which bytes it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeq.schedule import Plan


@dataclass(frozen=True)
class Block:
    """A rectangle of the plot, in per cent of its width and height; bytes grow upwards."""

    value: str
    label: str
    x: float
    y: float
    width: float
    height: float
    hue: int
    note: str


@dataclass(frozen=True)
class Timeline:
    """The plot: blocks, the labels of the steps, live bytes of each step in per cent of the arena, and the peak."""

    arena_bytes: int
    blocks: tuple[Block, ...]
    steps: tuple[str, ...]
    live: tuple[float, ...]
    peak_step: str
    peak_values: tuple[tuple[str, int], ...]


def timeline(plan: Plan) -> Timeline:
    """Lay the plan out. Values that share bytes (reshape, in place) are drawn as parts of the same rows."""
    times, arena = plan.times, max(plan.arena_bytes, 1)
    rows = [row for row in plan.timeline() if row["alias_of"] is None]
    blocks = [_block(row, i, times, arena) for i, row in enumerate(rows)]
    return Timeline(
        plan.arena_bytes,
        tuple(blocks),
        tuple(plan.label(t) for t in range(times)),
        tuple(100 * plan.live_bytes(t) / arena for t in range(times)),
        plan.label(plan.peak),
        tuple(plan.peak_values()),
    )


def _block(row: dict[str, Any], i: int, times: int, arena: int) -> Block:
    first, last = row["first"], row["last"]
    # A value that overwrites its input takes the bytes over from the next step on.
    start = first + (0.5 if row["overwrites"] else 0)
    height = 100 * row["bytes"] / arena
    span = "lives only at" if first == last else f"lives from step {first} to"
    note = f"{row['value']}: {row['bytes']:,} bytes at offset {row['offset']:,}, {span} step {last}"
    if row["overwrites"]:
        note += f", computed in place over {row['overwrites']}"
    return Block(
        row["value"],
        row["value"],
        100 * start / times,
        100 - 100 * row["offset"] / arena - height,
        100 * (last + 1 - start) / times,
        height,
        (i * 137) % 360,  # the golden angle keeps neighbours apart in colour
        note,
    )
