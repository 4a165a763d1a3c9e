"""What a netlist uses: cells of a JSON file as yosys and nextpnr write it, in all and by prefix of their names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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


#: how the names of cells begin that nextpnr adds, and the ports that join the cells of a carry chain
ADDED = "$nextpnr_"
CARRY_PORTS = ("FCI", "FCO", "CIN", "COUT")

#: cell type -> what one of them uses
Weights = Mapping[str, Usage]


def cells_by_prefix(path: Path, top: str, prefixes: Sequence[str]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Count the cell types of module `top`: in all, and of cells whose name starts with `<prefix>.`.

    Cells that place and route adds at the ends of a carry chain have names of their own; they count where the chain
    does. Raises ToolError when the file is not such a netlist.
    """
    try:
        cells: dict[str, Any] = json.loads(path.read_text("utf-8"))["modules"][top]["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"{path}: is not a netlist of module {top} ({error})") from error
    total: Counter[str] = Counter()
    parts: dict[str, Counter[str]] = {prefix: Counter() for prefix in prefixes}
    depths = {prefix.count(".") + 1 for prefix in prefixes}

    def owner(name: str) -> str | None:
        words = name.removeprefix("$flatten").replace("\\", "").split(".")  # as flatten names what had no name
        found = (".".join(words[:depth]) for depth in depths if len(words) > depth)
        return next((prefix for prefix in found if prefix in parts), None)

    owners = {name: owner(name) for name in cells}
    owners |= _of_chains(cells, owners)
    for name, cell in cells.items():
        kind, part = str(cell["type"]), owners[name]
        total[kind] += 1
        if part is not None:
            parts[part][kind] += 1
    return total, parts


def _of_chains(cells: Mapping[str, Any], owners: Mapping[str, str | None]) -> dict[str, str | None]:
    """Added cell -> owner of the carry chain that it begins or ends; both halves of a cell go together."""

    def bits(name: str) -> Iterator[int | str]:
        links = cells[name].get("connections", {})
        return (bit for port in CARRY_PORTS for bit in links.get(port, ()))

    added: dict[str, list[str]] = {}
    chains: dict[int | str, str | None] = {}
    for name in cells:
        if name.startswith(ADDED):
            added.setdefault(name.partition("$CCU2_")[0], []).append(name)
        else:
            chains.update(dict.fromkeys(bits(name), owners[name]))
    found: dict[str, str | None] = {}
    for names in added.values():
        owner = next((chains[bit] for name in names for bit in bits(name) if chains.get(bit)), None)
        found.update(dict.fromkeys(names, owner))
    return found


def usage_of(cells: Mapping[str, int], weights: Weights) -> Usage:
    """What cells use."""
    used = Usage()
    for kind, count in cells.items():
        one = weights.get(kind)
        if one is not None:
            used += Usage(one.luts * count, one.ffs * count, one.dsps * count, one.brams * count)
    return used
