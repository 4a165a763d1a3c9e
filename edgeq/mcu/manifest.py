"""manifest.json: what a build holds, for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq import __version__
from edgeq.folders import KIND

if TYPE_CHECKING:
    from edgeq.mcu.build import BuildResult
    from edgeq.mcu.program import Call, Constant, Program, Slot

VERSION = 1


def make_manifest(result: BuildResult) -> dict[str, Any]:
    """The manifest of a build as a JSON object; paths in it are relative to the project."""
    program = result.program
    graph = program.graph
    return {
        "kind": KIND,
        "version": VERSION,
        "edgeq": __version__,
        "network": graph.name,
        "name": program.name,
        "board": result.board.name,
        "core": result.board.core,
        "toolchain": result.toolchain,
        "optimize": result.optimize,
        "elf": _relative(result.elf, result.path),
        "library": _relative(result.library, result.path),
        "flash": result.flash,
        "ram": result.ram,
        "arena": result.arena,
        "stack": result.stack,
        "sizes": dict(result.sizes),
        "macs": program.macs,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "values": {name: _value(slot) for name, slot in program.slots.items()},
        "steps": [_step(program, call) for call in program.calls],
        "constants": [_constant(c) for c in program.constants],
        "schedule": program.reason,
        "pushed_rows": program.pushed is not None,
        "plan": program.plan.to_json(),
    }


def _relative(path: Path | None, folder: Path) -> str | None:
    return None if path is None else path.relative_to(folder).as_posix()


def _value(slot: Slot) -> dict[str, Any]:
    return {
        "c_name": slot.c_name,
        "offset": slot.place.offset,
        "bytes": slot.bytes,
        "type": slot.stored.ctype,
        "bits": slot.stored.bits,
        "shape": list(slot.value.shape),
        "format": slot.value.format.to_json(),
        "source": slot.value.source,
    }


def _step(program: Program, call: Call) -> dict[str, Any]:
    step = call.step
    return {
        "index": call.index,
        "node": call.node.name,
        "source": call.node.source,
        "op": call.node.op,
        "kernel": step.kernel,
        "variant": step.variant,
        "why": step.why,
        "inputs": list(step.inputs),
        "output": step.output,
        "bytes": program.slots[step.output].bytes,
        "scratch": step.scratch,
        "macs": call.macs,
        "weight_bytes": sum(c.bytes for c in call.constants.values()),
    }


def _constant(constant: Constant) -> dict[str, Any]:
    return {
        "c_name": constant.c_name,
        "type": constant.ctype,
        "count": int(constant.data.size),
        "bytes": constant.bytes,
        "layer": constant.layer,
    }
