"""`edgeq boards`: what can be targeted, and what is installed here to build and run for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeq.commands.shell import Json, console, emit, table

if TYPE_CHECKING:
    from edgeq.boards import Board


def boards(json: Json = False) -> int:
    """List the boards that can be targeted."""
    from edgeq.boards import all_boards

    found = [_describe(board) for board in all_boards()]
    if json:
        emit({"boards": found})
        return 0
    shown = table("Boards", "name", "core", ">flash", ">RAM", ">MHz", "compilers", "runs in", "what it is")
    for b in found:
        memories = {m["name"]: f"{m['size'] // 1024} KiB" for m in b["memories"]}
        clock = f"{b['clock_hz'] / 1e6:g}" if b["clock_hz"] else "–"
        compilers = "–" if b["kind"] == "emulator" else ", ".join(b["compilers"]) or "none here"
        runners = ", ".join(b["runners"]) or "nothing here"
        sizes = (memories.get("flash", "–"), memories.get("ram", "–"), clock)
        shown.add_row(b["name"], b["core"] or "–", *sizes, compilers, runners, b["description"])
    out = console(json)
    out.print(shown)
    out.print(
        "Compilers and emulators are those installed on this computer. A board of your own: docs/adding-a-board.md"
    )
    return 0


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
    from edgeq.mcu.runners import available_runners
    from edgeq.mcu.toolchains import available_toolchains

    return [t.name for t in available_toolchains(board)], [r.name for r in available_runners(board)]
