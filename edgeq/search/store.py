"""Store: finished results, one JSON line each, so that a search that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeq.errors import FileError

#: of the lines' meaning; a result of another version is not used
VERSION = 1


def key_of(*parts: Any) -> str:
    """A short key of plain data: the same data give the same key on every machine."""
    text = json.dumps([VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Store:
    """Results by key, in a file (or in memory only, without a path).

    Each new result is written beside the file with all others, which then takes its place: whenever the program is
    stopped, the file holds whole lines only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._found: dict[str, dict[str, Any]] = dict(_read(path)) if path is not None and path.exists() else {}

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def get(self, key: str) -> dict[str, Any] | None:
        """The result of a key, or None."""
        return self._found.get(key)

    def put(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result of plain data."""
        self._found[key] = result
        if self.path is None:
            return
        lines = [json.dumps({"key": key, **found}, allow_nan=False) for key, found in self._found.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{self.path.name}.", dir=self.path.parent) as scratch:
                made = Path(scratch, self.path.name)
                made.write_text("".join(f"{line}\n" for line in lines), "utf-8")
                os.replace(made, self.path)
        except OSError as error:
            raise FileError(f"results {self.path}: cannot be written ({error.strerror})") from None


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"results {path}: cannot be read ({' '.join(str(error).split())})") from None
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            key = found.pop("key")
        except (ValueError, AttributeError, KeyError, RecursionError):
            raise FileError(f"results {path}: line {number} is no result; remove the file to start anew") from None
        yield str(key), found
