"""build: from a graph to a bitstream in a folder, all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.boards import Board, load_board
from edgeq.errors import BudgetError, EdgeqError, InputError, ToolError
from edgeq.folders import MANIFEST, checked_folder, put_in_place, scratch_beside
from edgeq.fpga.board_files import TOP, board_files
from edgeq.fpga.dataflow import Dataflow, Stage
from edgeq.fpga.estimate import estimate, refuse_what_cannot_fit
from edgeq.fpga.lower import lower
from edgeq.fpga.manifest import make_manifest
from edgeq.fpga.measure import Timing, measure
from edgeq.fpga.protocol import network_shape, rtl_parameters
from edgeq.fpga.render import write
from edgeq.fpga.toolchain.families import device_of
from edgeq.fpga.toolchain.flow import Bitstream, Project, make_bitstream
from edgeq.fpga.toolchain.launch import Progress, silent
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.fpga.toolchain.pll import Clock, choose_clock, wanted_clock
from edgeq.fpga.toolchain.toolset import Toolset, find_toolset
from edgeq.ir import Graph
from edgeq.ir.graph import expect_graph

#: place and route again, with a slower clock, at most so often
ROUNDS = 3
#: what a clock leaves to the figure that place and route gave for another one
MARGIN = 0.97
BORDER = "border"
LINKS = "links"


@dataclass(frozen=True)
class FpgaBuild:
    """A finished build.

    path: the project folder; flow: the network as stages; clock: what the bitstream runs at; made: what the tools
    wrote and said; timing: cycles from simulation, or None where nothing simulates.
    """

    path: Path
    board: Board
    graph: Graph
    flow: Dataflow
    clock: Clock
    made: Bitstream
    timing: Timing | None

    @property
    def layers(self) -> dict[str, Usage]:
        """Post-route usage by layer; `links`: FIFOs and forks between layers; `border`: UART, reset, PLL."""
        found: dict[str, Usage] = {}
        labels = part_labels(self.flow)
        for part, used in self.made.parts.items():
            label = labels.get(part, BORDER)
            found[label] = found.get(label, Usage()) + used
        return found

    @property
    def speeds(self) -> dict[str, float]:
        """MHz that each layer reaches by the longest path into one of its registers; named as in `layers`."""
        found: dict[str, float] = {}
        labels = part_labels(self.flow)
        for part, mhz in self.made.speed.parts.items():
            label = labels.get(part, BORDER)
            found[label] = min(found.get(label, mhz), mhz)
        return found

    @property
    def slowest(self) -> tuple[str, str]:
        """The stages that the longest path starts and ends in; `border`: none of the network's."""
        start, end = self.made.speed.slowest
        return start or BORDER, end or BORDER

    def stages_by_layer(self) -> dict[str, list[Stage]]:
        """The stages that each layer is made of."""
        found: dict[str, list[Stage]] = {}
        for stage in self.flow.stages:
            found.setdefault(part_labels(self.flow)[stage.name], []).append(stage)
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
    toolchain: str | None = None,
    simulate: bool = True,
    progress: Progress = silent,
) -> FpgaBuild:
    """Lower, render, synthesise, place and route `graph` for `board` into the folder `out`.

    board:      an FPGA board, by object, name or file.
    out:        a new or empty folder, or that of an earlier build, which is replaced when all went well.
    inferences: inferences a second to reach with the fewest multipliers; by default as many as the board's allow.
    dsps:       multiplier blocks to spend, in place of all that the board has.
    style:      "dsp", "lut", "khot" or "constant" for all layers, as `edgeq.fpga.lower`; by default
                blocks, and where a number of inferences asks for more than there are, logic for the layers that are
                cheapest there (`edgeq.fpga.styles`).
    clock_mhz:  the clock to try; by default the board's target. Where the design is slower, the next lower one that
                it reaches is used.
    toolchain:  "native" or "yowasp"; by default what is there.
    simulate:   count cycles of an inference in the simulated Verilog.

    Raises GraphError, RangeError and UnsupportedError for what cannot be made, BudgetError for what does not fit,
    ToolError when a tool fails (its log is kept beside `out`), FileError when `out` is not ours.
    """
    expect_graph(graph, "build")
    target = board if isinstance(board, Board) else load_board(board)
    fpga = device_of(target)
    clock = wanted_clock(target, clock_mhz)
    tools = find_toolset(fpga.family, toolchain)
    folder = checked_folder(Path(out))
    network_shape(graph)
    flow = make_flow(graph, target, clock, inferences, dsps, style)
    try:
        refuse_what_cannot_fit(target, estimate(flow, target), part_labels(flow))
    except BudgetError as error:
        rate = fitting(graph, target, clock, inferences, dsps, style) if inferences else 0
        raise BudgetError(f"{error}; about {rate:,} inferences a second fit" if rate else str(error)) from None
    with scratch_beside(folder) as scratch:
        made = Path(scratch, folder.name)
        made.mkdir()
        try:
            clock, bitstream = _reach(flow, target, clock, tools, made, progress)
        except (ToolError, BudgetError) as error:
            raise _with_kept_logs(error, made, folder.with_name(f"{folder.name}.logs")) from error
        timing = measure(flow, progress) if simulate else None
        result = FpgaBuild(folder, target, graph, flow, clock, _moved(bitstream, made, folder), timing)
        manifest = json.dumps(make_manifest(result, tools), indent=1) + "\n"
        (made / MANIFEST).write_text(manifest, "utf-8")
        put_in_place(made, folder, Path(scratch, "old"))
    return result


