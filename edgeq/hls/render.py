"""Rendering: a dataflow as C++ for the vendor's tools: the core, its ROMs, the AXI-Stream top, the headers it uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

from edgeq.errors import UnsupportedError
from edgeq.fpga.dataflow import Dataflow, Rom, Stage, Stream
from edgeq.fpga.folding import MOST_WORD
from edgeq.fpga.lower import layer_of
from edgeq.fpga.render import heading_of, unread
from edgeq.hls.library import TemplateParameter, has_function, headers, template_parameters
from edgeq.resources import resource_dir
from edgeq.templating import fill

#: beats that a stream between stages holds where no branch asks for more
DEPTH = 2
#: calls in flight that the mark of a batch's end may wait for
MARKS = 64
#: what a tool may be given as a line of a ROM, in characters
_LINE = 110


@dataclass(frozen=True)
class Border:
    """A stream at the border as AXI-Stream: `width` bits of containers, `step` codes a cycle, `beats` an inference."""

    name: str
    stream: Stream
    width: int

    @property
    def container(self) -> int:
        """Bits that a code takes in memory."""
        for bits in (8, 16, 32):
            if self.stream.bits <= bits:
                return bits
        raise UnsupportedError(
            f"{self.stream.value}: codes of {self.stream.bits} bits; the border carries 32 at most: requantise it"
        )

    @property
    def codes(self) -> int:
        """Codes of one inference."""
        return self.stream.beats * self.stream.lanes

    @property
    def step(self) -> int:
        """Codes that pass in one cycle."""
        return gcd(self.stream.lanes, self.width // self.container)

    @property
    def beats(self) -> int:
        """Beats of one inference."""
        return -(-self.codes * self.container // self.width)


def top_name(flow: Dataflow) -> str:
    """The function that becomes the circuit."""
    return f"{flow.name}_top"


def borders(flow: Dataflow, width: int) -> tuple[tuple[Border, ...], tuple[Border, ...]]:
    """Inputs and outputs as AXI-Streams of so many bits."""
    return (
        tuple(Border(f"in{i}", flow.streams[name], width) for i, name in enumerate(flow.inputs)),
        tuple(Border(f"out{i}", flow.streams[name], width) for i, name in enumerate(flow.outputs)),
    )


def sources(flow: Dataflow, width: int) -> dict[str, str]:
    """File name -> text: core, weights, border, taps and library headers, all for one folder."""
    missing = {s.module for s in flow.stages if s.module != "eq_fifo" and not has_function(s.module)}
    for stage in flow.stages:
        if stage.module in missing:
            raise UnsupportedError(
                f"{layer_of(flow, stage) or stage.name}: there is no {stage.module} in C++ yet; "
                "choose a board whose bitstream is made from Verilog (edgeq boards)"
            )
    for name, bits in _words(flow):
        if bits > MOST_WORD:
            raise UnsupportedError(
                f"{name}: words of {bits:,} bits, and Vitis HLS has {MOST_WORD:,} at most: ask for fewer products"
            )
    context = _context(flow, width)
    templates = resource_dir("templates") / "hls"
    return {
        f"{flow.name}_core.hpp": fill("hls/core.hpp.j2", context),
        f"{flow.name}_core.cpp": fill("hls/core.cpp.j2", context),
        f"{flow.name}_weights.hpp": fill("hls/weights.hpp.j2", context),
        **{name: (templates / name).read_text("utf-8") for name in ("eq_axis.hpp", "eq_tap.hpp")},
        **headers(stage.module for stage in flow.stages if stage.module != "eq_fifo"),
    }


def _words(flow: Dataflow) -> Iterator[tuple[str, int]]:
    """Layer -> bits of the streams that it makes, of its memories, and of what its engine hands on inside."""
    for stage in flow.stages:
        label = layer_of(flow, stage) or stage.name
        for name in stage.sinks():
            yield label, _width(flow.streams[name])
        for rom in _roms(stage):
            yield label, rom.width
        if stage.module in ("eq_mvu", "eq_mvc"):
            yield label, stage.integer("PE" if stage.module == "eq_mvu" else "MH") * stage.integer("ACC_BITS")


def write(flow: Dataflow, folder: Path, width: int) -> tuple[str, ...]:
    """Write the sources; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    found = sources(flow, width)
    for name, text in found.items():
        (folder / name).write_text(text, "utf-8")
    return tuple(found)


def depths(flow: Dataflow) -> dict[str, int]:
    """Stream -> beats that it holds, for those that a FIFO stage follows."""
    return {s.sources()[0]: s.integer("DEPTH") for s in flow.stages if s.module == "eq_fifo"}


def aliases(flow: Dataflow) -> dict[str, str]:
    """What a FIFO stage gives out -> the stream that it takes in: both are one stream in C++."""
    return {s.sinks()[0]: s.sources()[0] for s in flow.stages if s.module == "eq_fifo"}


