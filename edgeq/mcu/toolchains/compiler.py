"""Starting a compiler: its output is kept in a log, and one that cannot start or does not end is one clear error."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeq.errors import ToolError

TIMEOUT_S = 600


def compile_logged(command: Sequence[str], log: Path, what: str) -> tuple[int, str]:
    """Run `command` to its end; returns its exit status and output, which the file `log` keeps beside the command.

    what: compiler and target, as an error names them. Raises ToolError.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        raise ToolError(f"{command[0]}: cannot be started ({error.strerror}); is it installed?") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{what}: no result after {TIMEOUT_S} s") from error
    output = done.stdout.decode("utf-8", "replace")
    log.write_text(shlex.join(command) + "\n" + output, "utf-8")
    return done.returncode, output