def make_flow(
    graph: Graph, board: Board, clock: Clock, inferences: float | None, dsps: int | None, style: str | None
) -> Dataflow:
    """The network folded for the board: its multipliers, or a number of inferences a second."""
    if inferences is not None:
        if not inferences > 0:
            raise InputError(f"target of {inferences} inferences a second: give a number above 0")
        return lower(graph, board, cycles=max(1, int(clock.hz / inferences)), dsps=dsps, style=style)
    return lower(graph, board, dsps=dsps, style=style)


def fitting(graph: Graph, board: Board, clock: Clock, inferences: float, dsps: int | None, style: str | None) -> int:
    """The most inferences a second, up to `inferences`, of which the estimate says that they fit; 0 where none do."""
    low, high = 0, int(inferences)
    while low < high:
        middle = (low + high + 1) // 2
        try:
            flow = make_flow(graph, board, clock, middle, dsps, style)
            refuse_what_cannot_fit(board, estimate(flow, board), part_labels(flow), trust=1.0)
            low = middle
        except BudgetError:
            high = middle - 1
    return low


def part_labels(flow: Dataflow) -> dict[str, str]:
    """Stage -> the user's name of its layer, in full: shortened names may be equal."""
    nodes = {node.name: node for node in flow.graph.nodes}
    found = {}
    for stage in flow.stages:
        node = nodes.get(stage.node)
        found[stage.name] = LINKS if node is None else node.source or node.name
    return found


def _reach(
    flow: Dataflow, board: Board, clock: Clock, tools: Toolset, folder: Path, progress: Progress
) -> tuple[Clock, Bitstream]:
    """Make the bitstream; again with a slower clock until the design is fast enough for it."""
    for _ in range(ROUNDS):
        project = write_project(flow, board, clock, tools, folder)
        made = make_bitstream(project, tools, progress)
        if made.fmax_mhz * 1e6 >= clock.hz:
            return clock, made
        progress(f"{made.fmax_mhz:.1f} MHz reached, {clock.hz / 1e6:.1f} wanted: again with a slower clock")
        wanted, clock = clock, choose_clock(board, int(made.fmax_mhz * 1e6 * MARGIN))
    slowest = " to ".join(part_labels(flow).get(part, BORDER) for part in made.speed.slowest)
    raise ToolError(
        f"timing: {made.fmax_mhz:.1f} MHz reached, {wanted.hz / 1e6:.1f} wanted after {ROUNDS} rounds; the longest "
        f"path is {slowest}; ask for a slower clock; log: {made.logs['nextpnr']}"
    )


def write_project(flow: Dataflow, board: Board, clock: Clock, tools: Toolset, folder: Path) -> Project:
    """Write Verilog, memories, constraints, Makefile and README; what the tools need to know of them."""
    borders = ("eq_uart_host", "eq_lanes")
    rendered = write(flow, folder, extra=borders)
    ends = {"in_lanes": flow.streams[flow.inputs[0]].lanes, "out_lanes": flow.streams[flow.outputs[0]].lanes}
    host = {**rtl_parameters(flow.graph), **ends}
    for name, text in board_files(board, clock, flow.name, rendered.top, host, tools):
        (folder / name).write_text(text, "utf-8")
    sources = (f"{TOP}.v", "clock.v", *(path.name for path in rendered.files))
    labels = part_labels(flow)
    return Project(folder, board, TOP, rendered.top, tuple(labels), sources, clock.hz / 1e6, labels)


def _with_kept_logs(error: EdgeqError, made: Path, kept: Path) -> EdgeqError:
    """The error, with the logs moved to where they outlive the scratch folder."""
    logs = sorted((made / "build").glob("*.log"))
    if not logs:
        return error
    kept.mkdir(exist_ok=True)
    for log in logs:
        shutil.copyfile(log, kept / log.name)
    text = str(error).replace(str(made / "build"), str(kept)).replace(f"{made}{os.sep}", "")
    return type(error)(text)


def _moved(made: Bitstream, old: Path, new: Path) -> Bitstream:
    """The result with the paths of its final place."""
    logs: Mapping[str, Path] = {tool: new / log.relative_to(old) for tool, log in made.logs.items()}
    return replace(made, path=new / made.path.relative_to(old), logs=logs)
