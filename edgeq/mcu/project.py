"""The generated project: every file of it, written into a folder that a plain `make` understands."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgeq.boards import Board
from edgeq.errors import FileError
from edgeq.mcu.names import comment
from edgeq.mcu.program import Program
from edgeq.mcu.render import Context, base_context, layer_text, meaning, source_files, stream_headers
from edgeq.mcu.toolchains.ports import linker_script, port_files, ports_dir, project_flags
from edgeq.resources import resource_dir
from edgeq.templating import fill

_INCLUDE = re.compile(r'^\s*#\s*include\s+"(\w+\.h)"', re.MULTILINE)
_PEAK_NAMES = 4


def write_project(
    program: Program, vectors: Mapping[str, npt.NDArray[Any]], folder: Path, optimize: str = "-O2"
) -> None:
    """Write all files but the manifest into the empty or absent `folder`."""
    for path, text in source_files(program, vectors):
        _write(folder / path, text)
    for header in needed_headers((*program.kernels, *stream_headers(program))):
        _copy(header, folder / "edgeq" / header.name)
    port = _port(program.board, folder, optimize) if program.board.kind == "mcu" else _host_port(folder)
    context = {**base_context(program), **port, **_readme(program)}
    for template, name in (("Makefile.j2", "Makefile"), ("CMakeLists.txt.j2", "CMakeLists.txt")):
        _write(folder / name, fill(f"mcu/{template}", context))
    _write(folder / "README.md", fill("mcu/README.md.j2", context))


def needed_headers(kernels: Iterable[str]) -> list[Path]:
    """`edgeq.h`, the kernels' headers and whatever those include."""
    folders = (resource_dir("firmware") / "include", resource_dir("firmware") / "kernels")
    found: dict[str, Path] = {}
    todo = ["edgeq.h", *(f"{kernel}.h" for kernel in kernels)]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        path = next((f / name for f in folders if (f / name).is_file()), None)
        if path is None:
            raise FileError(f"firmware: header {name} is not in this installation of edgeq; reinstall the package")
        found[name] = path
        todo += _INCLUDE.findall(path.read_text("utf-8"))
    return list(found.values())


def _port(board: Board, folder: Path, optimize: str) -> Context:
    """Copy start-up code and harness; what the Makefile says of them."""
    sources, headers = port_files(board, harness=True)
    for name in (*sources, *headers):
        _copy(ports_dir() / name, folder / "port" / name)
    _write(folder / "port" / "board.ld", linker_script(board))
    if board.gcc is None:
        return _no_compiler()
    flags = project_flags(board, optimize=optimize)
    return {
        "cc": flags.cc,
        "cflags": flags.cflags,
        "ldflags": [f.replace("board.ld", "port/board.ld") for f in flags.ldflags],
        "libraries": flags.libraries,
        "port_sources": sources,
    }


def _host_port(folder: Path) -> Context:
    for name in ("host.c", "harness.h"):
        _copy(ports_dir() / name, folder / "port" / name)
    return _no_compiler()


def _no_compiler() -> Context:
    return {"cc": "", "cflags": (), "ldflags": (), "libraries": (), "port_sources": ()}


def _readme(program: Program) -> Context:
    plan = program.plan
    peak = [f"{comment(name)} ({size})" for name, size in plan.peak_values()]
    more = f" and {len(peak) - _PEAK_NAMES} more" if len(peak) > _PEAK_NAMES else ""
    rows = [
        {
            "index": call.index,
            "layer": _cell(layer_text(call)),
            "kernel": call.step.kernel,
            "out": _cell(f"{'x'.join(map(str, program.slots[call.step.output].value.shape))}"),
            "macs": call.macs,
            "variant": _cell(call.step.variant),
            "why": _cell(call.step.brief),
        }
        for call in program.calls
    ]
    return {
        "schedule": comment(program.reason),
        "pushed": program.pushed is not None,
        "peak_at": comment(plan.label(plan.peak)),
        "peak_values": ", ".join(peak[:_PEAK_NAMES]) + more,
        "input_meaning": comment(meaning(program.graph.values[program.graph.inputs[0]].format)),
        "calls": rows,
    }


def _cell(text: str) -> str:
    return comment(text).replace("|", "/")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
