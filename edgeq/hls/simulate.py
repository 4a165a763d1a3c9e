"""C simulation: the rendered project compiled for this computer, every stream that carries a value watched."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ToolError
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.simulate import call
from edgeq.fpga.taps import Codes, first_missing, read_taps, trace_of
from edgeq.hls.project import bench_files, write_vectors
from edgeq.hls.render import write

#: what the set-up script of Vitis HLS says where it is installed
VENDOR_VARIABLE = "XILINX_HLS"
#: width of the AXI-Streams where no board says it
WIDTH = 32
FLAGS = ("-std=c++14", "-O1", "-w")


def find_headers() -> Path:
    """The folder of ap_int.h and hls_stream.h: that of the installed hls4ml, else that of Vitis HLS."""
    spec = importlib.util.find_spec("hls4ml")
    places = [
        Path(place, "templates", "vivado", "ap_types")
        for place in (spec.submodule_search_locations if spec else None) or ()
    ]
    if vendor := os.environ.get(VENDOR_VARIABLE):
        places.append(Path(vendor, "include"))
    for folder in places:
        if (folder / "ap_int.h").is_file():
            return folder
    raise ToolError(
        "C simulation needs ap_int.h and hls_stream.h: pip install edgeq[hls] (it brings hls4ml), or start from a "
        f"shell in which settings64.sh of Vitis HLS has set {VENDOR_VARIABLE}"
    )


def find_compiler() -> list[str]:
    """How a C++ compiler is started; ToolError where there is none."""
    for name in ("g++", "c++", "clang++"):
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("ziglang") is not None:
        # its own default is to stop where a shift is as wide as its operand, which ap_int.h takes care of
        return [sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined"]
    raise ToolError("no C++ compiler: install g++ or clang, or pip install ziglang")


def available_compilers() -> list[str]:
    """What can simulate C++ for HLS here: a compiler's name, or nothing."""
    try:
        find_headers()
        command = find_compiler()
    except ToolError:
        return []
    return [f"{'zig c++' if len(command) > 1 else Path(command[0]).name} with ap_types"]


def simulate(
    flow: Dataflow, inputs: Mapping[str, npt.NDArray[Any]], *, width: int = WIDTH, folder: Path | None = None
) -> dict[str, Codes]:
    """Value -> codes, batch first, of a batch of input codes (graph layout) in C simulation.

    width: of the AXI-Streams in bits; folder: where to build, a temporary folder by default. What an output's value has
    is what came through its AXI-Stream. Raises ToolError where a compiler or its headers are missing, where a stage
    takes from an empty stream or leaves beats in one, naming the first layer whose stream is incomplete.
    """
    compiler, headers = find_compiler(), find_headers()
    with tempfile.TemporaryDirectory(prefix="edgeq-hls-") as temporary:
        place = Path(folder or temporary)
        names = write(flow, place, width)
        for name, text in bench_files(flow, width).items():
            (place / name).write_text(text, "utf-8")
        for stale in place.glob("*.tap"):
            stale.unlink()
        write_vectors(flow.graph, place, inputs, {})
        files = [name for name in (*names, f"{flow.name}_bench.cpp") if name.endswith(".cpp")]
        call([*compiler, *FLAGS, "-DEQ_TAPS", f"-I{headers}", "-o", "bench", *files], place, "build.log")
        return _run(flow, place, next(iter(inputs.values())).shape[0])


def _run(flow: Dataflow, folder: Path, count: int) -> dict[str, Codes]:
    """Run the bench, read its taps, and take the outputs from behind the border."""
    failed: ToolError | None = None
    try:
        call([str(folder / "bench"), "."], folder, "run.log")
    except ToolError as error:
        failed = error
    taps = read_taps(flow, folder)
    if missing := first_missing(flow, taps, count):
        raise ToolError(f"C simulation: {missing}")
    complaint = next((x for x in (folder / "run.log").read_text("utf-8").splitlines() if "WARNING" in x), None)
    if failed or complaint:
        raise failed or ToolError(f"C simulation: {complaint}")
    trace = trace_of(flow, taps, count)
    for i, name in enumerate(flow.graph.outputs):
        codes = np.array((folder / f"found{i}.txt").read_text("ascii").split(), dtype=np.int64)
        trace[name] = codes.reshape(count, *flow.graph.values[name].shape)
    return trace


__all__ = ["find_compiler", "find_headers", "simulate"]
