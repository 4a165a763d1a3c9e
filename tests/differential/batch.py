"""Many generated projects in one program: the code of each network as it ships, run one after the other.

The harness that checks one network (firmware/ports) runs a batch unchanged: to it, the batch is one network whose
inputs, steps and outputs are those of all its members in turn. So one compile job, one link and one start of an
emulator serve dozens of random graphs, on this computer, under the sanitizers and on emulated boards.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board, load_board
from edgeq.errors import ToolError
from edgeq.ir import Graph, check
from edgeq.mcu.execute import mask_left_out
from edgeq.mcu.host import WARNINGS
from edgeq.mcu.packing import sharers
from edgeq.mcu.program import Program, make_program
from edgeq.mcu.project import needed_headers
from edgeq.mcu.render import source_files
from edgeq.mcu.runners import pick_runner
from edgeq.mcu.scheduling import Schedule
from edgeq.mcu.toolchains import find_toolchain
from edgeq.mcu.toolchains.ports import ports_dir
from tests.differential.cases import Case, Trace

#: changes a generated file (path inside the project, text) before it is compiled, to show that a fault is found
Mutate = Callable[[str, str], str]
TIMEOUT_S = 300.0
HOST = load_board("host")
TEMPLATE = Path(__file__).with_name("batch.c")


@dataclass(frozen=True)
class Batch:
    """Generated sources of several networks in `folder`; `sources` are the C files to compile and link together."""

    folder: Path
    cases: Sequence[Case]
    programs: Sequence[Program]
    sources: Sequence[Path]

    @property
    def trace_bytes(self) -> int:
        """Bytes of the outputs of all steps of all networks, for one sample."""
        return sum(p.slots[c.step.output].bytes for p in self.programs for c in p.calls)

    @property
    def input_bytes(self) -> bytes:
        """What the harness reads: sample after sample, network after network."""
        rows = [
            program.slots[name].stored.to_bytes(case.inputs[name])
            for case, program in zip(self.cases, self.programs, strict=True)
            for name in case.graph.inputs
        ]
        return np.concatenate(rows, axis=1).tobytes()


def write_batch(cases: Sequence[Case], folder: Path, board: Board = HOST, mutate: Mutate | None = None) -> Batch:
    """Generate the sources of all cases. They must have different names and the same number of samples."""
    assert len({case.graph.name for case in cases}) == len(cases)
    assert len({case.samples for case in cases}) == 1
    programs = [make_program(case.graph, board, schedule_of(i, case.graph, board)) for i, case in enumerate(cases)]
    for program in programs:
        for path, text in source_files(program, _no_vectors(program)):
            file = folder / program.name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text if mutate is None else mutate(path, text), "utf-8")
    # All networks share one copy of the kernels, which they find on the include path.
    (folder / "edgeq").mkdir(parents=True, exist_ok=True)
    for header in needed_headers({kernel for program in programs for kernel in program.kernels}):
        text, path = header.read_text("utf-8"), f"edgeq/{header.name}"
        (folder / path).write_text(text if mutate is None else mutate(path, text), "utf-8")
    return Batch(folder, cases, programs, _units(programs, folder))


def schedule_of(number: int, graph: Graph, board: Board = HOST) -> Schedule:
    """How the case of that number runs: what may share bytes does so in all cases of three, in none, or by chance.

    Every second one with little scratch.
    """
    packing: str | frozenset[str] = ("all", "fast", "some")[number % 3]
    if packing == "some":
        rng = np.random.default_rng(number)
        known = sharers(graph, check(graph), board.isa)
        packing = frozenset[str]().union(*(one.names for one in known if rng.random() < 0.5))
    return Schedule(packing=packing, tight=number % 2 == 1)


def _no_vectors(program: Program) -> dict[str, npt.NDArray[np.int64]]:
    """The self-test is not compiled here, so its sample is zeros."""
    return {name: np.zeros(slot.value.shape, dtype=np.int64) for name, slot in program.slots.items()}


def _units(programs: Sequence[Program], folder: Path) -> list[Path]:
    """Translation units: one for each network with its harness table, one with all weights, one for the batch.

    Weights are apart from the code that reads them, as in a project, so that no compiler folds them in.
    """
    units = []
    for program in programs:
        units.append(folder / f"{program.name}_unit.c")
        units[-1].write_text(
            f"#define eq_harness_net {program.name}_harness\n#define edgeq_arena {program.name}_arena\n"
            f"#if defined(EDGEQ_BATCH_GUARD)\n#define edgeq_trace {program.name}_trace\n#endif\n"
            f'#include "{program.name}/{program.name}.c"\n#include "{program.name}/port/harness_net.c"\n'
        )
    weights, table = folder / "weights_unit.c", folder / "batch_unit.c"
    weights.write_text("".join(f'#include "{p.name}/{p.name}_weights.c"\n' for p in programs))
    table.write_text(_table(programs) + TEMPLATE.read_text("utf-8"))
    return [*units, weights, table]


def _table(programs: Sequence[Program]) -> str:
    """The networks of the batch, for `batch.c`, which follows."""
    parts = ["#include <stdint.h>"]
    for p in programs:
        guard = _guard(p)
        parts.append(f"extern uint64_t {p.name}_arena[{max(p.plan.arena_bytes // 8, 1)}];")
        parts.append(f"static const uint32_t {p.name}_guard[{len(guard)}] = {{{', '.join(map(str, guard))}}};")
    rows = ", ".join(f"NET({p.name})" for p in programs)
    hooks = "\n".join(f"HOOK({i}, {p.name})" for i, p in enumerate(programs))
    declared = " ".join(f"DECLARE({p.name})" for p in programs)
    return "\n".join(
        [
            *parts,
            f"#define NETS {len(programs)}u",
            f"#define INPUTS {sum(len(p.graph.inputs) for p in programs)}u",
            f"#define OUTPUTS {sum(len(p.graph.outputs) for p in programs)}u",
            f"#define DECLARATIONS {declared}",
            f"#define ROWS {rows}",
            f"#define HOOKS {hooks}".replace("\n", " "),
            "",
        ]
    )


def _guard(program: Program) -> list[int]:
    """Bytes of the arena; then for each step, a count and as many pairs of offset and bytes that it may touch."""
    words = [program.plan.arena_bytes]
    for call in program.calls:
        conditions = (name for name, _ in call.guard)
        places = [program.slots[name].place for name in (*call.step.inputs, call.step.output, *conditions)]
        scratch = program.scratch(call)
        places += [scratch] if scratch is not None else []
        words += [len(places), *(word for place in places for word in (place.offset, place.bytes))]
    return words


def run_on_host(batch: Batch, cc: str, flags: Sequence[str]) -> list[Trace]:
    """Compile for this computer into a program of its own (a crash must not take the tests along) and run it."""
    program = batch.folder / "batch"
    command = [cc, *flags, *WARNINGS, "-Werror", "-DEDGEQ_TRACE", "-DEDGEQ_HOST_MAIN"]
    command += [f"-I{batch.folder}", f"-I{ports_dir()}", *map(str, batch.sources), str(ports_dir() / "host.c")]
    _call([*command, "-o", str(program)], batch.folder, cc)
    (batch.folder / "edgeq_in.bin").write_bytes(batch.input_bytes)
    samples = batch.cases[0].samples
    _call([str(program), str(samples), str(batch.trace_bytes)], batch.folder, f"{cc} {' '.join(flags)}")
    outputs = np.fromfile(batch.folder / "edgeq_out.bin", dtype=np.uint8).reshape(samples, -1)
    steps = np.fromfile(batch.folder / "edgeq_trace.bin", dtype=np.uint8).reshape(samples, -1)
    return list(_traces(batch, outputs, steps))


def _call(command: Sequence[str], folder: Path, what: str) -> None:
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        told = [line for line in lines if "error" in line.lower()] or lines or ["no message"]
        raise ToolError(f"{what}: status {done.returncode}: {told[0].strip()}")


def run_on_board(batch: Batch, board: Board, toolchain: str, runner: str, optimize: str) -> list[Trace]:
    """Link the batch with the board's start-up code, and run it in an emulator."""
    made = find_toolchain(board, toolchain).link(
        batch.sources,
        batch.folder / "batch.elf",
        board,
        include_dirs=(batch.folder,),
        defines=("EDGEQ_TRACE",),
        extra_flags=("-pedantic", "-Wconversion", "-Werror"),
        optimize=optimize,
    )
    found = pick_runner(board, runner).run(made.elf, batch.input_bytes, trace=True, timeout_s=TIMEOUT_S)
    samples = batch.cases[0].samples
    outputs = np.frombuffer(found.outputs, dtype=np.uint8).reshape(samples, -1)
    return list(_traces(batch, outputs, np.frombuffer(found.trace, dtype=np.uint8).reshape(samples, -1)))


