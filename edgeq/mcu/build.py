"""build: from a graph to a compiled project in a folder, all of it or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board, load_board
from edgeq.errors import BudgetError, EdgeqError, InputError, ToolError
from edgeq.folders import MANIFEST, checked_folder, put_in_place, scratch_beside
from edgeq.ir import Graph
from edgeq.ir.graph import expect_graph
from edgeq.mcu.budget import check_flash, check_ram, peak_text, weights_text
from edgeq.mcu.fit import scheduled
from edgeq.mcu.host import LIBRARY_SUFFIX, find_host_compiler
from edgeq.mcu.manifest import make_manifest
from edgeq.mcu.program import Program
from edgeq.mcu.project import write_project
from edgeq.schedule import Plan

if TYPE_CHECKING:
    from edgeq.mcu.toolchains.elf import LinkResult

ARENA_SYMBOL = "edgeq_arena"
#: where the harness keeps an image whose rows it pushes: no RAM of the network
CAMERA_SYMBOL = "edgeq_camera"
#: functions and constants of start-up code and harness (firmware/ports)
_PORTS = re.compile(
    r"(main|_start|init|run|harness|read_sample|write_sample|run_samples|write_stats|call_measured|paint\w*|trace_file|"
    r"strlen|eq_(trap\w*|start_c|vectors|fault\w*|harness_net|semihost\w*|sh_\w+)|edgeq_(region|mark_\w+|trace|camera))([.@].*)?"
)
_RAM_SECTIONS = (".data", ".bss")
_OPTIMIZE = re.compile(r"-O[0123sz]")


@dataclass(frozen=True)
class BuildResult:
    """A finished build.

    path:      the project folder; board: what it is for; program: steps, plan and constants.
    elf:       firmware image (boards), or None; library: shared library (host), or None.
    flash:     bytes stored in flash: code, weights, initial values (host: weights only).
    ram:       bytes of .data and .bss, the arena included, without the stack (host: arena only).
    arena:     bytes of the arena, planned and, in a firmware image, linked.
    stack:     peak of the stack in bytes, where it was measured, else None.
    toolchain: the compiler's own name and version; optimize: the flag it was given.
    warnings:  what it warned of.
    """

    path: Path
    board: Board
    program: Program
    elf: Path | None
    library: Path | None
    flash: int
    ram: int
    arena: int
    stack: int | None
    toolchain: str
    toolchain_name: str
    optimize: str
    warnings: tuple[str, ...]
    sizes: Mapping[str, int]
    manifest: Mapping[str, Any]

    @property
    def graph(self) -> Graph:
        """The network as it was given."""
        return self.program.network

    @property
    def plan(self) -> Plan:
        """The memory plan."""
        return self.program.plan

    @property
    def variants(self) -> list[dict[str, str]]:
        """The kernel chosen for each step and why (`brief`: for a person), one row a step."""
        return [
            {
                "step": call.node.name,
                "source": call.node.source,
                "op": call.node.op,
                "kernel": call.step.kernel,
                "variant": call.step.variant,
                "why": call.step.why,
                "brief": call.step.brief,
            }
            for call in self.program.calls
        ]


def build(
    graph: Graph,
    board: Board | str,
    out: Path | str,
    *,
    budget_ram: int | None = None,
    budget_flash: int | None = None,
    optimize: str = "-O2",
    toolchain: str | None = None,
    schedule: str = "auto",
    push_rows: bool = False,
    packing: str = "auto",
    mac_factor: float | None = None,
) -> BuildResult:
    """Lower, plan, generate and compile `graph` for `board` into the folder `out`.

    board:        a microcontroller or "host", by object, name or file.
    out:          a new or empty folder, or that of an earlier build, which is replaced when all went well.
    budget_ram:   most bytes of RAM: arena, static data and (where an emulator can measure it) the stack's peak.
    budget_flash: most bytes of flash: code and constants.
    toolchain:    "gcc", "clang" or "zig"; by default what is there.
    schedule:     "layers": node after node; "rows": by rows where that takes less RAM; "patches": blocks and stretches
                  of layers by patches, too, whose borders are computed again; "auto": the first of these that fits the
                  RAM that there is, with the least work.
    push_rows:    the caller pushes the input's rows (`<net>_push_rows`) and it is never stored whole; by rows then.
    packing:      which codes of up to 4 bits share bytes in RAM. "fast": where no kernel gets slower; "all"; "none";
                  "auto": as "fast", and where that misses the RAM that there is as many more as it takes, then all.
    mac_factor:   the least arena for so many times the network's multiply-accumulates at most, by rows and patches; the
                  schedule is then "auto".

    Raises GraphError, RangeError and UnsupportedError for what cannot be compiled, BudgetError for what does not
    fit, ToolError when the compiler fails (its log is kept beside `out`), FileError when `out` is not ours.
    """
    expect_graph(graph, "build")
    target = board if isinstance(board, Board) else load_board(board)
    _check_budgets(budget_ram=budget_ram, budget_flash=budget_flash)
    if target.kind not in ("mcu", "host"):
        raise InputError(f"board {target.name}: nothing is compiled for it; choose a microcontroller or host")
    if not _OPTIMIZE.fullmatch(optimize):
        raise InputError(f"optimize {optimize!r}: unknown; give -O0, -O1, -O2, -O3, -Os or -Oz")
    folder = checked_folder(Path(out))
    program = scheduled(graph, target, schedule, push_rows, budget_ram, packing, mac_factor)
    _early_budget(program, budget_ram, budget_flash)
    vectors = golden_sample(program.graph)
    log = folder.with_name(folder.name + ".log")
    with scratch_beside(folder) as scratch:
        made = Path(scratch, folder.name)
        made.mkdir()
        write_project(program, vectors, made, optimize)
        compile_it = _compile_host if target.kind == "host" else _compile_firmware
        try:
            result = compile_it(program, made, optimize, toolchain)
            result = _late_budget(result, budget_ram, budget_flash)
        except (ToolError, BudgetError) as error:
            raise _with_kept_log(error, made, log) from error
        manifest = make_manifest(result)
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        put_in_place(made, folder, Path(scratch, "old"))
    log.unlink(missing_ok=True)
    return _moved(replace(result, manifest=manifest), made, folder)


def _check_budgets(**budgets: int | None) -> None:
    """InputError for what is no number of bytes."""
    for what, budget in budgets.items():
        if budget is not None and (not isinstance(budget, int) or budget < 0):
            raise InputError(f"{what} {budget!r}: give a whole number of bytes, 0 or more")


def golden_sample(graph: Graph, seed: int = 1) -> dict[str, npt.NDArray[np.int64]]:
    """One random sample of valid input codes and what the emulator makes of it: name -> codes without batch."""
    from edgeq.emulator import reference

    rng = np.random.default_rng(seed)
    inputs = {}
    for name in graph.inputs:
        value = graph.values[name]
        lo, hi = value.format.grid_range
        grid = rng.integers(lo, hi, (1, *value.shape), endpoint=True)
        one = np.ones((), dtype=np.int64)
        inputs[name] = value.format.from_grid(value.format.round_grid(grid, one, "half_up"))
    found = reference(graph, inputs)
    return {name: codes[0] for name, codes in found.items()}


def _early_budget(program: Program, budget_ram: int | None, budget_flash: int | None) -> None:
    """What can be said before any compiler runs."""
    arena, weights, board = program.plan.arena_bytes, program.weight_bytes, program.board
    check_ram(program, budget_ram, arena, "the arena alone", "the budget")
    check_flash(program, budget_flash, weights, "the weights alone", "the budget")
    if board.kind == "mcu":
        check_ram(program, board.ram.size, arena, "the arena alone", f"board {board.name}")
        check_flash(program, board.flash.size, weights, "the weights alone", f"board {board.name}")


def _compile_host(program: Program, folder: Path, optimize: str, toolchain: str | None) -> BuildResult:
    compiler = find_host_compiler(toolchain)
    library = folder / "build" / f"{program.name}{LIBRARY_SUFFIX}"
    output = compiler.library(folder, program.name, library, optimize)
    sizes = {"weights": program.weight_bytes, "arena": program.plan.arena_bytes}
    return BuildResult(
        folder,
        program.board,
        program,
        None,
        library,
        program.weight_bytes,
        program.plan.arena_bytes,
        program.plan.arena_bytes,
        None,
        compiler.version,
        compiler.name,
        optimize,
        tuple(line for line in output.splitlines() if "warning:" in line),
        sizes,
        {},
    )


def _compile_firmware(program: Program, folder: Path, optimize: str, toolchain: str | None) -> BuildResult:
    from edgeq.mcu.toolchains import find_toolchain

    name = find_toolchain(program.board, toolchain).name
    link = link_image(program, folder, folder / "build" / "firmware.elf", optimize, name)
    arena = link.symbol(ARENA_SYMBOL).size
    if arena != program.plan.arena_bytes:
        raise ToolError(
            f"{program.name}: the arena was planned with {program.plan.arena_bytes} bytes, linked with {arena}"
        )
    return BuildResult(
        folder,
        program.board,
        program,
        link.elf,
        None,
        link.flash,
        link.ram_static - _camera(link),
        arena,
        None,
        link.toolchain,
        name,
        optimize,
        link.warnings,
        _sizes(program, link),
        {},
    )


def link_image(
    program: Program, project: Path, elf: Path, optimize: str, toolchain: str, defines: tuple[str, ...] = ()
) -> LinkResult:
    """Link the network of `project` with the verification harness; `defines` may ask for EDGEQ_TRACE or _PROFILE."""
    from edgeq.mcu.toolchains import find_toolchain

    files = (f"{program.name}.c", f"{program.name}_weights.c", "port/harness_net.c")
    try:
        return find_toolchain(program.board, toolchain).link(
            [project / f for f in files],
            elf,
            program.board,
            defines=defines,
            extra_flags=("-pedantic", "-Wconversion"),
            optimize=optimize,
        )
    except BudgetError as error:
        raise BudgetError(f"{error}; {peak_text(program)}; {weights_text(program)}") from error


def _sizes(program: Program, link: LinkResult) -> dict[str, int]:
    """Where the bytes of an image are: what the network needs wherever it is linked, and what runs it here.

    other_flash is start-up code and the verification harness, by name; whatever is not known to be theirs (helpers of
    the compiler and padding too) is the network's. network_flash is what an application gets.
    """
    weights = sum(
        link.symbols[n].size for c in program.constants if (n := f"{program.name}_{c.c_name}") in link.symbols
    )
    ports = [s for s in link.symbols.values() if _PORTS.fullmatch(s.name) and s.section not in _RAM_SECTIONS]
    other = sum(s.size for s in ports)
    params = sum(s.size for s in link.symbols.values() if not s.is_function and s.name.endswith("_params"))
    return {
        "flash": link.flash,
        "weights": weights,
        "network_code": link.flash - weights - params - other,
        "network_params": params,
        "other_flash": other,
        "network_flash": link.flash - other,
        "arena": link.symbol(ARENA_SYMBOL).size,
        "other_ram": link.ram_static - _camera(link) - link.symbol(ARENA_SYMBOL).size,
    }


def _camera(link: LinkResult) -> int:
    """Bytes of the harness's image, whose rows it pushes as a camera would."""
    return link.symbols[CAMERA_SYMBOL].size if CAMERA_SYMBOL in link.symbols else 0


