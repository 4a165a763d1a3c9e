"""Compiling a generated project for this computer: a shared library, or a program under the sanitizers."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import ToolError

WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
LIBRARY_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


@dataclass(frozen=True)
class HostCompiler:
    """A C compiler of this computer: `command` is how it is started."""

    name: str
    command: tuple[str, ...]

    @property
    def version(self) -> str:
        """The compiler's own name and version, one line."""
        told = _version(self.command)
        return f"zig cc, {told}" if self.name == "zig" else told

    def library(self, project: Path, name: str, out: Path, optimize: str = "-O2") -> str:
        """Build the network `name` of `project` with the host harness into the shared library `out`.

        Returns the compiler's output (its warnings); ToolError with the first error line.
        """
        quiet = ["-fno-sanitize=undefined"] if self.name == "zig" else []
        pic = [] if sys.platform == "win32" else ["-fPIC"]
        return self._run([optimize, *WARNINGS, *quiet, *pic, "-shared", "-DEDGEQ_TRACE"], project, name, out)

    def sanitized(self, project: Path, name: str, out: Path, optimize: str = "-O1") -> str:
        """Build a program under AddressSanitizer and UndefinedBehaviorSanitizer; see `firmware/ports/host.c`.

        Each step may touch the bytes of its own operands only: the rest of the arena is poisoned while it runs.
        """
        if self.name == "zig":
            raise ToolError("zig: has no AddressSanitizer; install gcc or clang for the sanitizer builds")
        return self._run(
            [optimize, *WARNINGS, *SANITIZERS, "-DEDGEQ_TRACE", "-DEDGEQ_HOST_MAIN", "-DEDGEQ_GUARD"],
            project,
            name,
            out,
        )

    def _run(self, flags: list[str], project: Path, name: str, out: Path) -> str:
        from edgeq.mcu.toolchains.compiler import compile_logged
        from edgeq.mcu.toolchains.ports import ports_dir

        sources = [f"{name}.c", f"{name}_weights.c", "port/harness_net.c"]
        command = [*self.command, *flags, f"-I{ports_dir()}", *(str(project / s) for s in sources)]
        command += [str(ports_dir() / "host.c"), "-o", str(out)]
        out.parent.mkdir(parents=True, exist_ok=True)
        log, what = out.with_name(out.name + ".log"), f"{self.name} for this computer"
        status, output = compile_logged(command, log, what)
        if status != 0:
            lines = [line for line in output.splitlines() if "error" in line] or output.splitlines() or ["no message"]
            raise ToolError(f"{what}: {lines[0].strip()} (log: {log})")
        return output


def available_host_compilers() -> list[HostCompiler]:
    """The C compilers of this computer, the preferred one first."""
    found = [HostCompiler(name, (path,)) for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    if importlib.util.find_spec("ziglang") is not None:
        found.append(HostCompiler("zig", (sys.executable, "-m", "ziglang", "cc")))
    return found


def find_host_compiler(prefer: str | None = None) -> HostCompiler:
    """The compiler named `prefer` ("cc", "gcc", "clang", "zig"), else the first there is; ToolError when none is."""
    for compiler in available_host_compilers():
        if prefer is None or compiler.name == prefer:
            return compiler
    wanted = prefer or "C compiler"
    raise ToolError(f"{wanted}: not on this computer; install gcc or clang, or pip install ziglang")


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]}: cannot be started ({error})") from error
    lines = done.stdout.decode("utf-8", "replace").splitlines() or ["unknown"]
    return lines[0].strip()
