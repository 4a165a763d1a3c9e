"""Rendering: a Program as the text of the generated files. The templates only place what is prepared here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.formats import FixedPoint, Format
from edgeq.mcu.literals import array_text, literal, wrapped
from edgeq.mcu.names import comment
from edgeq.mcu.program import Call, Program, Slot
from edgeq.mcu.render_rows import stretch_context
from edgeq.mcu.storage import to_memory
from edgeq.mcu.tiles import tile_bytes
from edgeq.schedule.stream import ALIGNMENT
from edgeq.templating import fill

Context = dict[str, Any]


def source_files(program: Program, vectors: Mapping[str, npt.NDArray[Any]]) -> Iterator[tuple[str, str]]:
    """Path inside the project and text of every file that depends on the network only.

    vectors: one sample, value name -> codes without batch, for every value.
    """
    name = program.name
    context = {**base_context(program), **_network(program), "vectors": list(_vectors(program, vectors))}
    context["hashes"] = _hashes(program, vectors)
    yield f"{name}.h", fill("mcu/header.h.j2", context)
    yield f"{name}.c", fill("mcu/source.c.j2", context)
    yield f"{name}_weights.h", fill("mcu/weights.h.j2", context)
    yield f"{name}_weights.c", fill("mcu/weights.c.j2", context)
    yield f"{name}_vectors.h", fill("mcu/vectors.h.j2", context)
    yield f"{name}_selftest.c", fill("mcu/selftest.c.j2", context)
    yield "port/selftest_main.c", fill("mcu/selftest_main.c.j2", context)
    yield "port/harness_net.c", fill("mcu/harness_net.c.j2", context)


def base_context(program: Program) -> Context:
    """What every template may use."""
    return {
        "name": program.name,
        "NAME": program.name.upper(),
        "title": comment(program.graph.name),
        "board": board_text(program.board),
        "arena_bytes": program.plan.arena_bytes,
        "arena_align": ALIGNMENT,
        "weight_bytes": program.weight_bytes,
        "macs": program.macs,
        "steps": len(program.calls),
    }


def board_text(board: Board) -> str:
    """A board in a few words."""
    return comment(f"{board.name} ({board.core})" if board.core not in (None, board.name) else board.name)


def shape_text(shape: tuple[int, ...]) -> str:
    """8x8x3, or "scalar"."""
    return "x".join(map(str, shape)) or "scalar"


def meaning(fmt: Format) -> str:
    """What a code stands for, for a reader of the header."""
    if isinstance(fmt, FixedPoint):
        return f"{fmt}: real value = code * 2^{-int(fmt.point)}" if isinstance(fmt.point, int) else str(fmt)
    return f"{fmt}: sign, exponent and mantissa from the top bit down; the bits below are the code"


def _network(program: Program) -> Context:
    graph = program.graph
    calls = [_call(program, call) for call in program.calls]
    return {
        "kernels": program.kernels,
        "headers": stream_headers(program),
        "pushed": _pushed(program),
        "stretches": [stretch_context(program, stretch) for stretch in program.plan.stretches],
        "parts": list(_parts(program, calls)),
        "instances": program.instances,
        "slots": [_slot(program, slot) for slot in program.slots.values()],
        "inputs": [_border(program, program.slots[n]) for n in graph.inputs],
        "outputs": [_border(program, program.slots[n]) for n in graph.outputs],
        "calls": calls,
        "constants": [
            {
                "c_name": c.c_name,
                "ctype": c.ctype,
                "count": c.data.size,
                "note": comment(c.note or c.layer),
                "text": array_text(c.data),
            }
            for c in program.constants
        ],
    }


def stream_headers(program: Program) -> list[str]:
    """Headers beside the kernels' that the source includes."""
    fused = any(stretch.fused for stretch in program.plan.stretches)
    return ["edgeq_tiles"] if fused else ["edgeq_stream"] if program.plan.stretches else []


def _parts(program: Program, calls: list[Context]) -> Iterator[Context]:
    """Steps and stretches in the order in which they run."""
    done: set[str] = set()
    for call, context in zip(program.calls, calls, strict=True):
        if call.stretch is None:
            yield {"call": context, "stretch": None}
        elif call.stretch.name not in done:
            done.add(call.stretch.name)
            yield {"call": None, "stretch": call.stretch.name}


def _pushed(program: Program) -> Context | None:
    """The stretch whose source the caller pushes, or None."""
    stretch = program.pushed
    if stretch is None:
        return None
    rows = stretch.rows[stretch.source]
    return {"name": stretch.name, "rows": rows.height, "row_bytes": rows.row_bytes}


def stored_text(slot: Slot) -> str:
    """How the codes of a value lie, for a reader of the source."""
    place = slot.stored
    if not place.packed:
        return place.ctype
    return f"{8 // place.bits} codes of {'signed' if place.signed else 'unsigned'} {place.bits} bits a byte"