def _traces(batch: Batch, outputs: npt.NDArray[np.uint8], steps: npt.NDArray[np.uint8]) -> Iterator[Trace]:
    """Cut the bytes of the batch into the codes of every value of every network.

    Of a value that is an output, what is read after the run counts, so that a plan that overwrites it is seen.
    """
    out, step = _Reader(outputs), _Reader(steps)
    for case, program in zip(batch.cases, batch.programs, strict=True):
        found = {c.step.output: step.take(program, c.step.output) for c in program.calls}
        found.update({name: out.take(program, name) for name in case.graph.outputs})
        for name in case.graph.inputs:
            found.setdefault(name, case.inputs[name])
        mask_left_out(program, found)
        _add_aliases(program, found)
        yield found
    out.finish()
    step.finish()


def _add_aliases(program: Program, found: dict[str, npt.NDArray[np.int64]]) -> None:
    """Values that are another's bytes under another shape have no step that shows them."""
    values = program.graph.values
    for node in program.graph.nodes:
        name = node.outputs[0]
        if name in program.plan.aliases and name not in found:
            host = found[program.plan.aliases[name]]
            found[name] = host.reshape(len(host), *values[name].shape)


class _Reader:
    """Takes values from rows of bytes, one row for each sample."""

    def __init__(self, rows: npt.NDArray[np.uint8]) -> None:
        self.rows, self.at = rows, 0

    def take(self, program: Program, name: str) -> npt.NDArray[np.int64]:
        slot = program.slots[name]
        codes = slot.stored.from_bytes(self.rows[:, self.at : self.at + slot.bytes], slot.value.size)
        self.at += slot.bytes
        return codes.reshape(len(self.rows), *slot.value.shape)

    def finish(self) -> None:
        if self.at != self.rows.shape[1]:
            raise ToolError(f"{self.rows.shape[1]} bytes a sample, {self.at} of them belong to a value")
