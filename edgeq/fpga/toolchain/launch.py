"""Starting a long tool: its output goes to a log that is kept, the phase it is in is told, a failure is one line."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeq.errors import ToolError

TIMEOUT_S = 6 * 3600
#: called with what a tool is doing now
Progress = Callable[[str], None]

_PHASES = (
    (re.compile(r"^\d+(?:\.\d+)*\. Executing (\w+) pass"), "yosys {0}"),
    (re.compile(r"Info: (Packing|Placing|Routing|Promoting|Running|Setting up)\b"), "{0}"),
    (re.compile(r"Info: +at iteration #(\d+)"), "placing, iteration {0}"),
    (re.compile(r"Info: +iter=(\d+)"), "routing, iteration {0}"),
    (re.compile(r"Preparing to run (\S+?)\."), "compiling {0} once"),
)
_ERROR = re.compile(r"^(?:.*: )?(ERROR: .*|.*Error: .*|.*ERROR.*)$")


def silent(_: str) -> None:
    """A progress that says nothing."""


def run_logged(command: Sequence[str], cwd: Path, log: Path, what: str, progress: Progress = silent) -> None:
    """Run `command` in `cwd`; its output is in `log`, which starts with the command itself.

    what: program and network, as an error names them. Raises ToolError naming the log.
    """
    with log.open("w", encoding="utf-8", errors="replace") as file:
        file.write(shlex.join(command) + "\n")
        file.flush()
        try:
            process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise ToolError(f"{what}: {command[0]} cannot be started ({error.strerror}); is it installed?") from error
        try:
            status = _follow(process, log, what, progress)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status != 0:
        raise ToolError(f"{what}: {_complaint(log) or f'failed with status {status}'}; log: {log}")


def _follow(process: subprocess.Popen[bytes], log: Path, what: str, progress: Progress) -> int:
    """Wait for the end; tell the phases that the log shows meanwhile."""
    started, told = time.monotonic(), ""
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.readline()  # the command
        while True:
            status = process.poll()
            for line in lines:
                phase = _phase(line)
                if phase and phase != told:
                    told = phase
                    progress(phase)
            if status is not None:
                return status
            if time.monotonic() - started > TIMEOUT_S:
                raise ToolError(f"{what}: no result after {TIMEOUT_S // 3600} hours; log: {log}")
            time.sleep(0.1)


def _phase(line: str) -> str | None:
    for pattern, text in _PHASES:
        found = pattern.search(line)
        if found:
            return text.format(found[1].lower())
    return None


def _complaint(log: Path) -> str | None:
    """The first error line of a log, else its last line."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()[1:] if line.strip()]
    errors = [found[1] for line in lines if (found := _ERROR.match(line))]
    return (errors or lines[-1:] or [None])[0]
