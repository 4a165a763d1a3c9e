"""The files of an HLS project beside its C++: test bench, scripts for the vendor's tools, driver, Makefile, README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.boards import Board, Hls
from edgeq.errors import InputError
from edgeq.formats import Format, Minifloat
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.lowering import signed_codes
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.hls import timing
from edgeq.hls.render import Border, borders, depths, top_name
from edgeq.ir import Graph, Value
from edgeq.resources import resource_dir
from edgeq.templating import fill


def device_of(board: Board) -> Hls:
    """The device of a board for high-level synthesis; InputError for others."""
    if board.hls is None:
        raise InputError(f"board {board.name}: is not one for high-level synthesis; choose one (edgeq boards)")
    return board.hls


def _names(flow: Dataflow, width: int) -> dict[str, Any]:
    return {"name": flow.name, "core": f"{flow.name}_core", "top": top_name(flow), "width": width}


def bench_files(flow: Dataflow, width: int) -> dict[str, str]:
    """Name -> text of the test bench: it reads codes from in<k>.txt of a folder and compares with out<k>.txt."""
    ins, outs = borders(flow, width)

    def port(border: Border) -> dict[str, Any]:
        note = str(border.stream.value or border.name).replace("\\", "/").replace('"', "'").replace("%", "%%")
        return {
            "name": border.name,
            "codes": border.codes,
            "container": border.container,
            "stream": border.stream,
            "note": note,
        }

    context = {**_names(flow, width), "inputs": [port(b) for b in ins], "outputs": [port(b) for b in outs]}
    shared = resource_dir("templates") / "hls" / "eq_bench.hpp"
    return {
        f"{flow.name}_bench.cpp": fill("hls/bench.cpp.j2", context),
        shared.name: shared.read_text("utf-8"),
    }


def codes_file(path: Path, codes: npt.NDArray[Any]) -> None:
    """Codes as text, one a line."""
    path.write_text("".join(f"{code}\n" for code in codes.astype(np.int64).reshape(-1).tolist()), "ascii")


def write_vectors(
    graph: Graph, folder: Path, inputs: Mapping[str, npt.NDArray[Any]], trace: Mapping[str, npt.NDArray[Any]]
) -> None:
    """The codes that a bench reads: in<k>.txt, and out<k>.txt for the outputs that the trace holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(graph.inputs):
        codes_file(folder / f"in{i}.txt", inputs[name])
    for i, name in enumerate(graph.outputs):
        if name in trace:
            codes_file(folder / f"out{i}.txt", trace[name])


def board_files(flow: Dataflow, board: Board) -> dict[str, str]:
    """Path -> text of what the board decides, but for the README."""
    ins, outs = borders(flow, device_of(board).dma_bits)
    context = _context(flow, board)
    driver = {
        **context,
        "inputs": [driver_port(flow.graph, b) for b in ins],
        "outputs": [driver_port(flow.graph, b) for b in outs],
    }
    return {
        "scripts/build.tcl": fill("hls/build.tcl.j2", context),
        "scripts/design.tcl": fill("hls/design.tcl.j2", context),
        "pynq/driver.py": fill("hls/driver.py.j2", driver),
        "Makefile": fill("hls/Makefile.j2", context),
    }


def readme(flow: Dataflow, board: Board, used: Usage, checked: int | None) -> str:
    """The README of a project. used: the estimate; checked: inferences that C simulation got right, or None."""
    width = device_of(board).dma_bits
    context = {
        **_context(flow, board),
        "used": used,
        "checked": checked,
        "cycles": timing.cycles(flow, width),
        "latency": timing.latency(flow, width),
        "deep": [(name, depth, flow.streams[name].width) for name, depth in depths(flow).items()],
    }
    return fill("hls/README.md.j2", context)


def _context(flow: Dataflow, board: Board) -> dict[str, Any]:
    """What several templates say: names, ports, DMAs and what they join."""
    width = device_of(board).dma_bits
    ins, outs = borders(flow, width)
    pairs = range(max(len(ins), len(outs)))
    dmas = [
        {
            "name": f"dma{k}",
            "source": f"in{k}" if k < len(ins) else None,
            "sink": f"out{k}" if k < len(outs) else None,
        }
        for k in pairs
    ]
    masters = [
        f"{dma['name']}/{port}"
        for dma in dmas
        for port, there in (("M_AXI_MM2S", dma["source"]), ("M_AXI_S2MM", dma["sink"]))
        if there
    ]
    return {
        **_names(flow, width),
        "graph": " ".join(flow.graph.name.split()),
        "board": board,
        "inputs": ins,
        "outputs": outs,
        "dmas": dmas,
        "masters": masters,
    }


def driver_port(graph: Graph, border: Border) -> dict[str, Any]:
    """What the driver has to know of an input or output."""
    index = int(border.name.lstrip("inout"))
    names = graph.inputs if border.name.startswith("in") else graph.outputs
    value = graph.values[names[index]]
    layout = list(graph.layouts.get(value.name, range(len(value.shape))))
    fmt: Any = value.format
    return {
        "name": value.name,
        "shape": [value.shape[layout.index(i)] for i in range(len(layout))],
        "axes": layout,
        "dtype": f"{'int' if signed_codes(fmt) else 'uint'}{border.container}",
        "bits": fmt.bits,
        "signed": signed_codes(fmt),
        "numbers": _numbers(fmt),
        "scale": _scale(value),
        "channel": fmt.channel_axis or 0,
        "zero": int(getattr(fmt, "zero_point", 0)),
        "rule": "half_away" if hasattr(fmt, "zero_point") else "half_up",
    }


def _numbers(fmt: Format) -> list[tuple[int, int]]:
    """Grid integers of a minifloat, ascending, with their codes; none of formats whose codes are numbers."""
    if not isinstance(fmt, Minifloat):
        return []
    greatest, sign = int(fmt.from_grid(np.array([fmt.max_magnitude]))[0]), 1 << (fmt.bits - 1)
    positive = [(fmt.to_grid_scalar(code), code) for code in range(greatest + 1)]
    return [(-grid, code | sign) for grid, code in reversed(positive[1:])] + positive


def _scale(value: Value) -> float | list[float]:
    """What one step of a code is worth: of all, or of each channel."""
    fmt: Any = value.format
    if hasattr(fmt, "zero_point"):
        return list(map(float, fmt.scale)) if isinstance(fmt.scale, tuple) else float(fmt.scale)
    return [2.0**-f for f in fmt.frac] if isinstance(fmt.frac, tuple) else float(2.0**-fmt.frac)
