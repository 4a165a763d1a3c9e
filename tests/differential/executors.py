"""Everything that executes a graph, behind one call that takes many graphs at once.

To add one, write a class with a `name` and a `run` and put it into the list of `host_executors` or
`board_executors`; the comparison, the tests and benchmarks/differential.py take it from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zlib import crc32

from edgeq.boards import load_board
from edgeq.emulator import executor as compiled
from edgeq.ir.file import load, save
from edgeq.mcu.runners import available_runners
from edgeq.mcu.toolchains import available_toolchains
from edgeq.schedule import check_plan, simulate
from tests.differential.batch import HOST, make_program, run_on_board, run_on_host, schedule_of, write_batch
from tests.differential.cases import Case, Trace

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DEDGEQ_BATCH_GUARD")
#: checks without messages compile in two thirds of the time; a case that fails is run again with messages
SANITIZE_FAST = {
    "gcc": (*SANITIZE, "-fsanitize-undefined-trap-on-error", "--param", "asan-instrumentation-with-call-threshold=0"),
    "clang": (*SANITIZE, "-fsanitize-trap=undefined"),
}
BOARDS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "riscv32")


class Executor(Protocol):
    """name: what tables call it; run: the trace of each case, in order, using an empty folder."""

    name: str

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]: ...


@dataclass(frozen=True)
class FastEmulator:
    """The emulator that users run."""

    name: str = "fast emulator"

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        return [compiled(case.graph).trace(case.inputs) for case in cases]


@dataclass(frozen=True)
class SavedFile:
    """The fast emulator, on the graph as it comes back from net.edgeq."""

    name: str = "net.edgeq, saved and loaded"

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        traces: list[Trace] = []
        for case in cases:
            save(case.graph, folder / "net.edgeq")
            traces.append(compiled(load(folder / "net.edgeq")).trace(case.inputs))
        return traces


@dataclass(frozen=True)
class SimulatedPlan:
    """The memory plan in Python: operators' own meaning, values at their planned places in one arena."""

    name: str = "plan in Python"

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        traces: list[Trace] = []
        for i, case in enumerate(cases):
            program = make_program(case.graph, HOST, schedule_of(i, case.graph))
            check_plan(program.plan, case.graph)
            stored = {name: slot.stored for name, slot in program.slots.items()}
            traces.append(simulate(case.graph, program.plan, stored, case.inputs))
        return traces


@dataclass(frozen=True)
class HostC:
    """Generated C on this computer."""

    name: str
    cc: str
    flags: tuple[str, ...]

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        return run_on_host(write_batch(cases, folder), self.cc, self.flags)


@dataclass(frozen=True)
class BoardC:
    """Generated C on an emulated board; each batch takes one level of `optimize`, so that kernels meet them all."""

    board: str
    toolchain: str
    runner: str
    optimize: tuple[str, ...] = ("-O2",)

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.board}, {self.toolchain}, {self.runner}"

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        board = load_board(self.board)
        level = self.optimize[crc32(cases[0].graph.name.encode()) % len(self.optimize)]
        return run_on_board(write_batch(cases, folder, board), board, self.toolchain, self.runner, level)


def python_executors() -> list[Executor]:
    """What needs no compiler."""
    return [FastEmulator(), SavedFile(), SimulatedPlan()]


def plain_host() -> list[Executor]:
    """C on this computer as `edgeq.build` makes it, by each compiler that is here."""
    return [HostC(f"host C, {cc}", cc, ("-O1",)) for cc in ("gcc", "clang") if shutil.which(cc)]


def sanitized_host() -> list[Executor]:
    """C on this computer under AddressSanitizer and UndefinedBehaviorSanitizer, by the first compiler that is here."""
    found = [cc for cc in ("gcc", "clang") if shutil.which(cc)][:1]
    return [HostC(f"host C, {cc}, ASan + UBSan", cc, ("-Og", *SANITIZE_FAST[cc])) for cc in found]


def telling(executor: Executor) -> Executor:
    """The same executor, with messages where it leaves them out for speed."""
    if isinstance(executor, HostC) and "-fsanitize=address,undefined" in executor.flags:
        return HostC(executor.name, executor.cc, ("-O1", "-g", *SANITIZE))
    return executor


def board_executors(boards: Iterable[str] = BOARDS, optimize: tuple[str, ...] = ("-O2",)) -> list[Executor]:
    """Every board with every compiler in QEMU, and with the last one in unicorn, as far as they are here.

    The last one is zig: zig and unicorn are what is there where nothing but Python packages can be installed.
    """
    found: list[Executor] = []
    for name in boards:
        board = load_board(name)
        for runner in available_runners(board):
            toolchains = available_toolchains(board)
            for toolchain in toolchains if runner.name == "qemu" else toolchains[-1:]:
                found.append(BoardC(name, toolchain.name, runner.name, optimize))
    return found
