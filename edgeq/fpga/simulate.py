"""Simulation: the rendered core in Verilator, or in Icarus Verilog, with every stream that carries a value watched."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgeq.errors import InputError, ToolError
from edgeq.fpga.dataflow import Dataflow, Port, Stage, Stream
from edgeq.fpga.render import core_text, library
from edgeq.fpga.roms import roms, text
from edgeq.fpga.taps import Codes, beats_text, first_missing, read_taps, trace_of
from edgeq.resources import resource_dir
from edgeq.templating import fill

TOOLS = ("verilator", "iverilog")
#: modules of hls/sim that a bench uses
_BENCH = ("eq_tap", "eq_source", "eq_sink")
_LIMIT_S = 3600


@dataclass(frozen=True)
class Simulated:
    """What a simulation showed.

    trace:   value -> codes, batch first, for every value that a stream carries.
    cycles:  of one inference in steady state: the distance of the ends of the last two (of the only one: its latency).
    latency: from the first beat of the first inference to its last output.
    ends:    the cycle in which each inference was complete, at the output that was last.
    """

    trace: dict[str, Codes]
    cycles: int
    latency: int
    ends: tuple[int, ...]


def find_tool(tool: str | None = None) -> str:
    """The simulator to use; ToolError where it is missing."""
    for name in (tool,) if tool else TOOLS:
        if name not in TOOLS:
            raise InputError(f"simulator {name!r}: unknown; choose one of {', '.join(TOOLS)}")
        if shutil.which(name):
            return name
    raise ToolError(
        f"no simulator for Verilog: {tool or ' and '.join(TOOLS)} not found; install one, "
        "e.g. apt-get install verilator"
    )


@dataclass(frozen=True)
class Simulator:
    """A dataflow that is built for simulation; `run` feeds it.

    folder: where it was built; tool: the simulator; stalls: share of cycles in which the borders pause, 0 to 0.9.
    """

    flow: Dataflow
    folder: Path
    tool: str
    stalls: float = 0.0

    def run(self, inputs: Mapping[str, npt.NDArray[Any]], seed: int = 0) -> Simulated:
        """Run a batch of input codes, back to back."""
        flow = self.flow
        count = next(iter(inputs.values())).shape[0]
        for i, name in enumerate(flow.inputs):
            value = flow.graph.inputs[i]
            (self.folder / f"in{i}.beats").write_text(beats_text(flow.streams[name], inputs[value]), "ascii")
        _write_design(flow, self.folder, count)
        _write_bench(flow, self.folder, count, self.stalls, seed)
        _build(self.tool, self.folder)
        _execute(self.tool, self.folder)
        return _collect(flow, self.folder, count)


def simulate(
    flow: Dataflow,
    inputs: Mapping[str, npt.NDArray[Any]],
    *,
    tool: str | None = None,
    stalls: float = 0.0,
    inner_stalls: bool = False,
    seed: int = 0,
    folder: Path | None = None,
) -> Simulated:
    """Run a batch of input codes (graph layout, batch first) through the Verilog of a dataflow.

    tool:   "verilator", "iverilog", or None for the first that is there.
    stalls: share of cycles in which inputs and outputs pause (random); inner_stalls: every stream inside, too.
    folder: where to build; a temporary folder by default.
    Raises ToolError where the simulator is missing or fails, and where the circuit stops before all is out: the
    message names the first layer whose stream is incomplete.
    """
    chosen = find_tool(tool)
    with tempfile.TemporaryDirectory(prefix="edgeq-rtl-") as temporary:
        place = Path(folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        stalled = with_stalls(flow, stalls, seed) if inner_stalls else flow
        return Simulator(stalled, place, chosen, stalls).run(inputs, seed)


def with_stalls(flow: Dataflow, share: float, seed: int = 0) -> Dataflow:
    """The same dataflow with random pauses in every stream inside."""
    streams, stages, late = dict(flow.streams), [], {}
    for name, stream in flow.streams.items():
        if name not in flow.inputs and not stream.inside:
            late[name] = f"{name}_stalled"
            streams[late[name]] = replace(stream, name=late[name], value=None)

    def moved(port: Port) -> Port:
        return tuple(late.get(n, n) for n in port) if isinstance(port, tuple) else late.get(port, port)

    for stage in flow.stages:
        stages.append(replace(stage, ins={p: moved(s) for p, s in stage.ins.items()}))
        for name in stage.sinks():
            if name in late:
                params = {"WIDTH": streams[name].width, "STALL": round(share * 256), "SEED": _seed(seed, len(stages))}
                stages.append(Stage(f"{name}_stall_i", "eq_stall", "", params, {"s": name}, {"m": late[name]}))
    outputs = tuple(late.get(name, name) for name in flow.outputs)
    return replace(flow, stages=tuple(stages), streams=streams, outputs=outputs)


def _seed(seed: int, number: int) -> int:
    return (seed * 7919 + number * 104729 + 1) & 0x7FFFFFFF


def _write_design(flow: Dataflow, folder: Path, inferences: int) -> None:
    (folder / f"{flow.name}_core.v").write_text(core_text(flow, taps=inferences), "utf-8")
    for rom in roms(flow):
        (folder / f"{rom.name}.mem").write_text(text(rom), "ascii")
    for name, source in library({stage.module for stage in flow.stages} | set(_BENCH)).items():
        (folder / f"{name}.v").write_text(source, "utf-8")


def _write_bench(flow: Dataflow, folder: Path, inferences: int, stalls: float, seed: int) -> None:
    def port(stream: Stream, name: str, number: int) -> dict[str, Any]:
        return {"name": name, "width": stream.width, "beats": stream.beats, "seed": _seed(seed, number)}

    slow = int(1 / max(1e-3, 1 - stalls)) ** 2
    context = {
        "core": f"{flow.name}_core",
        "inferences": inferences,
        "stall": round(stalls * 256),
        "patience": (sum(s.cycles for s in flow.stages) + 2_000) * 2 * slow,
        "inputs": [port(flow.streams[s], f"in{i}", i) for i, s in enumerate(flow.inputs)],
        "outputs": [port(flow.streams[s], f"out{i}", 100 + i) for i, s in enumerate(flow.outputs)],
    }
    (folder / "bench.v").write_text(fill("rtl/bench.v.j2", context), "utf-8")


def _build(tool: str, folder: Path) -> None:
    files = sorted(path.name for path in folder.glob("*.v"))
    if tool == "iverilog":
        call(["iverilog", "-g2005", "-s", "clock", "-o", "bench.vvp", *files], folder, "build.log")
        return
    shutil.copy(resource_dir("hls") / "sim" / "clock.cpp", folder / "clock.cpp")
    options = "--cc --exe --build --top-module bench --Mdir obj --default-language 1364-2005 -Wno-fatal -Wno-lint "
    options += "-Wno-style --x-assign fast --x-initial fast -O3 -CFLAGS -O1"
    call(["verilator", *options.split(), "clock.cpp", *files], folder, "build.log")


def _execute(tool: str, folder: Path) -> None:
    command = ["vvp", "-n", "bench.vvp"] if tool == "iverilog" else [str(folder / "obj" / "Vbench")]
    call(command, folder, "run.log")


def call(command: list[str], folder: Path, log: str) -> None:
    """Run a tool in the folder; its output goes to the log; ToolError with the first line that says error."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command[0]}: not done after {_LIMIT_S} s; verify fewer samples") from None
    output = done.stdout + done.stderr
    (folder / log).write_text(output, "utf-8")
    if done.returncode:
        line = next(
            (x for x in output.splitlines() if "rror" in x), (output.strip().splitlines() or ["no message"])[-1]
        )
        raise ToolError(f"{Path(command[0]).name}: exit status {done.returncode}: {line}; log: {folder / log}")


def _collect(flow: Dataflow, folder: Path, count: int) -> Simulated:
    taps = read_taps(flow, folder)
    ends = _ends(flow, folder)
    missing = first_missing(flow, taps, count)
    if len(ends) < count or missing:
        why = missing or "though every layer gave all its elements"
        raise ToolError(f"simulation stopped after {len(ends)} of {count} inferences: {why}")
    begin = min(int((folder / f"in{i}.log").read_text("ascii").split()[0]) for i in range(len(flow.inputs)))
    latency = ends[0] - begin
    return Simulated(trace_of(flow, taps, count), ends[-1] - ends[-2] if count > 1 else latency, latency, ends)


def _ends(flow: Dataflow, folder: Path) -> tuple[int, ...]:
    logs = [(folder / f"out{i}.log").read_text("ascii").split() for i in range(len(flow.outputs))]
    return tuple(max(int(cycle) for cycle in cycles) for cycles in zip(*logs, strict=False))
