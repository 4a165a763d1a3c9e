"""The tool chain: a tiny design to a bitstream on each family, what it says of it, and how it fails."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from edgeq.boards import load_board
from edgeq.errors import BudgetError, ToolError
from edgeq.fpga.board_files import board_files
from edgeq.fpga.toolchain import Project, Usage, available_toolsets, find_toolset, make_bitstream, synthesise
from edgeq.fpga.toolchain.flow import check_fit
from edgeq.fpga.toolchain.launch import run_logged
from edgeq.fpga.toolchain.netlist import cells_by_prefix
from edgeq.fpga.toolchain.pll import choose_clock
from edgeq.resources import resource_dir

#: sums of four squares: one multiplier in the only stage, `total`
CORE = """
module sum_of_squares (
    input clk, input rst, input [7:0] s_data, input s_valid, output s_ready,
    output reg [17:0] m_data, output reg m_valid, input m_ready
);
    reg signed [7:0] x;
    reg signed [15:0] square;
    reg [17:0] sum;
    reg [2:0] count;
    assign s_ready = !m_valid || m_ready;
    always @(posedge clk) begin
        if (s_valid && s_ready) begin
            x <= s_data;
            square <= x * x;
            sum <= count == 3'd5 ? 18'd0 : sum + square;
            count <= count == 3'd5 ? 3'd0 : count + 3'd1;
            m_data <= sum;
        end
        m_valid <= s_valid && s_ready && count == 3'd5 || m_valid && !m_ready;
        if (rst) begin m_valid <= 1'b0; count <= 3'd0; sum <= 18'd0; end
    end
endmodule
module tiny_core (
    input clk, input rst, input [7:0] in0_data, input in0_valid, output in0_ready,
    output [17:0] out0_data, output out0_valid, input out0_ready
);
    sum_of_squares total (
        .clk(clk), .rst(rst), .s_data(in0_data), .s_valid(in0_valid), .s_ready(in0_ready),
        .m_data(out0_data), .m_valid(out0_valid), .m_ready(out0_ready)
    );
endmodule
"""
BOARDS = ["icebreaker", "ulx3s-85f", "colorlight-i5", "orangecrab-25f", "tang-nano-9k", "tang-nano-20k"]
HOST = {"IN_BITS": 8, "IN_BEATS": 6, "OUT_BITS": 18, "OUT_BEATS": 1, "ID": 7}


def tiny(folder: Path, name: str) -> Project:
    """The project of the tiny design for a board; skips when the family's tools are missing."""
    board = load_board(name)
    assert board.fpga is not None
    if not available_toolsets(board.fpga.family):
        pytest.skip(f"no tools for {board.fpga.family}: pip install edgeq[fpga]")
    tools = find_toolset(board.fpga.family)
    clock = choose_clock(board, board.fpga.target_hz)
    sources = ["tiny_core.v"]
    (folder / "tiny_core.v").write_text(CORE, "utf-8")
    for file, text in board_files(board, clock, "tiny", "tiny_core", HOST, tools):
        (folder / file).write_text(text, "utf-8")
        sources += [file] if file.endswith(".v") else []
    for path in resource_dir("hls").glob("rtl/*.v"):
        shutil.copy(path, folder)
        sources.append(path.name)
    return Project(folder, board, "top", "tiny_core", ("total",), tuple(sources), clock.hz / 1e6)


# The first call of each tool compiles it, which takes a minute or more: CI does this once in the heavy suites.
@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", ["icebreaker", "ulx3s-85f", "colorlight-i5", "orangecrab-25f", "tang-nano-9k", "tang-nano-20k"]
)
def test_a_tiny_design_becomes_a_bitstream(tmp_path: Path, name: str) -> None:
    project = tiny(tmp_path, name)
    phases: list[str] = []
    made = make_bitstream(project, progress=phases.append)
    assert made.path.stat().st_size > 10_000
    assert phases
    assert made.parts["total"].dsps == made.used.dsps >= 1
    assert 20 < made.parts["total"].luts < made.used.luts < 2_000
    assert made.parts["total"].ffs >= 18
    assert made.fmax_mhz > project.mhz
    assert set(made.speed.parts) <= {"total", ""}
    assert made.speed.parts["total"] > project.mhz
    assert all(log.is_file() for log in made.logs.values())
    assert "yosys" in made.tools


@pytest.mark.heavy
def test_a_constraint_for_a_pin_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    project = tiny(tmp_path, "icebreaker")
    pins = tmp_path / "top.pcf"
    pins.write_text(pins.read_text("utf-8").replace("uart_rx 6", "uart_rx 99"), "utf-8")
    with pytest.raises(ToolError, match=r"^place and route: ERROR: .*99.*; log: .*nextpnr\.log$"):
        make_bitstream(project)


