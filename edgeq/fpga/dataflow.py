"""Dataflow: a network as hardware stages joined by streams, the last form before it becomes Verilog.

A value of the graph travels as its codes, row by row with channels last, `lanes` elements a beat, element 0 in the
least significant bits. Inferences follow one another without a mark; every stage counts for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgeq.ir import Graph


@dataclass(frozen=True)
class Stream:
    """A valid/ready link.

    name:   identifier of its wires (`<name>_data`, `<name>_valid`, `<name>_ready`).
    value:  the graph value that it carries, if it carries one.
    bits:   width of an element; signed: whether it is two's complement.
    lanes:  elements in a beat; beats: beats of one inference.
    inside: whether a wire `<name>_inside` goes along (0: the beat is a tap in the padding).
    """

    name: str
    value: str | None
    bits: int
    signed: bool
    lanes: int
    beats: int
    inside: bool = False

    @property
    def width(self) -> int:
        """Bits of a beat."""
        return self.bits * self.lanes


@dataclass(frozen=True)
class Rom:
    """Constant words, not negative, of `width` bits each; the file `<name>.mem`."""

    name: str
    width: int
    words: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Size of the memory."""
        return self.width * len(self.words)


Param = int | str | Rom
#: what a port is joined to: one stream, or several side by side (the first in the low bits)
Port = str | tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """One instance of a module of `hls/rtl`.

    name: identifier; module: the module; node: the graph node that it is part of, or "".
    params: parameter -> number, text or ROM. ins, outs: prefix of the ports ("s", "a", "m") -> stream.
    cycles: what one inference takes at least, in steady state and with its neighbours out of the way.
    """

    name: str
    module: str
    node: str
    params: Mapping[str, Param]
    ins: Mapping[str, Port]
    outs: Mapping[str, Port]
    cycles: int = 0

    def integer(self, key: str) -> int:
        """A parameter that is a number."""
        value = self.params[key]
        assert isinstance(value, int), f"{self.name}.{key}"
        return value

    def sources(self) -> tuple[str, ...]:
        """Streams that it reads, in the order of its ports."""
        return tuple(name for port in self.ins.values() for name in streams_of(port))

    def sinks(self) -> tuple[str, ...]:
        """Streams that it makes, in the order of its ports."""
        return tuple(name for port in self.outs.values() for name in streams_of(port))


def streams_of(port: Port) -> tuple[str, ...]:
    """The streams that a port is joined to."""
    return (port,) if isinstance(port, str) else port


@dataclass(frozen=True)
class Dataflow:
    """A whole network in stages.

    name:    identifier; the top module is `<name>_core`.
    stages:  producers before their consumers.
    streams: by name. inputs, outputs: streams at the border, in the graph's order.
    values:  graph value -> the stream that carries it, for every value that is computed or put in.
    """

    name: str
    graph: Graph
    stages: tuple[Stage, ...]
    streams: Mapping[str, Stream]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Predicted cycles of one inference in steady state: those of the slowest stage."""
        return max((stage.cycles for stage in self.stages), default=1)

    @property
    def multipliers(self) -> int:
        """Multipliers of all engines."""
        return sum(multipliers(stage) for stage in self.stages)

    def producers(self) -> dict[str, Stage]:
        """Stream -> the stage that makes it (none for inputs)."""
        return {name: stage for stage in self.stages for name in stage.sinks()}

    def consumers(self) -> dict[str, list[Stage]]:
        """Stream -> the stages that read it."""
        found: dict[str, list[Stage]] = {name: [] for name in self.streams}
        for stage in self.stages:
            for name in stage.sources():
                found[name].append(stage)
        return found


def multipliers(stage: Stage) -> int:
    """Products that a stage makes in one cycle."""
    if stage.module == "eq_mvu":
        return stage.integer("PE") * stage.integer("SIMD")
    return stage.integer("LANES") if stage.module in ("eq_depthwise", "eq_matmul") else 0


def style_of(stage: Stage) -> str | None:
    """How a stage makes its products: "dsp", "lut", "khot", "constant"; None where it makes none."""
    if stage.module == "eq_mvc":
        return "constant"
    return str(stage.params["STYLE"]) if multipliers(stage) else None


def identifier(name: str, fallback: str = "net") -> str:
    """A Verilog identifier that looks like `name`."""
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or fallback
    return word if word[0].isalpha() else f"{fallback}_{word}"
