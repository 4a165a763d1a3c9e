"""`edgeq boards`: what can be targeted, and what is installed here to build and run for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from edgeq.commands.shell import Json, console, emit, table

if TYPE_CHECKING:
    from rich.console import Console

    from edgeq.boards import Board

_FPGA = ("family", "part", "luts", "ffs", "dsps", "brams", "bram_bits", "target_hz")
_HLS = ("part", "processor", "luts", "ffs", "dsps", "brams", "bram_bits", "target_hz", "dma_bits")


def boards(json: Json = False) -> int:
    """List the boards that can be targeted."""
    from edgeq.boards import all_boards

    found = [_describe(board) for board in all_boards()]
    if json:
        emit({"boards": found})
        return 0
    out = console(json)
    _show_processors(out, [b for b in found if b["kind"] not in ("fpga", "hls")])
    _show_fpgas(out, "FPGA boards", [b for b in found if b["kind"] == "fpga"])
    _show_fpgas(out, "Boards for the vendor's tools (C++ for HLS)", [b for b in found if b["kind"] == "hls"])
    out.print("Tools are those installed on this computer. A board of your own: docs/adding-a-board.md")
    return 0


def _show_processors(out: Console, found: list[dict[str, Any]]) -> None:
    shown = table("Boards", "name", "core", ">flash", ">RAM", ">MHz", "compilers", "runs in", "what it is")
    for b in found:
        memories = {m["name"]: f"{m['size'] // 1024} KiB" for m in b["memories"]}
        clock = f"{b['clock_hz'] / 1e6:g}" if b["clock_hz"] else "–"
        compilers = "–" if b["kind"] == "emulator" else ", ".join(b["compilers"]) or "none here"
        runners = ", ".join(b["runners"]) or "nothing here"
        sizes = (memories.get("flash", "–"), memories.get("ram", "–"), clock)
        shown.add_row(b["name"], b["core"] or "–", *sizes, compilers, runners, b["description"])
    out.print(shown)


def _show_fpgas(out: Console, title: str, found: list[dict[str, Any]]) -> None:
    columns = ("name", "part", ">LUTs", ">DSPs", ">block RAMs", ">MHz", "tools", "runs in", "what it is")
    shown = table(title, *columns)
    for b in found:
        has = b["fpga"] or b["hls"]
        tools, runners = ", ".join(b["compilers"]) or "none here", ", ".join(b["runners"]) or "nothing here"
        sizes = (f"{has['luts']:,}", str(has["dsps"]), str(has["brams"]), f"{b['clock_hz'] / 1e6:g}")
        shown.add_row(b["name"], has["part"], *sizes, tools, runners, b["description"])
    out.print(shown)


def _describe(board: Board) -> dict[str, Any]:
    compilers, runners = _tools(board)
    return {
        "name": board.name,
        "aliases": list(board.aliases),
        "description": board.description,
        "kind": board.kind,
        "core": board.core,
        "isa": list(board.isa),
        "clock_hz": board.clock_hz,
        "memories": [{"name": m.name, "origin": m.origin, "size": m.size} for m in board.memories],
        "fpga": None if board.fpga is None else {k: getattr(board.fpga, k) for k in _FPGA},
        "hls": None if board.hls is None else {k: getattr(board.hls, k) for k in _HLS},
        "compilers": compilers,
        "runners": runners,
        "source": board.source,
    }


def _tools(board: Board) -> tuple[list[str], list[str]]:
    """Compilers and executions of the board that are installed here."""
    if board.kind == "emulator":
        return [], ["Python"]
    if board.kind == "host":
        from edgeq.mcu.host import available_host_compilers

        return [compiler.name for compiler in available_host_compilers()], ["this process"]
    if board.fpga is not None:
        from edgeq.fpga.toolchain import available_toolsets

        simulators = [name for name in ("verilator", "iverilog") if shutil.which(name)]
        return [tools.name for tools in available_toolsets(board.fpga.family)], simulators
    if board.hls is not None:
        from edgeq.hls.simulate import available_compilers

        return [name for name in ("vitis_hls", "vitis-run", "vivado") if shutil.which(name)], available_compilers()
    from edgeq.mcu.runners import available_runners
    from edgeq.mcu.toolchains import available_toolchains

    return [t.name for t in available_toolchains(board)], [r.name for r in available_runners(board)]