def _context(flow: Dataflow, width: int) -> dict[str, Any]:
    ins, outs = borders(flow, width)
    alias, deep = aliases(flow), depths(flow)
    outer = {*flow.inputs, *(alias.get(name, name) for name in flow.outputs)}
    inner = [s for s in flow.streams.values() if s.name not in outer and s.name not in alias]
    return {
        "name": flow.name,
        "core": f"{flow.name}_core",
        "top": top_name(flow),
        "graph": " ".join(flow.graph.name.split()),
        "cycles": flow.cycles,
        "multipliers": flow.multipliers,
        "width": width,
        "marks": MARKS,
        "inputs": ins,
        "outputs": outs,
        "arguments": [(argument(s.stream), s.stream.name) for s in ins]
        + [(argument(s.stream), alias.get(s.stream.name, s.stream.name)) for s in outs],
        "streams": [(s, _width(s), deep.get(s.name, DEPTH)) for s in inner],
        "modules": sorted({s.module for s in flow.stages if s.module != "eq_fifo"}),
        "unread": [(flow.streams[name], _width(flow.streams[name])) for name in unread(flow)],
        "layers": list(_stages(flow, alias)),
        "taps": [name for name in flow.inputs if name in flow.values.values()],
        "roms": [(rom.name, rom.width, len(rom.words), list(_rom_lines(rom))) for rom in _all_roms(flow)],
    }


def argument(stream: Stream) -> str:
    """The type of a stream."""
    return f"hls::stream<ap_uint<{_width(stream)}> >"


def _width(stream: Stream) -> int:
    return stream.width + int(stream.inside)


def _stages(flow: Dataflow, alias: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Calls in order, each with a heading where a new layer begins, and the taps behind it."""
    nodes = {node.name: node for node in flow.graph.nodes}
    tapped = set(flow.values.values())
    before = ""
    for stage in flow.stages:
        if stage.module == "eq_fifo":
            continue
        heading = ""
        if stage.node and stage.node != before:
            heading, before = heading_of(flow, stage, nodes[stage.node]), stage.node
        yield {"heading": heading, "lines": call(flow, stage, alias), "taps": [s for s in stage.sinks() if s in tapped]}


def call(flow: Dataflow, stage: Stage, alias: dict[str, str] | None = None) -> list[str]:
    """The call of a stage's function in lines: `eq_x<BEATS, parameters...>(inputs, outputs, ROMs);`."""
    names = [(alias or {}).get(name, name) for name in (*stage.sources(), *stage.sinks())]
    arguments = names + [f"{rom.name}_rom" for rom in _roms(stage)]
    values = [f"/* {p.name} */ {_value(flow, stage, p)}" for p in _scalars(stage)]
    if stage.module == "eq_concat":
        packed, count = stage.integer("BEATS"), stage.integer("N")
        values += [f"/* input {i} */ {packed >> 32 * i & 0xFFFFFFFF}" for i in range(count)]
    return [f"{stage.module}<", *_wrapped(values, "        "), "    >(", *_wrapped(arguments, "        "), "    );"]


def _wrapped(items: list[str], indent: str) -> list[str]:
    lines, line = [], indent
    for i, item in enumerate(items):
        word = item + ("," if i + 1 < len(items) else "")
        if len(line) + len(word) > _LINE and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return [*lines, line.rstrip()]


def _scalars(stage: Stage) -> list[TemplateParameter]:
    """The parameters in the head of a stage's function that are given; the compiler deduces those behind them."""
    found = []
    for parameter in template_parameters(stage.module):
        if parameter.name != "BEATS" and parameter.name not in stage.params and parameter.default is None:
            break
        found.append(parameter)
    return found


def _value(flow: Dataflow, stage: Stage, parameter: TemplateParameter) -> str:
    """A template argument: the stage's, or the default of the function."""
    if parameter.name == "BEATS":
        return str(flow.streams[stage.sinks()[0]].beats)
    if parameter.name == "STAGE":  # what keeps something from call to call is a function of its own
        return str(flow.stages.index(stage))
    value = stage.params.get(parameter.name)
    if isinstance(value, str):
        return f"EQ_{value.upper()}"
    if isinstance(value, int):
        return f"{value}LL" if parameter.type == "long long" else str(value)
    assert parameter.default is not None, "see _scalars"
    return parameter.default


def _roms(stage: Stage) -> list[Rom]:
    """The memories that a stage's function takes, in order; the digits of constant weights are one of them."""
    found = [value for value in stage.params.values() if isinstance(value, Rom)]
    if stage.module != "eq_mvc":
        return found
    fields, count = stage.integer("DIGITS"), stage.integer("MH") * stage.integer("TERMS")
    words = tuple(fields >> 24 * i & 0xFFFFFF for i in range(count))
    return [Rom(f"{stage.name}_digits", 24, words), *found]


def _all_roms(flow: Dataflow) -> Iterator[Rom]:
    for stage in flow.stages:
        yield from _roms(stage)


def _rom_lines(rom: Rom) -> list[str]:
    """The words of a ROM as C++, several a line."""
    digits, mask = -(-rom.width // 4), (1 << rom.width) - 1
    if rom.width > 64:
        words = [f'ap_uint<{rom.width}>("0x{word & mask:0{digits}x}", 16)' for word in rom.words]
    else:
        suffix = "ULL" if rom.width > 31 else ""
        words = [f"0x{word & mask:0{digits}x}{suffix}" for word in rom.words]
    return _wrapped(words, "    ")
