"""Building our QEMU plugin with the host's compiler, once, into the cache folder."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edgeq.errors import ToolError
from edgeq.resources import cache_dir, resource_dir

BUILD_TIMEOUT_S = 120


def _compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise ToolError("instruction counter: no C compiler on this machine; install gcc, clang or ziglang")


@functools.cache
def interface_version(program: str) -> int:
    """Return the plugin interface version to declare for the QEMU `program`: 2 from QEMU 9.0 on, else 1."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program}: cannot be started ({error})") from error
    found = re.search(rb"version (\d+)\.", done.stdout)
    return 2 if found and int(found[1]) >= 9 else 1


def build_plugin(version: int) -> Path:
    """Return the plugin as a shared library, built now if the cache has none for this source and compiler."""
    source = resource_dir("firmware") / "plugin" / "edgeq_count.c"
    flags = ["-std=c99", "-O2", "-shared", "-fPIC", f"-DEDGEQ_PLUGIN_VERSION={version}"]
    if sys.platform == "darwin":
        flags += ["-undefined", "dynamic_lookup"]
    compiler = _compiler()
    key = hashlib.sha256("\0".join([source.read_text("utf-8"), *compiler, *flags, sys.platform]).encode())
    target = cache_dir() / f"edgeq_count-{key.hexdigest()[:20]}.so"
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".plugin.", dir=target.parent) as scratch:
            built = Path(scratch, target.name)
            done = subprocess.run(
                [*compiler, *flags, str(source), "-o", str(built)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
            if done.returncode != 0:
                lines = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["no message"]
                raise ToolError(f"instruction counter: {compiler[0]} cannot build the QEMU plugin: {lines[0]}")
            os.replace(built, target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"instruction counter: the QEMU plugin cannot be built in {target.parent} ({error})") from error
    return target
