"""Rendering stretches: the tables with which edgeq_stream.h and edgeq_tiles.h of firmware/include run them by rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeq.ir import Graph, Node
from edgeq.mcu.names import comment
from edgeq.mcu.program import Call, Program, Slot
from edgeq.schedule import Stretch
from edgeq.schedule.patch import CUT, Region
from edgeq.schedule.rows import zero_code

Context = dict[str, Any]


def stretch_context(program: Program, stretch: Stretch) -> Context:
    """What the template says of one stretch; values, reads and steps are numbered inside it."""
    calls = [call for call in program.calls if call.stretch is not None and call.stretch.name == stretch.name]
    numbers = {name: index for index, name in enumerate(stretch.rows)}
    steps: list[Context] = []
    reads: list[Context] = []
    by_node = {call.node.name: call for call in calls}
    for number, step in enumerate(stretch.steps):
        call = by_node[step.node]
        scratch = program.scratch(call) if call.step.scratch else None
        steps.append(
            {
                "index": call.index,
                "instance": call.instance.c_name,
                "c_name": call.c_name,
                "scratch": scratch.offset if scratch is not None else None,
                "row_bytes": stretch.rows[step.output].row_bytes,
                "first_read": len(reads),
                "reads": len(step.reads),
                "output": numbers[step.output],
                "rows": step.height,
                "fused": None if step.patches is None else _fused(program, stretch, number, by_node),
            }
        )
        for window in step.reads:
            read = [numbers[window.value], window.rows, window.stride, window.top, str(window.clipped).lower()]
            reads.append({"numbers": read, "note": comment(f"{step.node}, of {window.value}")})
    return {
        "name": stretch.name,
        "first": calls[0].index,
        "last": calls[-1].index,
        "source": numbers[stretch.source],
        "source_name": program.slots[stretch.source].c_name,
        "whole": "true" if stretch.fed == "whole" else "false",
        "state": program.plan.scratch[stretch.name].offset,
        "rows": [_values(program, stretch, name) for name in stretch.rows],
        "reads": reads,
        "steps": steps,
    }


def _fused(program: Program, stretch: Stretch, number: int, calls: Mapping[str, Call]) -> Context:
    """A step that is several nodes: the regions of its maps, those that it takes first, and the calls of a tile."""
    patches = stretch.steps[number].patches
    assert patches is not None
    at = program.kernel_area(stretch)
    places = {name: at + place.offset for name, place in patches.plan.buffers.items()}
    maps = [_region(program, patches.source, region, places[name]) for name, region in patches.takes.items()]
    small = {node.name: node for node in patches.graph.nodes}
    nodes: list[Context] = []
    for name in patches.plan.order:
        if name not in calls:
            nodes.append({"cut": _cut(program, patches.graph, small[name], places)})
            continue
        call = calls[name]
        maps.append(_region(program, call.step.output, patches.regions[call.step.output], places[call.step.output]))
        parts = {part.split(CUT)[0]: part for part in small[name].inputs}
        scratch = program.scratch(call) if call.step.scratch else None
        nodes.append(
            {
                "index": call.index,
                "instance": call.instance.c_name,
                "c_name": call.c_name,
                "cut": None,
                "inputs": [places[parts[operand]] for operand in call.step.inputs],
                "output": places[call.step.output],
                "bytes": patches.plan.buffers[call.step.output].bytes,
                "scratch": scratch.offset if scratch is not None else None,
                "region": len(maps) - 1,
                "padded": patches.regions[call.step.output].fill is not None,
                "inside": call.inside,
            }
        )
    return {
        "number": number,
        "name": f"{stretch.name}_fused_{number}",
        "tiles": patches.grid[1],
        "columns": patches.tile[1],
        "rows": patches.tile[0],
        "last": patches.size[1] - patches.tile[1],
        "regions": maps,
        "takes": list(range(len(patches.takes))),
        "read": sum(len(step.reads) for step in stretch.steps[:number]),
        "nodes": nodes,
        "output": len(maps) - 1,
    }


def _cut(program: Program, small: Graph, node: Node, places: Mapping[str, int]) -> Context:
    """What a node needs of a region that is larger, because others need more of it."""
    (wide,), (part,) = small.ins(node), small.outs(node)
    slot = program.slots[wide.name]
    pixel = slot.bytes // (slot.value.shape[0] * slot.value.shape[1])
    row, column, _ = node.ints("begin")
    step = wide.shape[1] * pixel
    return {
        "to": places[part.name],
        "from": places[wide.name] + row * step + column * pixel,
        "rows": part.shape[0],
        "bytes": part.shape[1] * pixel,
        "step": step,
        "note": comment(part.name),
    }


def _region(program: Program, name: str, region: Region, at: int) -> Context:
    slot = program.slots[name]
    height, width = slot.value.shape[:2]
    fill = zero_code(slot.value) if region.fill is None else region.fill
    return {
        "at": at,
        "pixel_bytes": slot.bytes // (height * width),
        **_fill(slot, fill),
        "numbers": [
            *(region.rows.size, region.columns.size, height, width),
            *(region.rows.scale, region.rows.offset, region.columns.scale, region.columns.offset),
        ],
        "note": comment(name),
    }


def _fill(slot: Slot, code: int) -> Context:
    """A row of one code, as elements of whole bytes."""
    stored = slot.stored
    if not stored.packed:
        return {"fill": code, "element_bytes": stored.bits // 8}
    return {"fill": int(stored.to_bytes(np.full((1, 8 // stored.bits), code))[0, 0]), "element_bytes": 1}


def _values(program: Program, stretch: Stretch, name: str) -> Context:
    rows, slot, area = stretch.rows[name], program.slots[name], program.plan.scratch[stretch.name]
    readers = [i for i, step in enumerate(stretch.steps) if any(w.value == name for w in step.reads)]
    return {
        "at": f"AT_{slot.c_name}" if rows.offset is None else f"{area.offset + rows.offset}u",
        "note": comment(name),
        "row_bytes": rows.row_bytes,
        **_fill(slot, rows.fill),
        "height": rows.height,
        "capacity": rows.capacity,
        "top": rows.top,
        "first_reader": min(readers, default=1),
        "last_reader": max(readers, default=0),
    }
