"""Start-up code, linker script and flags of a board: one description for our builds and for generated projects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import InputError, ToolError
from edgeq.resources import resource_dir

HARNESS_SOURCES = ("harness.c", "semihost.c")
DEFAULT_STACK_BYTES = 1024  # the linker refuses an image that leaves less RAM than this for the stack

# -ffreestanding gives <stdint.h> without a C library; -fbuiltin keeps short memcpy calls inline all the same.
COMMON_CFLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    "-fbuiltin",
    "-ffunction-sections",
    "-fdata-sections",
)


@dataclass(frozen=True)
class ProjectFlags:
    """What a generated Makefile needs to build for a board with GCC.

    `sources` and `headers` are file names in `firmware/ports/` (copy them and write `script`, the text of
    `linker_script`, as board.ld beside them); `libraries` go last on the link line.
    """

    cc: str
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    libraries: tuple[str, ...]
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    script: str


def ports_dir() -> Path:
    """Return `firmware/ports`."""
    return resource_dir("firmware") / "ports"


def require_mcu(board: Board) -> Board:
    """Return `board` if firmware can be linked for it; `InputError` for host, emulator and FPGA boards."""
    if board.kind != "mcu":
        raise InputError(f"board {board.name}: is a {board.kind} target, no firmware image is linked for it")
    return board


def port_files(board: Board, harness: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the port's C sources and headers that `board` needs."""
    startup = "cortexm_startup.c" if require_mcu(board).is_arm else "riscv_startup.c"
    sources = (startup, "libc_min.c", *(HARNESS_SOURCES if harness else ()))
    headers = ("libc/string.h", *(("harness.h", "semihost.h") if harness else ()))
    return sources, headers


def port_sources(board: Board, harness: bool = True) -> list[Path]:
    """Return the paths of start-up code and, with `harness`, of the verification harness for `board`."""
    folder = ports_dir()
    return [folder / name for name in port_files(board, harness)[0]]


def linker_script(board: Board, stack_bytes: int = DEFAULT_STACK_BYTES) -> str:
    """Return a whole linker script for `board`, for GNU ld and LLVM's lld alike."""
    sections = "cortexm.ld" if require_mcu(board).is_arm else "riscv.ld"
    header = (
        f"/* Memories of the board {board.name}: {board.description}. */\n"
        "MEMORY\n{\n"
        f"    FLASH (rx) : ORIGIN = {board.flash.origin:#010x}, LENGTH = {board.flash.size:#x}\n"
        f"    RAM (rwx) : ORIGIN = {board.ram.origin:#010x}, LENGTH = {board.ram.size:#x}\n"
        "}\n"
        f"EQ_STACK_BYTES = {stack_bytes};\n\n"
    )
    return header + (ports_dir() / sections).read_text("utf-8")


def project_flags(board: Board, harness: bool = True, optimize: str = "-O2") -> ProjectFlags:
    """Return the GCC flags, files and linker script with which a plain Makefile builds for `board`."""
    if require_mcu(board).gcc is None:
        raise ToolError(f"board {board.name}: has no [gcc] table, so no Makefile can be made for it")
    assert board.gcc is not None
    sources, headers = port_files(board, harness)
    return ProjectFlags(
        cc=f"{board.gcc.prefix}gcc",
        cflags=(*board.gcc.flags, optimize, *COMMON_CFLAGS),
        ldflags=("-nostdlib", "-Wl,--gc-sections", "-Wl,-T,board.ld"),
        libraries=("-lgcc",),
        sources=sources,
        headers=headers,
        script=linker_script(board),
    )
