"""Rendering stretches: the tables with which firmware/include/edgeq_stream.h runs them row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeq.mcu.names import comment
from edgeq.mcu.program import Program, Slot
from edgeq.schedule import Stretch

Context = dict[str, Any]


def stretch_context(program: Program, stretch: Stretch) -> Context:
    """What the template says of one stretch; values, reads and steps are numbered inside it."""
    calls = [call for call in program.calls if call.stretch is not None and call.stretch.name == stretch.name]
    numbers = {name: index for index, name in enumerate(stretch.rows)}
    steps: list[Context] = []
    reads: list[Context] = []
    for call, step in zip(calls, stretch.steps, strict=True):
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
            }
        )
        for window in step.reads:
            read = {"value": numbers[window.value], "rows": window.rows, "stride": window.stride, "top": window.top}
            reads.append(read | {"note": comment(f"{step.node}, of {window.value}")})
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
