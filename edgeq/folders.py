"""Files and folders that are whole or not there: written beside their place, renamed when all is done."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from edgeq.errors import FileError

#: the file by which a folder is known as a build, and what it says it is
MANIFEST = "manifest.json"
KIND = "edgeq build"
_MAX_BYTES = 64 << 20


def is_build_dir(folder: Path) -> bool:
    """Whether a folder is empty or was written by a build, so that a new build may replace it."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MAX_BYTES:
            return False
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("kind") == KIND


def checked_folder(out: Path) -> Path:
    """`out`, absolute; FileError if something is there that a build must not replace."""
    folder = out.absolute()
    if folder.exists() and not is_build_dir(folder):
        raise FileError(f"{out}: exists and is not a folder that an edgeq build wrote; choose another or remove it")
    return folder


def scratch_beside(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A scratch folder that can be renamed to `folder`."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def put_in_place(made: Path, folder: Path, aside: Path) -> None:
    """Rename the finished folder to its name; an earlier build there goes aside first and comes back on failure."""
    if folder.exists():
        os.replace(folder, aside)
    try:
        os.replace(made, folder)
    except OSError as error:
        if aside.exists():
            os.replace(aside, folder)
        raise FileError(f"{folder}: cannot be written ({error.strerror})") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, complete or not at all; FileError where the disk does not let it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
