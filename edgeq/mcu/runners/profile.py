"""From a histogram of executed addresses to counts per layer and function, and an estimate of cycles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.runners.result import Counts
from edgeq.mcu.runners.thumb import decode, estimate_cycles
from edgeq.mcu.toolchains.elf import Image

# The crude pipeline model was fitted on these cores only.
CYCLE_MODEL_CORES = ("cortex-m3", "cortex-m4")
# Harness functions whose own instructions are not the network's.
SKIPPED_FUNCTIONS = ("edgeq_region", "edgeq_mark_start", "edgeq_mark_stop", "edgeq_mark_layer", "edgeq_trace")


@dataclass
class Histogram:
    """Executions per (step, address) inside the counted regions, and each region's total."""

    regions: list[int] = field(default_factory=list)
    cells: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))


def skip_ranges(image: Image) -> list[tuple[int, int]]:
    """Return the address ranges [low, high) of the harness functions that are never counted."""
    found = [image.symbols[name] for name in SKIPPED_FUNCTIONS if name in image.symbols]
    return [(symbol.address, symbol.address + symbol.size) for symbol in found]


def marker(image: Image, name: str) -> int:
    """Return the address of the harness's marker function `name`."""
    if name not in image.symbols:
        raise ToolError(f"{image.path}: has no marker {name}, so nothing can be counted; link it with the harness")
    return image.symbols[name].address


def read_histogram(path: Path) -> Histogram:
    """Read the file that firmware/plugin/edgeq_count.c wrote."""
    histogram = Histogram()
    complete = False
    for line in path.read_text("ascii").splitlines():
        words = line.split()
        if words[0] == "R":
            histogram.regions.append(int(words[1]))
        elif words[0] == "H":
            step, pc, count = map(int, words[1:])
            histogram.cells[step][pc] += count
        complete = words[0] == "E"
    if not complete:
        raise ToolError("QEMU ended before the instruction counter had written its figures")
    return histogram


def _add(cells: Mapping[int, Mapping[int, int]]) -> dict[int, int]:
    total: dict[int, int] = defaultdict(int)
    for counts in cells.values():
        for pc, count in counts.items():
            total[pc] += count
    return total


def _by_function(image: Image, counts: Mapping[int, int]) -> dict[str, int]:
    functions: dict[str, int] = defaultdict(int)
    for pc, count in counts.items():
        functions[image.function_at(pc)] += count
    return dict(sorted(functions.items(), key=lambda item: -item[1]))


def make_counts(histogram: Histogram, image: Image, board: Board, method: str, exact: bool) -> Counts:
    """Sum a histogram into `Counts`; `ToolError` when no region was seen or the sums disagree."""
    if not histogram.regions:
        raise ToolError(f"{image.path.name}: nothing was counted; the image never passed the start and stop markers")
    cells = {step: counts for step, counts in sorted(histogram.cells.items()) if counts}
    per_layer = {step: sum(counts.values()) for step, counts in cells.items()}
    total = sum(histogram.regions)
    if sum(per_layer.values()) != total:
        raise ToolError(f"{image.path.name}: {method} counted {sum(per_layer.values())} by layer but {total} in all")
    cycles: dict[int, int] = {}
    if board.core in CYCLE_MODEL_CORES:
        cycles = {step: estimate_cycles(image, counts) for step, counts in cells.items()}
    return Counts(
        total=total,
        regions=tuple(histogram.regions),
        per_layer=per_layer,
        per_function=_by_function(image, _add(cells)),
        cycles_estimated=sum(cycles.values()) if cycles else None,
        cycles_per_layer=cycles,
        method=method,
        exact=exact,
    )


def block_addresses(image: Image, address: int, size: int) -> Sequence[int]:
    """Return the addresses of the Thumb instructions in the `size` bytes at `address`."""
    found, pc = [], address
    while pc < address + size:
        found.append(pc)
        pc += decode(image.read_code(pc, 4)).length
    return found