@pytest.mark.heavy
def test_an_error_in_the_verilog_is_one_line(tmp_path: Path) -> None:
    project = tiny(tmp_path, "icebreaker")
    (tmp_path / "tiny_core.v").write_text(CORE.replace("endmodule", "endmodul", 1), "utf-8")
    with pytest.raises(ToolError, match=r"^synthesis: .*tiny_core\.v.*ERROR.*; log: .*yosys\.log$|^synthesis: .*ERROR"):
        synthesise(project)


def test_what_does_not_fit_names_the_part(tmp_path: Path) -> None:
    parts = {"conv_1": Usage(luts=100, dsps=3), "conv_2": Usage(dsps=6), "": Usage(luts=900)}
    check_fit(load_board("ulx3s-85f"), parts)
    with pytest.raises(BudgetError, match=r"board icebreaker: 9 DSPs are needed, it has 8; conv_2 needs most, 6; ask"):
        check_fit(load_board("icebreaker"), parts)


def test_a_tool_that_fails_leaves_its_log(tmp_path: Path) -> None:
    told: list[str] = []
    lines = ["2.1. Executing PROC pass", "Info: Routing..", "ERROR: no room"]
    code = f"import sys; print(*{lines}, sep='\\n'); sys.exit(3)"
    with pytest.raises(ToolError, match=r"^routing: ERROR: no room; log: .*x\.log$"):
        run_logged([sys.executable, "-c", code], tmp_path, tmp_path / "x.log", "routing", told.append)
    assert told == ["yosys proc", "routing"]
    assert "no room" in (tmp_path / "x.log").read_text("utf-8")
    with pytest.raises(ToolError, match=r"^routing: failed with status 4|^routing: .*exit\(4\)"):
        run_logged([sys.executable, "-c", "import sys; sys.exit(4)"], tmp_path, tmp_path / "y.log", "routing")
    with pytest.raises(ToolError, match="cannot be started"):
        run_logged([str(tmp_path / "none")], tmp_path, tmp_path / "z.log", "routing")


def test_tools_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="toolchain 'vivado': unknown"):
        find_toolset("ecp5", "vivado")
    monkeypatch.setattr("shutil.which", lambda *args, **kwargs: None)
    assert available_toolsets("ecp5") == []
    with pytest.raises(ToolError, match=r"family ecp5: the FPGA tools are not installed; pip install 'edgeq\[fpga\]'"):
        find_toolset("ecp5")


def test_cells_are_counted_by_the_start_of_their_names(tmp_path: Path) -> None:
    names = ["core.a.x", "core.a.y.z", "core.ab.x", "core.a", "host.q"]
    netlist = {"modules": {"top": {"cells": {name: {"type": "LUT4"} for name in names}}}}
    (tmp_path / "n.json").write_text(json.dumps(netlist), "utf-8")
    total, parts = cells_by_prefix(tmp_path / "n.json", "top", ["core.a", "core.ab"])
    assert (total["LUT4"], parts["core.a"]["LUT4"], parts["core.ab"]["LUT4"]) == (5, 2, 1)
    with pytest.raises(ToolError, match="is not a netlist of module core"):
        cells_by_prefix(tmp_path / "n.json", "core", [])


def test_what_ends_a_carry_chain_counts_where_the_chain_does(tmp_path: Path) -> None:
    """Both halves of the added cell: its other half is joined to the chain, itself only to that half."""
    links = {
        "core.a.sum$CCU2_COMB0": {"FCI": [1], "FCO": [2]},
        "core.b.sum$CCU2_COMB0": {"FCI": [7], "FCO": [8]},
        "$nextpnr_CCU2C_3$CCU2_COMB0": {"FCI": [9], "FCO": [3], "A": [7]},
        "$nextpnr_CCU2C_3$CCU2_COMB1": {"FCI": [3], "FCO": [1]},
        "$nextpnr_CCU2C_4$CCU2_COMB0": {"FCI": [11]},
    }
    cells = {name: {"type": "TRELLIS_COMB", "connections": ports} for name, ports in links.items()}
    (tmp_path / "n.json").write_text(json.dumps({"modules": {"top": {"cells": cells}}}), "utf-8")
    total, parts = cells_by_prefix(tmp_path / "n.json", "top", ["core.a", "core.b"])
    assert total["TRELLIS_COMB"] == 5
    assert (parts["core.a"]["TRELLIS_COMB"], parts["core.b"]["TRELLIS_COMB"]) == (3, 1)
