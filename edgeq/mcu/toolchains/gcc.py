"""GCC cross-compilers from the system: arm-none-eabi-gcc, riscv64-unknown-elf-gcc."""

from __future__ import annotations

import functools
import shutil
import subprocess

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.toolchains.toolchain import Toolchain


class GccToolchain(Toolchain):
    """The GCC whose programs start with `prefix`; libgcc gives the 64-bit divisions, no C library is linked."""

    name = "gcc"

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    @property
    def version(self) -> str:
        return _version(f"{self.prefix}gcc")

    def command(self, board: Board) -> list[str]:
        if board.gcc is None or board.gcc.prefix != self.prefix:
            raise ToolError(f"board {board.name}: {self.prefix}gcc does not build for it")
        return [f"{self.prefix}gcc", *board.gcc.flags]

    def link_flags(self) -> tuple[list[str], list[str]]:
        return ["-g", "-nostdlib", "-Wl,--gc-sections"], ["-lgcc"]


def gcc_present(board: Board) -> bool:
    """Say whether the GCC that `board` names is on the PATH."""
    return board.gcc is not None and shutil.which(f"{board.gcc.prefix}gcc") is not None


@functools.cache
def _version(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program}: cannot be started ({error})") from error
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip()
