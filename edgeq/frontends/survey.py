"""What a model file is made of and what of it edgeq does not read, found even where the import cannot succeed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: hindrances of one operator that are kept; the count says how many there are
MOST_KEPT = 3


@dataclass(frozen=True)
class Hindrance:
    """Something about one call that is not read: the tensor that it makes, what stands in the way, and a way out."""

    tensor: str
    fact: str
    way_out: str


@dataclass(frozen=True)
class Use:
    """One operator of the file.

    calls: how often it is used; read: calls that are read as they are; floats: calls on real numbers that calibration
    makes readable; hindrances: of the other calls, the first few.
    """

    op: str
    calls: int
    read: int
    floats: int
    hindrances: tuple[Hindrance, ...]

    @property
    def missing(self) -> int:
        """Calls that are not read."""
        return self.calls - self.read - self.floats


@dataclass(frozen=True)
class Survey:
    """The operators of a file, the most used first; kind: "tflite" or "onnx"."""

    name: str
    kind: str
    operators: tuple[Use, ...]

    @property
    def missing(self) -> int:
        """Calls that are not read."""
        return sum(use.missing for use in self.operators)

    @property
    def floats(self) -> int:
        """Calls on real numbers, which calibration makes readable."""
        return sum(use.floats for use in self.operators)

    def to_json(self) -> dict[str, Any]:
        """The object `file` of `edgeq inspect --json`."""
        rows = [{**asdict(use), "missing": use.missing} for use in self.operators]
        return {"name": self.name, "kind": self.kind, "missing": self.missing, "operators": rows}


class Tally:
    """Uses of operators while a file is walked through."""

    def __init__(self) -> None:
        self._calls: dict[str, list[int]] = {}
        self._hindrances: dict[str, list[Hindrance]] = {}

    def add(self, op: str, hindrance: Hindrance | None = None, *, floats: bool = False) -> None:
        """One call: read, read after calibration (`floats`), or hindered."""
        counts = self._calls.setdefault(op, [0, 0, 0])
        counts[0] += 1
        counts[1] += hindrance is None and not floats
        counts[2] += hindrance is None and floats
        if hindrance is not None:
            self._hindrances.setdefault(op, []).append(hindrance)

    def survey(self, name: str, kind: str) -> Survey:
        """What was counted."""
        uses = []
        for op, (calls, read, floats) in self._calls.items():
            uses.append(Use(op, calls, read, floats, tuple(self._hindrances.get(op, ())[:MOST_KEPT])))
        return Survey(name, kind, tuple(sorted(uses, key=lambda use: (-use.calls, use.op))))


def survey(path: str | os.PathLike[str]) -> Survey | None:
    """The survey of a .tflite or .onnx file; None for other kinds. Raises FileError where the file is damaged."""
    path = Path(path)
    look = _KINDS.get(path.suffix.lower())
    return look(path) if look else None


def _tflite(path: Path) -> Survey:
    from edgeq.frontends.tflite.file import read
    from edgeq.frontends.tflite.survey import survey_model

    return survey_model(read(path))


def _onnx(path: Path) -> Survey:
    from edgeq.frontends.onnx import hindrances, missing, quantised
    from edgeq.frontends.onnx.file import read

    model, tally = read(path), Tally()
    absent = {name: Hindrance(name, "is not read", found.way_out) for found in missing(model) for name in found.nodes}
    floats = not quantised(model)
    if not floats:
        for name, message in hindrances(model).items():
            fact, _, way = message.partition("; ")
            absent.setdefault(name, Hindrance(name, fact, way or "change this layer in the source network"))
    for call in model.operations:
        op = f"{call.domain}.{call.op}" if call.domain else call.op
        tally.add(op, absent.get(call.name), floats=floats and call.name not in absent)
    return tally.survey(model.name, "onnx")


_KINDS: dict[str, Callable[[Path], Survey]] = {".onnx": _onnx, ".tflite": _tflite}
