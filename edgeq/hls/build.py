"""build: from a graph to a project for Vitis HLS and Vivado in a folder, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq import __version__
from edgeq.boards import Board, load_board
from edgeq.errors import BudgetError, InputError, ToolError
from edgeq.folders import KIND, MANIFEST, checked_folder, put_in_place, scratch_beside
from edgeq.fpga.build import LINKS, part_labels
from edgeq.fpga.dataflow import Dataflow, multipliers, style_of
from edgeq.fpga.estimate import estimate, refuse_what_cannot_fit
from edgeq.fpga.lower import lower
from edgeq.fpga.toolchain.launch import Progress, silent
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.hls import timing
from edgeq.hls.project import bench_files, board_files, device_of, readme, write_vectors
from edgeq.hls.render import borders, top_name, write
from edgeq.hls.simulate import simulate
from edgeq.ir import Graph
from edgeq.ir.graph import expect_graph

VERSION = 1
#: samples of the golden vectors
SAMPLES = 8
#: what an estimate is, in the manifest
MODEL = (
    "engines of the Verilog twins: DSPs, block RAMs and cycles by the folding, LUTs and flip-flops as fitted to open "
    "synthesis of those twins for 7 series; cycles with intervals of 1 and 10 cycles from loop to loop; without "
    "processing system, interconnect and DMA; no synthesis of this project was run"
)


@dataclass(frozen=True)
class HlsBuild:
    """A finished project. parts: estimated usage by stage; checked: inferences that C simulation got right, or None."""

    path: Path
    board: Board
    graph: Graph
    flow: Dataflow
    parts: Mapping[str, Usage]
    checked: int | None

    @property
    def used(self) -> Usage:
        """Estimated usage of all stages."""
        return sum(self.parts.values(), Usage())

    @property
    def layers(self) -> dict[str, Usage]:
        """Estimated usage by layer; `links`: forks between layers."""
        labels, found = part_labels(self.flow), dict[str, Usage]()
        for part, used in self.parts.items():
            label = labels.get(part, LINKS)
            found[label] = found.get(label, Usage()) + used
        return found


def build(
    graph: Graph,
    board: Board | str,
    out: Path | str,
    *,
    inferences: float | None = None,
    dsps: int | None = None,
    style: str | None = None,
    clock_mhz: float | None = None,
    check: bool = True,
    progress: Progress = silent,
) -> HlsBuild:
    """Lower and render `graph` for `board` into the folder `out`; nothing of the vendor's runs.

    board:      a board for high-level synthesis, by object, name or file.
    out:        a new or empty folder, or that of an earlier build, which is replaced when all went well.
    inferences: inferences a second to reach with the fewest multipliers; by default as many as the board's allow.
    dsps:       multiplier blocks to spend, in place of all that the board has.
    style:      "dsp", "lut", "khot" or "constant" for all layers, as `edgeq.fpga.lower`.
    clock_mhz:  the clock that the processor gives the logic; by default the board's.
    check:      simulate the C++ with the golden vectors where a compiler and its headers are there, every value.

    Raises GraphError, RangeError and UnsupportedError for what cannot be made, BudgetError for what does not fit,
    ToolError where the simulated C++ differs from the emulator, FileError when `out` is not ours.
    """
    expect_graph(graph, "build")
    target = board if isinstance(board, Board) else load_board(board)
    if clock_mhz is not None:
        target = with_clock(target, clock_mhz)
    folder = checked_folder(Path(out))
    flow = make_flow(graph, target, inferences, dsps, style)
    parts = estimate(flow, target)
    try:
        refuse_what_cannot_fit(target, parts, part_labels(flow))
    except BudgetError as error:
        raise BudgetError(f"{error} (an estimate)") from None
    with scratch_beside(folder) as scratch:
        made = Path(scratch, folder.name)
        progress("writing the project")
        inputs, trace = write_project(flow, target, made)
        checked = _check(flow, device_of(target).dma_bits, inputs, trace, progress) if check else None
        result = HlsBuild(folder, target, graph, flow, parts, checked)
        (made / "README.md").write_text(readme(flow, target, result.used, checked), "utf-8")
        (made / MANIFEST).write_text(json.dumps(make_manifest(result), indent=1) + "\n", "utf-8")
        put_in_place(made, folder, Path(scratch, "old"))
    return result


def make_flow(
    graph: Graph, board: Board, inferences: float | None = None, dsps: int | None = None, style: str | None = None
) -> Dataflow:
    """The network's stages for a board, as `build` makes them; a target counts the way from loop to loop, too."""
    device = device_of(board)
    if inferences is None:
        return lower(graph, board, dsps=dsps, style=style)
    if not inferences > 0:
        raise InputError(f"target of {inferences} inferences a second: give a number above 0")
    budget = max(1, int(device.target_hz / inferences))
    try:
        flow = lower(graph, board, cycles=budget, dsps=dsps, style=style)
        over = timing.cycles(flow, device.dma_bits) - budget
        if over <= 0:
            return flow
        return lower(graph, board, cycles=max(1, budget - over), dsps=dsps, style=style)
    except BudgetError as error:
        clock = f"{device.target_hz / 1e6:g} MHz"
        raise BudgetError(f"{inferences:g} inferences a second at {clock}, {budget:,} cycles each: {error}") from None


