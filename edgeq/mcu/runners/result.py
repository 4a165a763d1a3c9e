"""What a run of an image answers, and how the harness's files and exit statuses become one clear line."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.toolchains.elf import Image

STATS_WORDS = 8
STATS_MAGIC = 0x54535145  # "EQST", see firmware/ports/harness.c
EXIT_INIT, EXIT_RUN, EXIT_INPUT, EXIT_STACK, EXIT_OUTPUT, EXIT_FAULT = 1, 2, 3, 4, 5, 112
DEFAULT_TIMEOUT_S = 120.0
_FAULT = re.compile(r"edgeq: fault at pc (0x[0-9a-f]{8}) cause (0x[0-9a-f]{8})")


@dataclass(frozen=True)
class Counts:
    """Instructions executed inside `run`, without the harness around it.

    `total` is the sum over all samples and `regions` the figure of each; `per_layer` is keyed by step, with -1
    for what came after the last step's hook (empty without EDGEQ_PROFILE hooks: then all is in -1), and
    `per_function` by function name; each of the two adds up to `total`. In a build with EDGEQ_PROFILE the calls
    of the hook are counted (a few instructions a step) but not what the hook does. `cycles_estimated` comes from
    a crude model of the Cortex-M3/M4 pipeline over the executed instructions, None for cores it does not fit.
    `method` names the counter; `exact` is False where it is known to miss some instructions.
    """

    total: int
    regions: tuple[int, ...]
    per_layer: Mapping[int, int]
    per_function: Mapping[str, int]
    cycles_estimated: int | None
    cycles_per_layer: Mapping[int, int]
    method: str
    exact: bool

    @property
    def per_run(self) -> float:
        """Instructions of one call of `run`, on average over the samples."""
        return self.total / len(self.regions)


@dataclass(frozen=True)
class RunResult:
    """What came out of a run that ended well.

    `outputs` holds the output bytes of all samples, `trace` the bytes of every step in order (only from an image
    built with EDGEQ_TRACE), `stack_peak` the bytes of stack that init or run used below the harness's own frame,
    `stack_room` the bytes there were, `text` what the firmware printed.
    """

    outputs: bytes
    trace: bytes
    samples: int
    stack_peak: int
    stack_room: int
    exit_code: int
    text: str
    counts: Counts | None
    runner: str


class Runner(Protocol):
    """An emulator of one board."""

    name: str
    board: Board

    def run(
        self,
        elf: Path,
        inputs: bytes,
        trace: bool = False,
        count: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> RunResult:
        """Run the image over all samples in `inputs`; `ToolError` when it does not end well."""
        ...


@dataclass(frozen=True)
class Stats:
    """The words of edgeq_stats.bin."""

    samples: int
    init_status: int
    run_status: int
    stack_peak: int
    stack_room: int
    input_bytes: int


def parse_stats(data: bytes) -> Stats | None:
    """Read edgeq_stats.bin; None when it is missing or not ours."""
    if len(data) != 4 * STATS_WORDS:
        return None
    magic, version, samples, init, run, peak, room, input_bytes = struct.unpack("<IIIiiIII", data)
    if magic != STATS_MAGIC or version != 1:
        return None
    return Stats(samples, init, run, peak, room, input_bytes)


def exit_error(where: str, image: Image, exit_code: int, text: str, stats: Stats | None) -> ToolError:
    """Return the error that says what a nonzero exit status of the harness means."""
    fault = _FAULT.search(text)
    if exit_code == EXIT_FAULT and fault:
        pc, cause = int(fault[1], 16), int(fault[2], 16)
        kind = ("HardFault" if cause == 3 else f"exception {cause}") if image.is_arm else f"trap, mcause {cause}"
        return ToolError(
            f"{where}: {kind} at pc {pc:#010x} in {image.function_at(pc)}; look at that function's memory accesses"
        )
    known = stats or Stats(0, 0, 0, 0, 0, 0)
    look = "look it up in the network's header"
    facts = {
        EXIT_INIT: f"init returned status {known.init_status}; {look}",
        EXIT_RUN: f"run returned status {known.run_status} at sample {known.samples}; {look}",
        EXIT_INPUT: f"the input ends inside sample {known.samples}; each sample has {known.input_bytes} bytes",
        EXIT_STACK: f"the stack ran out ({known.stack_peak} bytes used); choose a board with more RAM",
        EXIT_OUTPUT: "a result file could not be written; is the disk full?",
    }
    fact = facts.get(exit_code, f"exit status {exit_code}: {last_line(text)}")
    return ToolError(f"{where}: {fact}")


def last_line(text: str) -> str:
    """Return the last line of `text` that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


def make_result(
    where: str,
    image: Image,
    files: Mapping[str, bytes],
    exit_code: int,
    text: str,
    trace: bool,
    counts: Counts | None,
) -> RunResult:
    """Turn what a runner collected into a `RunResult`, or raise `ToolError`."""
    stats = parse_stats(files.get("edgeq_stats.bin", b""))
    if exit_code != 0:
        raise exit_error(where, image, exit_code, text, stats)
    if stats is None:
        raise ToolError(f"{where}: ended without a report; was the image linked with the harness?")
    if trace and "edgeq_trace.bin" not in files:
        raise ToolError(f"{where}: wrote no trace; build the image with -DEDGEQ_TRACE")
    return RunResult(
        outputs=files.get("edgeq_out.bin", b""),
        trace=files.get("edgeq_trace.bin", b"") if trace else b"",
        samples=stats.samples,
        stack_peak=stats.stack_peak,
        stack_room=stats.stack_room,
        exit_code=exit_code,
        text=text,
        counts=counts,
        runner=where,
    )