def _slot(program: Program, slot: Slot) -> Context:
    plan, place = program.plan, slot.place
    if slot.name not in plan.buffers:
        kept = "some rows" if any(slot.name in stretch.rows for stretch in plan.stretches) else "a tile"
        text = f"{place.bytes} bytes, {kept} of {stored_text(slot)} {shape_text(slot.value.shape)}, {slot.value.format}"
        return {"c_name": slot.c_name, "offset": place.offset, "note": comment(text)}
    life = f"from {plan.label(place.first)} to {plan.label(place.last)}"
    shares = plan.aliases.get(slot.name), plan.in_place.get(slot.name)
    extra = f"; the bytes of {shares[0]}" if shares[0] else f"; overwrites {shares[1]}" if shares[1] else ""
    note = f"{slot.bytes} bytes, {stored_text(slot)} {shape_text(slot.value.shape)}, {slot.value.format}; {life}{extra}"
    return {"c_name": slot.c_name, "offset": place.offset, "note": comment(note)}


def _border(program: Program, slot: Slot) -> Context:
    frac = slot.value.format.frac
    return {
        "c_name": slot.c_name,
        "title": comment(slot.name),
        "shape": shape_text(slot.value.shape),
        "meaning": comment(meaning(slot.value.format)),
        "ctype": slot.stored.ctype,
        "layout": stored_text(slot) if slot.stored.packed else "",
        "elements": slot.value.size,
        "bytes": slot.bytes,
        "frac": frac,
    }


def _call(program: Program, call: Call) -> Context:
    step, slots = call.step, program.slots
    ins = ", ".join(_operand(slots[n]) for n in step.inputs)
    out = slots[step.output]
    title = f"step {call.index}, {layer_text(call)}: {ins} -> {_operand(out)}"
    sharing = ", in place" if step.output in program.plan.in_place else ""
    scratch = program.scratch(call)
    sharing += "" if call.stretch is None else ", row by row" if call.tiles is None else ", tile by tile"
    work = f"{call.macs} MACs, " if call.macs else ""
    room = f", {scratch.bytes} bytes of scratch" if scratch else ""
    return {
        "index": call.index,
        "guard": guard_text(program, call),
        "layer": comment(layer_text(call)),
        "title": comment(title),
        "note": comment(f"{title}; {work}{call.node.op}{sharing}{room}, {step.variant} kernel"),
        "kernel": step.kernel,
        "instance": call.instance.c_name,
        "c_name": call.c_name,
        "inputs": [slots[n].c_name for n in step.inputs],
        "output": out.c_name,
        "scratch": scratch.offset if scratch else None,
        "bytes": out.bytes,
        "tail": hex((1 << out.tail) - 1) if out.tail else "",
        "fields": _fields(program, call),
        "macs": call.macs,
        "out": comment(_operand(out)),
        "variant": comment(step.variant),
        "why": comment(step.brief),
    }


def guard_text(program: Program, call: Call) -> str:
    """The C condition without which a step is left out; "" where it always runs. A code of one bit fills its byte."""
    signs = {1: "!=", 0: "=="}
    return " && ".join(f"a[AT_{program.slots[name].c_name}] {signs[code]} 0u" for name, code in call.guard)


def layer_text(call: Call) -> str:
    """The user's name of a layer, and the node's where it is another."""
    node = call.node
    return node.name if node.source in ("", node.name) else f"{node.name} (layer {node.source})"


def _operand(slot: Slot) -> str:
    return f"{shape_text(slot.value.shape)} {slot.value.format}"


def _fields(program: Program, call: Call) -> str:
    """Designated initialisers of the parameter struct."""
    items = []
    for key, param in call.params():
        if isinstance(param, str):
            items.append(f".{key} = {program.name}_{param}")
        elif isinstance(param, tuple):
            items.append(f".{key} = {{{', '.join(map(literal, param))}}}")
        else:
            assert isinstance(param, int)
            items.append(f".{key} = {literal(param)}")
    return wrapped(items or ["0"])


def _vectors(program: Program, vectors: Mapping[str, npt.NDArray[Any]]) -> Iterator[Context]:
    for kind, names in (("input", program.graph.inputs), ("output", program.graph.outputs)):
        for index, name in enumerate(names):
            value = program.graph.values[name]
            data = to_memory(np.asarray(vectors[name]), value.format)
            yield {
                "kind": kind,
                "index": index,
                "note": comment(f"{name}, {shape_text(value.shape)} {value.format}"),
                "count": data.size,
                "text": array_text(data),
            }


def _hashes(program: Program, vectors: Mapping[str, npt.NDArray[Any]]) -> str:
    """FNV-1a hashes of the bytes that every step shows of its output, as array text; of none where it is left out."""
    found = []
    for call in program.calls:
        slot = program.slots[call.step.output]
        codes = vectors[slot.name]
        data = tile_bytes(program, call, codes) if call.inside else to_memory(codes, slot.value.format).tobytes()
        if any(int(vectors[name].reshape(-1)[0]) != code for name, code in call.guard):
            data = b""
        found.append(f"0x{fnv1a(data):08x}u")
    return wrapped(found) if found else ""


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash (http://www.isthe.com/chongo/tech/comp/fnv)."""
    found = 2166136261
    for byte in data:
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found
