"""What the host link costs: placed and routed on boards, with a core that is a wire, so that the rest is the link.

    python benchmarks/host_link.py                     three boards, an input of 64 codes; about a minute
    python benchmarks/host_link.py --codes 3072 --board ulx3s-85f
    python benchmarks/host_link.py --record            keeps the figures in results/host_link.json

The needed tools come with `pip install edgeq[fpga]`. The top module is the one of every build: reset and, at the
boards' own clocks, no PLL.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgeq.boards import load_board  # noqa: E402
from edgeq.fpga.board_files import TOP, board_files, choose_baud  # noqa: E402
from edgeq.fpga.toolchain.flow import Project, make_bitstream  # noqa: E402
from edgeq.fpga.toolchain.pll import Clock  # noqa: E402
from edgeq.fpga.toolchain.toolset import find_toolset  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "host_link.json"
BOARDS = ("icebreaker", "ulx3s-85f", "tang-nano-9k")
MODULES = ("uart_rx", "uart_tx", "crc32", "frame_rx", "frame_tx", "frame_buffer", "uart_host")

WIRE = """// A core that gives back what it gets.
module wire_core (
    input wire clk, input wire rst, input wire [7:0] in0_data, input wire in0_valid, output wire in0_ready,
    output wire [7:0] out0_data, output wire out0_valid, input wire out0_ready
);
    assign out0_data = in0_data;
    assign out0_valid = in0_valid;
    assign in0_ready = out0_ready;
endmodule
"""


def measure(name: str, codes: int, folder: Path) -> dict[str, Any]:
    """Build the link for one board in a folder; what it uses and how fast it is."""
    board = load_board(name)
    assert board.fpga is not None
    clock, tools = Clock(board.clock_hz or 0, {}), find_toolset(board.fpga.family)
    host = {"IN_BITS": 8, "IN_BEATS": codes, "OUT_BITS": 8, "OUT_BEATS": codes, "ID": 0x12345678}
    for file, text in board_files(board, clock, "wire", "wire_core", host, tools):
        (folder / file).write_text(text)
    (folder / "wire_core.v").write_text(WIRE)
    for module in MODULES:
        shutil.copyfile(ROOT / "hls" / "rtl" / f"eq_{module}.v", folder / f"eq_{module}.v")
    sources = (f"{TOP}.v", "clock.v", "wire_core.v", *(f"eq_{module}.v" for module in MODULES))
    made = make_bitstream(Project(folder, board, TOP, "wire_core", (), sources, clock.hz / 1e6), tools)
    found = {"codes": codes, "baud": choose_baud(board, clock.hz), "fmax_mhz": round(made.fmax_mhz, 1)}
    return {**found, **made.used.to_json(), "tools": made.tools}


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--board", action="append", help="a board's name, several times for several")
    options.add_argument("--codes", type=int, default=64, help="codes of the input, a byte each")
    options.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = options.parse_args()
    found = {}
    for name in chosen.board or BOARDS:
        with tempfile.TemporaryDirectory() as scratch:
            found[name] = one = measure(name, chosen.codes, Path(scratch))
        print(
            f"{name:>14}: {one['luts']} LUTs, {one['ffs']} FFs, {one['brams']} block RAMs, "
            f"{one['fmax_mhz']} MHz, {one['baud']} baud"
        )
    if chosen.record:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
