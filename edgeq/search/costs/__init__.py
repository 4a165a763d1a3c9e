"""Costs: what widths are paid with. Registry, one file each; a cost is one row of sums, or several of which the
greatest counts (`edgeq.search.problem.Row`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeq.search.costs.bitops import bitops
from edgeq.search.costs.bytes import flash_bytes
from edgeq.search.costs.instructions import instructions
from edgeq.search.costs.luts import luts
from edgeq.search.costs.ram import peak_ram
from edgeq.search.network import Network
from edgeq.search.problem import Row


@dataclass(frozen=True)
class Cost:
    """A cost: its rows for a network, its unit, and whether it follows from formats or is an estimate."""

    rows: Callable[[Network], tuple[Row, ...]]
    unit: str
    estimated: bool


#: name -> cost
COSTS: dict[str, Cost] = {
    "bytes": Cost(flash_bytes, "bytes of constants", False),
    "ram": Cost(peak_ram, "bytes of RAM", False),
    "bitops": Cost(bitops, "BitOPs", False),
    "instructions": Cost(instructions, "instructions on a Cortex-M4", True),
    "luts": Cost(luts, "LUTs of an ECP5", True),
}

__all__ = ["COSTS", "Cost"]
