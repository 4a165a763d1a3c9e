"""Run one module of hls/rtl in a simulator: beats in, beats out, random gaps and back-pressure, protocol checked.

    result = run("eq_fifo", {"WIDTH": 8, "DEPTH": 4}, {"s": Source(8, [1, 2, 3])}, {"m": Sink(8, 3)}, stalls=(30, 50))
    assert result.beats["m"] == [1, 2, 3]

A beat is one integer; `fields` splits it over several ports of a stream (first field in the least significant bits).
A port that carries several streams side by side (`s_data[N*W-1:0]`, `s_valid[N-1:0]`) is described by `index`:
sources and sinks named "s[0]", "s[1]", ... of equal width share the ports of "s".
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RTL = Path(__file__).parents[2] / "hls" / "rtl"

#: (suffix of the port, bits); the only field of most streams is their data
Fields = tuple[tuple[str, int], ...]

needs_simulator = pytest.mark.skipif(
    not (shutil.which("iverilog") or shutil.which("verilator")), reason="neither iverilog nor verilator is installed"
)


@dataclass(frozen=True)
class Source:
    """A stream into the module: bits of a beat and the beats; negative integers are taken modulo 2^width."""

    width: int
    beats: Sequence[int]
    fields: Fields = ()


@dataclass(frozen=True)
class Sink:
    """A stream out of the module: bits of a beat and how many beats are awaited; one more is an error."""

    width: int
    count: int
    fields: Fields = ()


@dataclass
class Result:
    """What came out: beats of every sink, the cycle of each, and the cycle of each beat that was taken in."""

    beats: dict[str, list[int]] = field(default_factory=dict)
    cycles: dict[str, list[int]] = field(default_factory=dict)


class HarnessError(AssertionError):
    """The module broke the protocol, hung, or could not be built."""


def pack(values: Sequence[int], bits: int) -> int:
    """Elements of one beat, the first in the least significant bits."""
    return sum((int(value) & ((1 << bits) - 1)) << (index * bits) for index, value in enumerate(values))


def beats_of(values: Sequence[int], lanes: int, bits: int) -> list[int]:
    """A row of elements as beats of `lanes` elements."""
    assert len(values) % lanes == 0
    return [pack(values[start : start + lanes], bits) for start in range(0, len(values), lanes)]


def elements(beats: Sequence[int], lanes: int, bits: int, signed: bool) -> list[int]:
    """The elements of beats, in order; `signed`: two's complement."""
    half = 1 << (bits - 1) if signed else 0
    mask = (1 << bits) - 1
    return [(((beat >> (lane * bits)) & mask) ^ half) - half for beat in beats for lane in range(lanes)]


def memory(words: Sequence[int], width: int) -> str:
    """The text of a .mem file for `$readmemh`."""
    digits = (width + 3) // 4
    return "".join(f"{int(word) & ((1 << width) - 1):0{digits}x}\n" for word in words)


def run(
    module: str,
    parameters: Mapping[str, int | str],
    sources: Mapping[str, Source],
    sinks: Mapping[str, Sink],
    *,
    files: Mapping[str, str] | None = None,
    stalls: tuple[int, int] = (0, 0),
    seed: int = 1,
    patience: int = 20_000,
    restart: int = 0,
    simulator: str | None = None,
    extra: Sequence[Path] = (),
    defines: Sequence[str] = (),
) -> Result:
    """Simulate one module until every sink has its beats, and some cycles more.

    stalls: percent of the cycles in which a source has nothing, and in which a sink takes nothing.
    files: contents of memory files by name; a string parameter names one of them.
    restart: the cycle of a second reset; all sources begin again then, and what came out before does not count.
    patience: cycles without any transfer after which the module counts as hung.
    extra, defines: more Verilog files, and macros.
    simulator: "iverilog" (default where it is there: it builds in a tenth of a second) or "verilator" (long runs).
    """
    simulator = simulator or ("iverilog" if shutil.which("iverilog") else "verilator")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for name, text in (files or {}).items():
            (here / name).write_text(text)
        for name, source in sources.items():
            (here / f"{_word(name)}.hex").write_text(memory(source.beats, source.width) or "0\n")
        (here / "bench.v").write_text(_bench(module, parameters, sources, sinks, stalls, seed, patience, restart))
        log = _simulate(here, simulator, extra, defines)
        return _read(here, log, sources, sinks)


