"""Running a graph as hls4ml's C++: a project in a scratch folder, compiled by hls4ml, every layer that it can show."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.hls.project import device_of
from edgeq.hls4ml.plan import Plan, make_plan
from edgeq.ir import Graph

Codes = npt.NDArray[np.int64]


@dataclass
class HlsFourMl:
    """An executor for `verify`: the graph as hls4ml has it.

    A value may be absent from its traces where hls4ml has no layer for it (a flatten).
    folder: where the project is left, as hls4ml wrote it; None: nowhere.
    """

    graph: Graph
    board: Board
    io: str | None = None
    folder: Path | None = None
    name: str = "hls4ml"
    may_skip: bool = True

    def __post_init__(self) -> None:
        self.plan = make_plan(self.graph, self.io)

    def trace(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Codes of a batch, of every value that hls4ml shows; ToolError where it fails or shows what is no code."""
        with tempfile.TemporaryDirectory(prefix="edgeq-hls4ml-") as scratch:
            place = Path(scratch)
            shown = _run(self.plan, self.board, inputs, place)
            if self.folder is not None:
                shutil.copytree(place / self.plan.name, self.folder, dirs_exist_ok=True)
        found: dict[str, npt.NDArray[Any]] = {name: np.asarray(codes) for name, codes in inputs.items()}
        return found | {name: _codes(self.graph, name, array) for name, array in shown.items()}


def _codes(graph: Graph, name: str, array: npt.NDArray[np.float64]) -> Codes:
    """Real numbers as codes of the value's format."""
    frac = graph.values[name].format.frac
    assert isinstance(frac, int)
    scaled = np.ldexp(array, frac)
    codes = scaled.astype(np.int64)
    if not np.array_equal(codes, scaled):
        raise ToolError(f"hls4ml: what it shows of {name} is not on that value's grid of 2^-{frac}")
    return codes


def _run(plan: Plan, board: Board, inputs: Mapping[str, npt.NDArray[Any]], place: Path) -> dict[str, Any]:
    """Let the worker do it in the folder `place`."""
    require()
    plan.graph.save(place / "net.edgeq")
    np.savez(place / "batch.npz", allow_pickle=False, **{name: np.asarray(inputs[name]) for name in plan.graph.inputs})
    device = device_of(board)
    job = {
        "graph": "net.edgeq",
        "batch": "batch.npz",
        "answer": "answer.npz",
        "io": plan.io,
        "part": device.part,
        "clock_ns": round(1e9 / device.target_hz, 4),
    }
    (place / "job.json").write_text(json.dumps(job), "utf-8")
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "edgeq.hls4ml.worker", "job.json"]
    done = subprocess.run(
        command, cwd=place, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line or "Assertion" in line] or lines[-1:]
        line = errors[0].strip().removeprefix("hls4ml: ") if errors else f"ended with {done.returncode}"
        raise ToolError(f"hls4ml: {line}")
    with np.load(place / "answer.npz", allow_pickle=False) as archive:
        return dict(archive)


def require() -> None:
    """ToolError unless hls4ml and the compiler that it calls are there."""
    if importlib.util.find_spec("hls4ml") is None:
        raise ToolError("--backend hls4ml needs hls4ml: pip install 'edgeq[hls]'")
    if shutil.which("g++") is None:
        raise ToolError("--backend hls4ml needs g++, which hls4ml calls by that name: install it")


def available() -> bool:
    """Whether hls4ml can be compiled and run here."""
    try:
        require()
    except ToolError:
        return False
    return True
