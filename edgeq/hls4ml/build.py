"""build: hls4ml's project of a graph in a folder, with what the comparison found, differences included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq import __version__
from edgeq.boards import Board, load_board
from edgeq.folders import KIND, MANIFEST, checked_folder, put_in_place, scratch_beside
from edgeq.fpga.toolchain.launch import Progress, silent
from edgeq.hls.build import with_clock
from edgeq.hls.project import device_of
from edgeq.hls4ml.matrix import real
from edgeq.hls4ml.plan import Plan
from edgeq.hls4ml.simulate import HlsFourMl, require
from edgeq.ir import Graph
from edgeq.ir.graph import expect_graph
from edgeq.templating import fill
from edgeq.verify import VerifyResult, random_inputs, verify

VERSION = 1
#: samples of the comparison, and of hls4ml's test bench
SAMPLES = 16


@dataclass(frozen=True)
class HlsFourMlBuild:
    """A finished project. plan: the layers that hls4ml was given; result: how its C simulation compares."""

    path: Path
    board: Board
    graph: Graph
    plan: Plan
    result: VerifyResult


def build(
    graph: Graph,
    board: Board | str,
    out: Path | str,
    *,
    io: str | None = None,
    clock_mhz: float | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> HlsFourMlBuild:
    """Let hls4ml convert and write `graph` for `board` into the folder `out`, compile it and compare every value.

    board:   a board for high-level synthesis, by object, name or file; its part and clock go into the project.
    out:     a new or empty folder, or that of an earlier build, which is replaced.
    io:      "parallel" or "stream" between layers (`make_plan`).
    samples: random inputs, extremes among them, for the comparison.

    A difference is a result (`result.equal`), the project is kept and says so. Raises UnsupportedError for a layer that
    hls4ml has no exact equal for, ToolError where hls4ml or its C++ fails, FileError when `out` is not ours.
    """
    expect_graph(graph, "build")
    require()
    target = board if isinstance(board, Board) else load_board(board)
    if clock_mhz is not None:
        target = with_clock(target, clock_mhz)
    device_of(target)
    folder = checked_folder(Path(out))
    with scratch_beside(folder) as scratch:
        made = Path(scratch, folder.name)
        executor = HlsFourMl(graph, target, io, made)
        codes = random_inputs(graph, samples, seed)
        progress("hls4ml converts, compiles and runs")
        result = verify(graph, executor, codes=codes, batch=samples)
        finished = HlsFourMlBuild(folder, target, graph, executor.plan, result)
        write_bench(graph, made / "tb_data", codes)
        manifest = make_manifest(finished)
        (made / "README.md").write_text(fill("hls4ml/README.md.j2", manifest), "utf-8")
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        put_in_place(made, folder, Path(scratch, "old"))
    return finished


def write_bench(graph: Graph, folder: Path, codes: Mapping[str, npt.NDArray[Any]]) -> None:
    """What hls4ml's test bench reads: a line for each sample, inputs and the emulator's outputs as numbers."""
    from edgeq.emulator import executor

    trace = executor(graph).trace(codes)
    files = {"tb_input_features.dat": graph.inputs, "tb_output_predictions.dat": graph.outputs}
    folder.mkdir(exist_ok=True)
    for file, names in files.items():
        columns = []
        for name in names:
            frac = graph.values[name].format.frac
            assert isinstance(frac, int)
            columns.append(real(np.asarray(trace[name]), frac).reshape(len(trace[name]), -1))
        lines = (" ".join(repr(number) for number in row) for row in np.concatenate(columns, axis=1).tolist())
        (folder / file).write_text("".join(f"{line}\n" for line in lines), "ascii")


def make_manifest(made: HlsFourMlBuild) -> dict[str, Any]:
    """The manifest as a JSON object."""
    device = device_of(made.board)
    return {
        "kind": KIND,
        "version": VERSION,
        "edgeq": __version__,
        "backend": "hls4ml",
        "hls4ml": version("hls4ml"),
        "network": made.graph.name,
        "top": made.plan.name,
        "board": made.board.name,
        "part": device.part,
        "clock_mhz": device.target_hz / 1e6,
        "io": made.plan.io,
        **made.result.to_json(),
        "summary": made.result.line(),
        "layers": [
            {
                "layer": layer.name,
                "kind": layer.kind,
                "value": layer.value,
                "types": {key: str(kind) for key, kind in layer.types.items()},
            }
            for layer in made.plan.layers
        ],
    }
