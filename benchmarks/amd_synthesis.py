"""Synthesis of a dataflow's Verilog for AMD's devices by yosys: what each stage uses; no place and route.

What the estimate for boards of high-level synthesis is fitted to: look-up tables of six inputs, DSP48E1, block RAMs of
18 kbit. The C++ that such a board gets is the twin of this Verilog, not this Verilog.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.render import write
from edgeq.fpga.toolchain import Usage, find_toolset
from edgeq.fpga.toolchain.launch import run_logged
from edgeq.fpga.toolchain.netlist import Weights, cells_by_prefix, usage_of

_LUT, _FF, _DSP = Usage(luts=1), Usage(ffs=1), Usage(dsps=1)
#: cells of 7 series (AMD UG953); distributed RAM and shift registers in the look-up tables that they take; a RAMB36 is
#: two block RAMs, as in the board files; carry chains and wide multiplexers come with the look-up tables
CELLS: Weights = {
    **{f"LUT{n}": _LUT for n in range(1, 7)},
    **dict.fromkeys(("INV", "SRL16E", "SRLC32E", "RAM32X1S", "RAM64X1S"), _LUT),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), Usage(luts=2)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), Usage(luts=4)),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), _FF),
    "DSP48E1": _DSP,
    "RAMB18E1": Usage(brams=1),
    "RAMB36E1": Usage(brams=2),
}


def synthesise(flow: Dataflow) -> dict[str, Usage]:
    """Stage -> what yosys makes of it for a 7-series device; stages stay apart while logic is optimised."""
    yosys = find_toolset("ecp5").yosys  # the same program for all families
    with tempfile.TemporaryDirectory(prefix="edgeq-amd-") as scratch:
        folder = Path(scratch)
        made = write(flow, folder)
        lines = [
            f"read_verilog -DEQ_XILINX -defer {' '.join(path.name for path in made.files)}",
            f"hierarchy -top {made.top}",
            f"setattr -set keep_hierarchy 1 {made.top}/t:*",
            f"synth_xilinx -family xc7 -noiopad -noclkbuf -abc9 -top {made.top}",
            "setattr -unset keep_hierarchy */t:*",
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "clean",
            "write_json netlist.json",
        ]
        (folder / "synth.ys").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        run_logged([yosys, "-q", "-s", "synth.ys"], folder, folder / "yosys.log", "synthesis")
        _, cells = cells_by_prefix(folder / "netlist.json", made.top, [stage.name for stage in flow.stages])
        return {stage.name: usage_of(cells[stage.name], CELLS) for stage in flow.stages}
