"""A board file's table while it is read: every complaint names the file and the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeq.errors import FileError


class Table:
    """One TOML table being read: every complaint names the file and the field."""

    def __init__(self, data: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self.data = data
        self.path = path
        self.prefix = prefix
        self.known: set[str] = set()

    def fail(self, key: str, fact: str) -> FileError:
        return FileError(f"board file {self.path}: field {self.prefix}{key}: {fact}")

    def _get(self, key: str, kind: type, what: str, required: bool) -> Any:
        self.known.add(key)
        if key not in self.data:
            if required:
                raise self.fail(key, f"missing; give {what}")
            return None
        value = self.data[key]
        if type(value) is not kind:  # bool is an int in Python, not here
            raise self.fail(key, f"is {value!r}; give {what}")
        return value

    def text(self, key: str, choices: Sequence[str] = ()) -> str:
        value: str = self._get(key, str, "a text", True)
        if not value.strip():
            raise self.fail(key, "is empty; give a text")
        if choices and value not in choices:
            raise self.fail(key, f"is {value!r}; choose one of {', '.join(choices)}")
        return value

    def integer(self, key: str, lowest: int, highest: int) -> int:
        value: int = self._get(key, int, "a whole number", True)
        if not lowest <= value <= highest:
            raise self.fail(key, f"is {value}; give {lowest} to {highest}")
        return value

    def flag(self, key: str) -> bool:
        """True, false, or not there, which is false."""
        return bool(self._get(key, bool, "true or false", False))

    def texts(self, key: str, choices: Sequence[str] = (), required: bool = False) -> tuple[str, ...]:
        values = self._get(key, list, "a list of texts", required)
        for value in values or ():
            if not isinstance(value, str) or not value:
                raise self.fail(key, f"holds {value!r}; give texts only")
            if choices and value not in choices:
                raise self.fail(key, f"holds {value!r}; choose from {', '.join(choices)}")
        return tuple(values or ())

    def table(self, key: str) -> Table | None:
        value = self._get(key, dict, "a table", False)
        return None if value is None else Table(value, self.path, f"{self.prefix}{key}.")

    def tables(self, key: str) -> list[Table]:
        values = self._get(key, list, f"[[{key}]] tables", False) or []
        if not all(isinstance(value, dict) for value in values):
            raise self.fail(key, f"give [[{key}]] tables")
        return [Table(v, self.path, f"{self.prefix}{key}[{i}].") for i, v in enumerate(values)]

    def done(self) -> None:
        """Complain of fields that nothing reads: a misspelt field must not pass silently."""
        for key in self.data:
            if key not in self.known:
                raise self.fail(key, f"unknown; this table takes {', '.join(sorted(self.known))}")
