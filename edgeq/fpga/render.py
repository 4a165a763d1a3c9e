"""Rendering: a dataflow as a folder of Verilog: the core, its memories, the library modules that it uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.errors import FileError
from edgeq.fpga.dataflow import Dataflow, Param, Port, Rom, Stage, Stream, streams_of
from edgeq.fpga.lower import layer_of
from edgeq.fpga.roms import roms, text
from edgeq.ir import Node
from edgeq.resources import resource_dir
from edgeq.templating import fill


@dataclass(frozen=True)
class Rendered:
    """What was written. top: name of the core module; files: Verilog, the core first; memories: .mem files."""

    top: str
    files: tuple[Path, ...]
    memories: tuple[Path, ...]


def write(flow: Dataflow, folder: Path | str, extra: Iterable[str] = ()) -> Rendered:
    """Write `<name>_core.v`, its .mem files and the library modules that it and `extra` need, flat in `folder`.

    $readmemh finds the .mem files where the tool runs in `folder`.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    core = place / f"{flow.name}_core.v"
    core.write_text(core_text(flow), "utf-8")
    memories = []
    for rom in roms(flow):
        memories.append(place / f"{rom.name}.mem")
        memories[-1].write_text(text(rom), "ascii")
    files = [core]
    for name, source in sorted(library({stage.module for stage in flow.stages} | set(extra)).items()):
        files.append(place / f"{name}.v")
        files[-1].write_text(source, "utf-8")
    return Rendered(f"{flow.name}_core", tuple(files), tuple(memories))


_INSTANCE = re.compile(r"\beq_\w+")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@functools.cache
def _module_file(name: str) -> str | None:
    for folder in ("rtl", "sim"):
        path = resource_dir("hls") / folder / f"{name}.v"
        if path.is_file():
            return path.read_text("utf-8")
    return None


def library(names: Iterable[str]) -> dict[str, str]:
    """Text of the named modules and of all that they use, by name."""
    found: dict[str, str] = {}
    todo = set(names)
    while todo:
        name = todo.pop()
        source = _module_file(name)
        if source is None:
            raise FileError(f"module {name}: there is no hls/rtl/{name}.v in this installation; reinstall edgeq")
        found[name] = source
        words = set(_INSTANCE.findall(_COMMENT.sub("", source)))
        todo |= {word for word in words if word not in found and _module_file(word) is not None}
    return found


def core_text(flow: Dataflow, taps: int = 0) -> str:
    """The core module; `taps`: for simulation, with every value watched for so many inferences."""
    stages = list(_stages(flow))
    return fill(
        "rtl/core.v.j2",
        {
            "name": f"{flow.name}_core",
            "graph": flow.graph.name.replace("\n", " "),
            "cycles": flow.cycles,
            "multipliers": flow.multipliers,
            "inputs": [_port(flow.streams[s], f"in{i}") for i, s in enumerate(flow.inputs)],
            "outputs": [{**_port(flow.streams[s], f"out{i}"), "stream": s} for i, s in enumerate(flow.outputs)],
            "streams": [s for s in flow.streams.values() if s.name not in flow.inputs],
            "unread": list(unread(flow)),
            "layers": stages,
            "taps": list(_taps(flow, taps)) if taps else [],
        },
    )


def _port(stream: Stream, name: str) -> dict[str, Any]:
    what = "two's complement" if stream.signed else "unsigned"
    lanes = f"{stream.lanes} elements of " if stream.lanes > 1 else ""
    note = f"{stream.value}: {stream.beats} beats of {lanes}{stream.bits} bits, {what}"
    return {"name": name, "width": stream.width, "note": note}


def unread(flow: Dataflow) -> Iterator[str]:
    """Streams that nothing reads."""
    return (name for name, stages in flow.consumers().items() if not stages and name not in flow.outputs)


def _taps(flow: Dataflow, inferences: int) -> Iterator[dict[str, Any]]:
    """One tap for each stream that carries a value."""
    for name in dict.fromkeys(flow.values.values()):
        stream = flow.streams[name]
        yield {"stream": stream, "file": f"{name}.tap", "total": stream.beats * inferences}


def _stages(flow: Dataflow) -> Iterator[dict[str, Any]]:
    """Instances in order, each with a heading where a new layer begins."""
    nodes = {node.name: node for node in flow.graph.nodes}
    before = ""
    for stage in flow.stages:
        heading = ""
        if stage.node and stage.node != before:
            heading = heading_of(flow, stage, nodes[stage.node])
            before = stage.node
        yield {
            "heading": heading,
            "module": stage.module,
            "name": stage.name,
            "params": [(key, literal(value)) for key, value in stage.params.items()],
            "ports": list(_connections(flow, stage)),
        }


def heading_of(flow: Dataflow, stage: Stage, node: Node) -> str:
    """A comment that says which layer begins: operator, name, shape and format."""
    out = flow.graph.values[node.outputs[0]]
    shape = "x".join(map(str, out.shape))
    return f"{node.op} {layer_of(flow, stage)}: {shape} {out.format}".replace("\n", " ")


def _connections(flow: Dataflow, stage: Stage) -> Iterator[tuple[str, str]]:
    for prefix, port in (*stage.ins.items(), *stage.outs.items()):
        names = streams_of(port)
        for part in ("data", "valid", "ready"):
            yield f"{prefix}_{part}", _joined(names, part)
        if any(flow.streams[name].inside for name in names):
            yield f"{prefix}_inside", _joined(names, "inside")
        elif stage.module == "eq_window" and prefix == "m":
            yield "m_inside", ""


def _joined(names: Sequence[str], part: str) -> str:
    wires = [f"{name}_{part}" for name in reversed(names)]
    return wires[0] if len(wires) == 1 else "{" + ", ".join(wires) + "}"


def literal(value: Param) -> str:
    """A parameter as Verilog."""
    if isinstance(value, Rom):
        return f'"{value.name}.mem"'
    if isinstance(value, str):
        return f'"{value}"'
    if -(1 << 31) <= value < 1 << 31:
        return str(value)
    bits = value.bit_length() + 1
    if value >= 1 << 64:
        return f"{bits}'h{value:x}"  # long decimals take tools long
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


__all__ = ["Port", "Rendered", "core_text", "library", "literal", "write"]