def _late_budget(result: BuildResult, budget_ram: int | None, budget_flash: int | None) -> BuildResult:
    """Budgets against the linked image; the stack's peak is measured if a RAM budget asks for it."""
    program, sizes = result.program, result.sizes
    if result.elf is None:
        return result
    code = result.flash - sizes["weights"]
    check_flash(program, budget_flash, result.flash, f"weights {sizes['weights']}, all else {code}", "the budget")
    what = f"arena {result.arena}, other static data {sizes['other_ram']}"
    check_ram(program, budget_ram, result.ram, what, "the budget")
    if budget_ram is not None:
        from edgeq.mcu.execute import stack_peak

        stack = stack_peak(result)
        if stack is not None:
            check_ram(program, budget_ram, result.ram + stack, f"{what}, stack {stack}", "the budget")
            return replace(result, stack=stack)
    return result


def _with_kept_log(error: EdgeqError, made: Path, log: Path) -> EdgeqError:
    """The error, with the compiler's log moved to where it outlives the scratch folder."""
    logs = sorted((made / "build").glob("*.log"))
    if not logs or str(logs[0]) not in str(error):
        return error
    shutil.copyfile(logs[0], log)
    return type(error)(str(error).replace(str(logs[0]), str(log)).replace(f"{made}{os.sep}", ""))


def _moved(result: BuildResult, made: Path, folder: Path) -> BuildResult:
    """The result with the paths of its final place."""

    def there(path: Path | None) -> Path | None:
        return None if path is None else folder / path.relative_to(made)

    return replace(result, path=folder, elf=there(result.elf), library=there(result.library))
