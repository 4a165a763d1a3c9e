"""The flow of one project: synthesis, fit, place and route, bitstream; what it uses, how fast it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import BudgetError, ToolError
from edgeq.fpga.toolchain.families import Family, Files, device_of, family_of
from edgeq.fpga.toolchain.launch import Progress, run_logged, silent
from edgeq.fpga.toolchain.netlist import Usage, cells_by_prefix, usage_of
from edgeq.fpga.toolchain.timing import Speed, read_speed
from edgeq.fpga.toolchain.toolset import Toolset, find_toolset

FILES = Files()


@dataclass(frozen=True)
class Project:
    """A folder with Verilog and constraints, ready to be synthesised.

    folder: where the tools run; what they write goes to `build/` in it, the bitstream beside the sources.
    board: the target; top: the top module (and name of constraint file and bitstream); sources: Verilog files
    relative to the folder. core: the module whose instances are accounted for one by one; its instance in the top
    module is called `core`. parts: their names; labels: what messages call them (several parts may share one). mhz: the
    clock that place and route should reach.
    """

    folder: Path
    board: Board
    top: str
    core: str
    parts: tuple[str, ...]
    sources: tuple[str, ...]
    mhz: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bitstream:
    """A finished run of the tools.

    path: the bitstream; used: post-route, all of it; parts: of it by part, what belongs to none under "".
    speed: what the routed design reaches. logs: tool -> log; tools: their versions.
    """

    path: Path
    used: Usage
    parts: Mapping[str, Usage]
    speed: Speed
    logs: Mapping[str, Path]
    tools: str

    @property
    def fmax_mhz(self) -> float:
        """The slowest clock's maximum."""
        return min(self.speed.fmax.values(), default=0.0)


def synthesise(project: Project, tools: Toolset | None = None, progress: Progress = silent) -> dict[str, Usage]:
    """Run synthesis; what each part uses, by name, the rest under "". Raises ToolError."""
    tools, family = tools or find_toolset(device_of(project.board).family), family_of(project.board)
    build = project.folder / "build"
    build.mkdir(exist_ok=True)
    fpga = device_of(project.board)
    script = family.script(fpga, project.top, project.core, project.sources, FILES)
    (project.folder / "synth.ys").write_text(script, "utf-8")
    run_logged([tools.yosys, "-s", "synth.ys"], project.folder, build / "yosys.log", "synthesis", progress)
    return parts_of(project, FILES.netlist, family.synthesised)


def make_bitstream(project: Project, tools: Toolset | None = None, progress: Progress = silent) -> Bitstream:
    """Synthesise, check that it fits, place, route and pack.

    Raises BudgetError when the device is too small, naming the part that needs most of what is short, and ToolError
    (with the log's path) when a tool fails.
    """
    tools, family = tools or find_toolset(device_of(project.board).family), family_of(project.board)
    mapped = synthesise(project, tools, progress)
    check_fit(project.board, _labelled(project, mapped))
    build, fpga = project.folder / "build", device_of(project.board)
    route = [tools.nextpnr, *family.route(fpga, project.top, FILES, project.mhz)]
    run_logged(route, project.folder, build / "nextpnr.log", "place and route", progress)
    pack = [tools.pack, *family.pack(fpga, project.top, FILES)]
    run_logged(pack, project.folder, build / "pack.log", "bitstream", progress)
    path = project.folder / f"{project.top}{family.bitstream}"
    if not path.is_file() or path.stat().st_size == 0:
        raise ToolError(f"bitstream: nothing was written; log: {build / 'pack.log'}")
    return _collect(project, family, mapped, path, tools)


def _collect(project: Project, family: Family, mapped: Mapping[str, Usage], path: Path, tools: Toolset) -> Bitstream:
    """Read what place and route wrote."""
    build = project.folder / "build"
    speed = read_speed(project.folder / FILES.report, partial(_part, project))
    parts = parts_of(project, FILES.routed, family.routed)
    if not family.routed_counts_ffs:
        parts = {name: Usage(u.luts, mapped[name].ffs, u.dsps, u.brams) for name, u in parts.items()}
    logs = {tool: build / f"{tool}.log" for tool in ("yosys", "nextpnr", "pack")}
    used = sum(parts.values(), Usage())
    return Bitstream(path, used, parts, speed, logs, tools.version)


def parts_of(project: Project, netlist: str, weights: Mapping[str, Usage]) -> dict[str, Usage]:
    """What each part of a project uses by one of its netlists; the rest under ""."""
    prefixes = [f"core.{part}" for part in project.parts]
    total, cells = cells_by_prefix(project.folder / netlist, project.top, prefixes)
    parts = {part: usage_of(cells[f"core.{part}"], weights) for part in project.parts}
    return {**parts, "": usage_of(total, weights) - sum(parts.values(), Usage())}


def _part(project: Project, cell: str) -> str:
    words = cell.split(".")
    return words[1] if len(words) > 2 and words[0] == "core" and words[1] in project.parts else ""


def _labelled(project: Project, parts: Mapping[str, Usage]) -> dict[str, Usage]:
    found: dict[str, Usage] = {}
    for part, used in parts.items():
        label = project.labels.get(part, part)
        found[label] = found.get(label, Usage()) + used
    return found


def check_fit(board: Board, parts: Mapping[str, Usage]) -> None:
    """BudgetError when `parts` together need more than the board has of anything."""
    fpga = device_of(board)
    used = sum(parts.values(), Usage()).to_json()
    names = {"luts": "LUTs", "ffs": "flip-flops", "dsps": "DSPs", "brams": "block RAMs"}
    for key, what in names.items():
        has = int(getattr(fpga, key))
        if used[key] > has:
            most = max(parts, key=lambda part: parts[part].to_json()[key])
            raise BudgetError(
                f"board {board.name}: {used[key]:,} {what} are needed, it has {has:,}; {most or 'the border'} needs "
                f"most, {parts[most].to_json()[key]:,}; {_WAYS_OUT[key]}"
            )


_WAYS_OUT = {
    "luts": "ask for fewer inferences a second (--target), fewer bits, or a larger board",
    "ffs": "ask for fewer inferences a second (--target), fewer bits, or a larger board",
    "dsps": "ask for fewer inferences a second (--target) or a larger board",
    "brams": "fewer weights or fewer bits fit, or a larger board",
}