def _simulate(here: Path, simulator: str, extra: Sequence[Path], defines: Sequence[str]) -> str:
    """Build and run the bench in a folder; the simulator's output."""
    # a search path and not a list of files: a bench depends on the modules that it uses only
    library = [*(f"-D{name}" for name in defines), "-y", str(RTL), *map(str, extra)]
    if simulator == "iverilog":
        build = ["iverilog", "-g2005", "-Wimplicit", "-s", "bench", "-o", "bench.vvp", "bench.v", *library]
        start = ["vvp", "-n", "bench.vvp"]
    else:
        build = ["verilator", "--binary", "--timing", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
        build += ["--top-module", "bench", "-Mdir", "obj", "bench.v", *library]
        start = ["obj/Vbench"]
    built = subprocess.run(build, cwd=here, capture_output=True, text=True, check=False, timeout=600)
    if built.returncode or (simulator == "iverilog" and _warnings(built.stderr, extra)):
        raise HarnessError(f"{simulator}: {built.stdout}{built.stderr}")
    done = subprocess.run(start, cwd=here, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise HarnessError(done.stdout + done.stderr)
    return done.stdout


def _warnings(text: str, extra: Sequence[Path]) -> bool:
    """Whether a compiler warned about a file of ours, not one of `extra` (models of cells are others' work)."""
    return any("warning" in line and not line.startswith(tuple(map(str, extra))) for line in text.splitlines())


def _read(here: Path, log: str, sources: Mapping[str, Source], sinks: Mapping[str, Sink]) -> Result:
    """Beats and cycles from the files that the bench wrote."""
    if errors := re.findall(r"^ERROR.*", log, re.MULTILINE):
        raise HarnessError("\n".join(errors[:8]))
    result = Result()
    for name in [*sources, *sinks]:
        rows = [line.split() for line in (here / f"{_word(name)}.out").read_text().splitlines()]
        for row in rows:
            if "x" in row[1] or "z" in row[1]:
                raise HarnessError(f"{name}: undefined bits in beat {row[1]} of cycle {row[0]}")
        result.beats[name] = [int(row[1], 16) for row in rows]
        result.cycles[name] = [int(row[0]) for row in rows]
    for name, source in sources.items():
        if len(result.beats[name]) != len(source.beats):
            raise HarnessError(f"{name}: {len(result.beats[name])} of {len(source.beats)} beats were taken")
    return result


def _word(name: str) -> str:
    """A stream's name as an identifier: "s[1]" -> "s_at1"."""
    return name.replace("[", "_at").replace("]", "")


def _ports(streams: Mapping[str, Source | Sink], into: bool) -> list[str]:
    """Connections of the module's stream ports to the bench's wires."""
    groups: dict[str, list[str]] = {}
    for name in streams:
        groups.setdefault(name.split("[")[0], []).append(name)
    lines = []
    for prefix, names in groups.items():
        words = [_word(name) for name in reversed(names)]
        start = 0
        for suffix, bits in streams[names[0]].fields or (("data", streams[names[0]].width),):
            parts = ", ".join(f"{word}_data[{start} +: {bits}]" for word in words)
            lines.append(f".{prefix}_{suffix}({{{parts}}})")
            start += bits
        lines.append(f".{prefix}_valid({{{', '.join(f'{word}_valid' for word in words)}}})")
        lines.append(f".{prefix}_ready({{{', '.join(f'{word}_ready' for word in words)}}})")
    return lines


def _constant(value: int | str) -> str:
    """A parameter as Verilog; integers too wide for a plain number in hexadecimal."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if value.bit_length() < 64 else f"{value.bit_length()}'h{value:x}"


def _bench(
    module: str,
    parameters: Mapping[str, int | str],
    sources: Mapping[str, Source],
    sinks: Mapping[str, Sink],
    stalls: tuple[int, int],
    seed: int,
    patience: int,
    restart: int,
) -> str:
    """The bench's text: one process per stream, so that each stalls on its own."""
    constants = {name: _constant(value) for name, value in parameters.items()}
    values = [f".{name}({value})" for name, value in constants.items()]
    ports = ["\n        .clk(clk), .rst(rst)", *_ports(sources, True), *_ports(sinks, False)]
    parts = [_source(_word(name), source, stalls[0]) for name, source in sources.items()]
    parts += [_sink(_word(name), sink, stalls[1]) for name, sink in sinks.items()]
    full = " && ".join(f"{_word(name)}_n >= {sink.count}" for name, sink in sinks.items())
    moves = " || ".join(f"({_word(name)}_valid && {_word(name)}_ready)" for name in [*sources, *sinks])
    state = ", ".join(f'" {name}=%0d", {_word(name)}_n' for name in [*sources, *sinks])
    closes = " ".join(f"$fclose({_word(name)}_file);" for name in [*sources, *sinks])
    return f"""// bench of {module}
`timescale 1ns/1ps
module bench;
    reg clk = 0, rst = 1;
    integer seed = {seed}, cycle = 0, idle = 0, after = 0, errors = 0;
    always #5 clk = !clk;
    task error(input [8*64-1:0] what);
        begin errors = errors + 1; $display("ERROR %0s in cycle %0d", what, cycle); end
    endtask
{"".join(parts)}
    {module} #({", ".join(values)}) dut ({(", " + chr(10) + "        ").join(ports)}
    );
    always @(posedge clk) begin
        cycle <= cycle + 1;
        rst <= cycle < 3 || cycle == {restart};
        idle <= ({moves}) === 1'b1 ? 0 : idle + 1;
        if (errors > 8) begin {closes} $finish; end
        if (idle > {patience}) begin
            $display("ERROR hung in cycle %0d, beats so far:", cycle, {state}); {closes} $finish;
        end
        after <= ({full}) && !rst ? after + 1 : 0;
        if (after == 64) begin {closes} $finish; end
    end
endmodule
"""


def _source(name: str, source: Source, stall: int) -> str:
    """A process that offers the beats of a file, with gaps, and keeps a beat until it is taken."""
    count = len(source.beats)
    return f"""
    reg [{source.width}-1:0] {name}_mem [0:{max(count, 1) - 1}];
    reg {name}_valid = 0;
    wire {name}_ready;
    integer {name}_n = 0, {name}_file;
    wire [{source.width}-1:0] {name}_data = {name}_valid ? {name}_mem[{name}_n] : {{{source.width}{{1'bx}}}};
    initial begin $readmemh("{name}.hex", {name}_mem); {name}_file = $fopen("{name}.out"); end
    always @(posedge clk) if (!rst) begin
        if ({name}_valid && {name}_ready) begin
            {name}_n <= {name}_n + 1;
            $fwrite({name}_file, "%0d %h\\n", cycle, {name}_data);
        end
        if (!{name}_valid || {name}_ready)
            {name}_valid <= {name}_n + ({name}_valid ? 1 : 0) < {count} && $unsigned($random(seed)) % 100 >= {stall};
        if ({name}_ready === 1'bx) error("{name}_ready is undefined");
    end else begin
        {name}_n <= 0; {name}_valid <= 0; $fclose({name}_file); {name}_file = $fopen("{name}.out");
    end
"""


def _sink(name: str, sink: Sink, stall: int) -> str:
    """A process that takes beats now and then, and checks that a beat stays until it is taken."""
    return f"""
    wire [{sink.width}-1:0] {name}_data;
    wire {name}_valid;
    reg {name}_ready = 0, {name}_held = 0, {name}_seen = 0;
    reg [{sink.width}-1:0] {name}_before;
    integer {name}_n = 0, {name}_file;
    initial {name}_file = $fopen("{name}.out");
    always @(posedge clk) if (!rst) begin
        if ({name}_valid === 1'bx) error("{name}_valid is undefined");
        if ({name}_held && !({name}_valid && {name}_data === {name}_before))
            error("{name} changed before it was taken");
        {name}_held <= {name}_valid && !{name}_ready;
        {name}_before <= {name}_data;
        if ({name}_valid && {name}_ready) begin
            if ({name}_n >= {sink.count}) error("{name}: a beat too many");
            {name}_n <= {name}_n + 1;
            $fwrite({name}_file, "%0d %h\\n", cycle, {name}_data);
        end
        {name}_ready <= $unsigned($random(seed)) % 100 >= {stall};
    end else begin
        {name}_n <= 0; {name}_held <= 0; $fclose({name}_file); {name}_file = $fopen("{name}.out");
    end
    // valid must not depend on ready within a cycle: turn ready over for a moment between two edges
    always @(negedge clk) if (!rst) begin
        {name}_seen = {name}_valid; {name}_ready = !{name}_ready;
        #1 if ({name}_valid !== {name}_seen) error("{name}_valid depends on {name}_ready");
        {name}_ready = !{name}_ready;
    end
"""