def with_clock(board: Board, mhz: float) -> Board:
    """The board with another clock for its logic."""
    if not 1 <= mhz <= 800:
        raise InputError(f"clock of {mhz:g} MHz: give 1 to 800")
    return replace(board, hls=replace(device_of(board), target_hz=round(mhz * 1e6)))


def write_project(
    flow: Dataflow, board: Board, folder: Path
) -> tuple[dict[str, npt.NDArray[np.int64]], Mapping[str, npt.NDArray[np.int64]]]:
    """Write all but README and manifest; the golden inputs, and every value that the emulator makes of them."""
    from edgeq.emulator import executor

    width = device_of(board).dma_bits
    write(flow, folder / "src", width)
    inputs = golden_inputs(flow.graph, SAMPLES)
    trace = executor(flow.graph).trace(inputs)
    write_vectors(flow.graph, folder / "tb" / "vectors", inputs, trace)
    for name, text in bench_files(flow, width).items():
        (folder / "tb" / name).write_text(text, "utf-8")
    for name, text in board_files(flow, board).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return inputs, trace


def golden_inputs(graph: Graph, count: int, seed: int = 0) -> dict[str, npt.NDArray[np.int64]]:
    """Codes of a batch: random ones, then one sample each of least and of greatest codes."""
    rng = np.random.default_rng(seed)
    found = {}
    for name in graph.inputs:
        value = graph.values[name]
        low, high = value.format.code_range
        codes = rng.integers(low, high, (count, *value.shape), endpoint=True)
        codes[-2:] = np.array([low, high]).reshape(2, *(1,) * len(value.shape))
        found[name] = codes
    return found


def _check(
    flow: Dataflow,
    width: int,
    inputs: Mapping[str, npt.NDArray[np.int64]],
    trace: Mapping[str, npt.NDArray[np.int64]],
    progress: Progress,
) -> int | None:
    """Simulate the golden vectors; None where this computer cannot."""
    from edgeq.hls.simulate import find_compiler, find_headers

    try:
        find_compiler(), find_headers()
    except ToolError:
        return None
    progress("C simulation")
    found = simulate(flow, inputs, width=width)
    for node in flow.graph.nodes:
        for name in node.outputs:
            if not np.array_equal(found[name], trace[name]):
                raise ToolError(f"C simulation: layer {node.source or node.name} differs from the emulator in {name}")
    return SAMPLES


def make_manifest(result: HlsBuild) -> dict[str, Any]:
    """The manifest as a JSON object; paths in it are relative to the project."""
    flow, device = result.flow, device_of(result.board)
    ins, outs = borders(flow, device.dma_bits)
    return {
        "kind": KIND,
        "version": VERSION,
        "edgeq": __version__,
        "network": result.graph.name,
        "name": flow.name,
        "board": result.board.name,
        "part": device.part,
        "top": top_name(flow),
        "clock_mhz": device.target_hz / 1e6,
        "dma_bits": device.dma_bits,
        "estimate": figures(result),
        "checked": result.checked,
        "inputs": [{"port": b.name, "value": b.stream.value, "codes": b.codes, "beats": b.beats} for b in ins],
        "outputs": [
            {"port": b.name, "value": name, "codes": b.codes, "beats": b.beats}
            for b, name in zip(outs, result.graph.outputs, strict=True)
        ],
        "stages": [
            {"stage": s.name, "module": s.module, "node": s.node, "cycles": timing.stage_cycles(s, flow)}
            | result.parts[s.name].to_json()
            for s in flow.stages
        ],
    }


def figures(result: HlsBuild) -> dict[str, Any]:
    """The figures that build prints, all of them estimates."""
    flow, device = result.flow, device_of(result.board)
    labels, ops = part_labels(flow), {node.name: node.op for node in result.graph.nodes}
    steady, rows = timing.cycles(flow, device.dma_bits), []
    for name, used in result.layers.items():
        here = [stage for stage in flow.stages if labels.get(stage.name, LINKS) == name]
        rows.append(
            {
                "layer": name,
                "op": ", ".join(dict.fromkeys(ops[stage.node] for stage in here if stage.node)),
                "cycles": max((timing.stage_cycles(stage, flow) for stage in here), default=None),
                "multipliers": sum(multipliers(stage) for stage in here),
                "style": ", ".join(dict.fromkeys(filter(None, map(style_of, here)))) or None,
                **used.to_json(),
            }
        )
    return {
        "estimated": True,
        "model": MODEL,
        **result.used.to_json(),
        "available": {key: getattr(device, key) for key in ("luts", "ffs", "dsps", "brams")},
        "multipliers": flow.multipliers,
        "cycles_per_inference": steady,
        "latency_cycles": timing.latency(flow, device.dma_bits),
        "inferences_per_second": round(device.target_hz / steady, 1),
        "layers": rows,
    }
