"""What a netlist uses: cells of a JSON file as yosys and nextpnr write it, in all and by prefix of their names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.errors import ToolError


@dataclass(frozen=True)
class Usage:
    """How much of a device: look-up tables, flip-flops, multipliers, block RAMs (each in the family's own units)."""

    luts: int = 0
    ffs: int = 0
    dsps: int = 0
    brams: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.luts + other.luts, self.ffs + other.ffs, self.dsps + other.dsps, self.brams + other.brams)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.luts - other.luts, self.ffs - other.ffs, self.dsps - other.dsps, self.brams - other.brams)

    def to_json(self) -> dict[str, int]:
        """The four numbers by name."""
        return {"luts": self.luts, "ffs": self.ffs, "dsps": self.dsps, "brams": self.brams}


#: cell type -> what one of them uses
Weights = Mapping[str, Usage]


def cells_by_prefix(path: Path, top: str, prefixes: Sequence[str]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Count the cell types of module `top`: in all, and of cells whose name starts with `<prefix>.`.

    Raises ToolError when the file is not such a netlist.
    """
    try:
        cells: dict[str, Any] = json.loads(path.read_text("utf-8"))["modules"][top]["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"{path}: is not a netlist of module {top} ({error})") from error
    total: Counter[str] = Counter()
    parts: dict[str, Counter[str]] = {prefix: Counter() for prefix in prefixes}
    depth = {prefix.count(".") + 1 for prefix in prefixes}
    for name, cell in cells.items():
        kind = str(cell["type"])
        total[kind] += 1
        words = name.split(".")
        for length in depth:
            part = parts.get(".".join(words[:length]))
            if part is not None and len(words) > length:
                part[kind] += 1
    return total, parts


def usage_of(cells: Mapping[str, int], weights: Weights) -> Usage:
    """What cells use."""
    used = Usage()
    for kind, count in cells.items():
        one = weights.get(kind)
        if one is not None:
            used += Usage(one.luts * count, one.ffs * count, one.dsps * count, one.brams * count)
    return used
