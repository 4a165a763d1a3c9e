"""Reading the tables of a board for the vendor's high-level synthesis: part, processing system, what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeq.boards.board import Board, Hls
from edgeq.boards.fpga import optional_word, word
from edgeq.boards.table import Table

#: kinds of processing systems: Zynq-7000, Zynq UltraScale+
PROCESSORS = ("zynq7", "zynqmp")
#: widths that both the AXI DMA and a stream of containers of 8, 16 or 32 bits can have
_WIDTHS = (32, 64, 128)


def read_hls(root: Table, common: Mapping[str, Any]) -> Board:
    """A board for high-level synthesis from its table; `common` are the fields that every board has."""
    table = root.table("hls")
    if table is None:
        raise root.fail("hls", "missing; give a table with part, processor, target_hz and dma_bits")
    has = table.table("has")
    if has is None:
        raise table.fail("has", "missing; give a table")
    width = table.integer("dma_bits", 32, 128)
    if width not in _WIDTHS:
        raise table.fail("dma_bits", f"is {width}; choose one of {', '.join(map(str, _WIDTHS))}")
    device = Hls(
        word(table, "part"),
        optional_word(table, "board_part"),
        table.text("processor", PROCESSORS),
        table.integer("target_hz", 1_000_000, 800_000_000),
        width,
        has.integer("luts", 1, 10**8),
        has.integer("ffs", 1, 10**8),
        has.integer("dsps", 0, 10**6),
        has.integer("brams", 0, 10**6),
        has.integer("bram_bits", 1, 10**7),
    )
    for part in (has, table, root):
        part.done()
    return Board(**common, clock_hz=device.target_hz, hls=device)
