"""Zig's C compiler from PyPI (`ziglang`): clang and lld for every core, on every desktop system."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.toolchains.toolchain import Toolchain


class ZigToolchain(Toolchain):
    """`python -m ziglang cc`; its compiler-rt gives the 64-bit divisions, no C library is linked."""

    name = "zig"

    @property
    def version(self) -> str:
        return _version()

    def command(self, board: Board) -> list[str]:
        if board.zig is None:
            raise ToolError(f"board {board.name}: has no [zig] table, so zig does not build for it")
        return [sys.executable, "-m", "ziglang", "cc", "-target", board.zig.target, f"-mcpu={board.zig.cpu}"]

    def link_flags(self) -> tuple[list[str], list[str]]:
        # zig turns undefined behaviour into traps unless told otherwise. No -nostdlib: it drops compiler-rt. Without
        # -g1 it strips what it builds with -Os, and the arena could not be found in the image.
        return ["-fno-sanitize=undefined", "-g1", "-Wl,--gc-sections"], []


def zig_present() -> bool:
    """Say whether the `ziglang` package is installed in this environment."""
    return importlib.util.find_spec("ziglang") is not None


@functools.cache
def _version() -> str:
    command = [sys.executable, "-m", "ziglang", "version"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"zig: cannot be started ({error}); install the ziglang package") from error
    if done.returncode != 0:
        raise ToolError("zig: `python -m ziglang version` failed; install the ziglang package")
    return f"zig cc {done.stdout.decode('utf-8', 'replace').strip()}"
