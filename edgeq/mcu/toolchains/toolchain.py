"""What every toolchain does: link sources for a board, and turn a compiler's complaint into one clear line."""

from __future__ import annotations

import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import BudgetError, ToolError
from edgeq.mcu.toolchains.compiler import compile_logged
from edgeq.mcu.toolchains.elf import LinkResult, read_image
from edgeq.mcu.toolchains.ports import (
    COMMON_CFLAGS,
    DEFAULT_STACK_BYTES,
    linker_script,
    port_sources,
    ports_dir,
    require_mcu,
)

_OPTIMIZE = re.compile(r"-O[0123sz]")
_ERROR_LINE = re.compile(r"(?:\berror\b|undefined (?:reference|symbol)|multiple definition)", re.IGNORECASE)
_OVERFLOW = re.compile(r"region [`'](\w+)'[:]? overflowed by (\d+) bytes")
_NO_STACK = re.compile(r"RAM: too little room left for the stack")


class Toolchain(ABC):
    """A compiler and linker. `name` is "gcc" or "zig"; `version` is what the program says of itself."""

    name: str

    @property
    @abstractmethod
    def version(self) -> str:
        """The compiler's own name and version, one line."""

    @abstractmethod
    def command(self, board: Board) -> list[str]:
        """The compiler driver with the flags that choose `board`'s core."""

    @abstractmethod
    def link_flags(self) -> tuple[list[str], list[str]]:
        """Flags before the sources and libraries after them."""

    def link(
        self,
        sources: Sequence[Path],
        out_elf: Path,
        board: Board,
        include_dirs: Sequence[Path] = (),
        defines: Mapping[str, str | int | None] | Sequence[str] = (),
        extra_flags: Sequence[str] = (),
        optimize: str = "-O2",
        harness: bool = True,
        stack_bytes: int = DEFAULT_STACK_BYTES,
    ) -> LinkResult:
        """Compile and link `sources` with the board's start-up code into `out_elf`.

        With `harness`, the verification harness gives `main` and the sources must define `eq_harness_net`
        (firmware/ports/harness.h); without it they must define `main`. `defines` is a mapping, or texts such as
        "EDGEQ_TRACE" or "N=3". The image is written beside and renamed; the compiler's output stays in
        `<out_elf>.log`. Raises `ToolError` with the first error line, `BudgetError` when flash or RAM is full.
        """
        require_mcu(board)
        if not _OPTIMIZE.fullmatch(optimize):
            raise ToolError(f"optimize {optimize!r}: unknown; give -O0, -O1, -O2, -O3, -Os or -Oz")
        out_elf = out_elf.absolute()
        out_elf.parent.mkdir(parents=True, exist_ok=True)
        log = out_elf.with_name(out_elf.name + ".log")
        before, after = self.link_flags()
        with tempfile.TemporaryDirectory(prefix=f".{out_elf.name}.", dir=out_elf.parent) as scratch:
            script, image = Path(scratch, "board.ld"), Path(scratch, "image.elf")
            script.write_text(linker_script(board, stack_bytes), "utf-8")
            command = [*self.command(board), optimize, *COMMON_CFLAGS, *before]
            command += [f"-D{define}" for define in _define_texts(defines)]
            command += [f"-I{folder}" for folder in (*include_dirs, ports_dir())]
            command += [f"-idirafter{ports_dir() / 'libc'}", *extra_flags]
            command += [str(path) for path in (*sources, *port_sources(board, harness))]
            command += [f"-Wl,-T,{script}", "-o", str(image), *after]
            output = self._run(command, log, board)
            os.replace(image, out_elf)
        return self._result(out_elf, log, output)

    def _run(self, command: Sequence[str], log: Path, board: Board) -> str:
        status, output = compile_logged(command, log, f"{self.name} for board {board.name}")
        if status != 0:
            raise _link_error(self.name, output, log, board, status)
        return output

    def _result(self, elf: Path, log: Path, output: str) -> LinkResult:
        image = read_image(elf)
        warnings = tuple(line for line in output.splitlines() if "warning:" in line)
        return LinkResult(
            elf, image.flash, image.ram_static, image.sections, image.symbols, self.version, log, warnings
        )


def _define_texts(defines: Mapping[str, str | int | None] | Sequence[str]) -> list[str]:
    if isinstance(defines, Mapping):
        return [name if value is None else f"{name}={value}" for name, value in defines.items()]
    return list(defines)


def _link_error(tool: str, output: str, log: Path, board: Board, status: int) -> Exception:
    """Return the error that says best what a failed build's `output` means."""
    overflow = _OVERFLOW.findall(output)
    if overflow:
        region, over = max(overflow, key=lambda pair: int(pair[1]))
        memory = board.flash if region == "FLASH" else board.ram
        return BudgetError(
            f"board {board.name}: the image needs {over} bytes more {region} than the {memory.size} it has; "
            f"choose a larger board or a smaller network (log: {log})"
        )
    if _NO_STACK.search(output):
        return BudgetError(
            f"board {board.name}: too little of its {board.ram.size} bytes of RAM is left for the stack; "
            f"choose a larger board or a smaller network (log: {log})"
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.search(line)]
    first = (errors or lines or [f"exit status {status} and no message"])[0]
    return ToolError(f"{tool} for board {board.name}: {first} (log: {log})")
