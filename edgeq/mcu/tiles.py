"""Tiles: what the maps between fused nodes are while firmware runs, which have no place for a whole row of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.ir import Value
from edgeq.mcu.program import Call, Program
from edgeq.mcu.storage import to_memory
from edgeq.schedule.patch import Region

Indices = npt.NDArray[np.int64]


def shown_bytes(program: Program, call: Call) -> int:
    """Bytes that a traced run shows of a step: its output, or all its tiles."""
    if call.tiles is None or not call.inside:
        return program.slots[call.step.output].bytes
    return call.tiles.plan.buffers[call.step.output].bytes * call.tiles.grid[0] * call.tiles.grid[1]


def byte_indices(region: Region, value: Value, corner: tuple[int, int], pixel_bytes: int) -> Indices:
    """Where the bytes of a region lie in the whole value; -1 for those outside of it."""
    height, width = value.shape[:2]
    rows, columns = region.rows.at(corner[0])[:, None], region.columns.at(corner[1])[None, :]
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    found = ((rows * width + columns) * pixel_bytes)[..., None] + np.arange(pixel_bytes)
    return np.where(outside[..., None], -1, found).reshape(-1)


def tile_bytes(program: Program, call: Call, codes: npt.NDArray[np.int64]) -> bytes:
    """What a step inside fused ones shows of the whole value `codes`: every tile, with padding around it."""
    assert call.tiles is not None
    region, value = call.tiles.regions[call.step.output], program.graph.values[call.step.output]
    found = []
    for corner in call.tiles.corners():
        rows, columns = region.rows.at(corner[0]), region.columns.at(corner[1])
        height, width = value.shape[:2]
        part = codes[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        if region.fill is not None:
            part[(rows < 0) | (rows >= height)] = region.fill
            part[:, (columns < 0) | (columns >= width)] = region.fill
        found.append(to_memory(part, value.format).tobytes())
    return b"".join(found)
