"""Memories of constants as text for $readmemh: one word a line, hexadecimal."""

from __future__ import annotations

from edgeq.fpga.dataflow import Dataflow, Rom


def text(rom: Rom) -> str:
    """The lines of `<rom>.mem`."""
    digits = -(-rom.width // 4)
    mask = (1 << rom.width) - 1
    return "".join(f"{word & mask:0{digits}x}\n" for word in rom.words)


def roms(flow: Dataflow) -> list[Rom]:
    """All memories of a dataflow, in the order of its stages."""
    return [value for stage in flow.stages for value in stage.params.values() if isinstance(value, Rom)]
