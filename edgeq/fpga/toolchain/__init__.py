"""From Verilog to a bitstream with open tools: synthesis, place and route, packing, and what they report."""

from edgeq.fpga.toolchain.families import Family, family_of
from edgeq.fpga.toolchain.flow import Bitstream, Project, make_bitstream, synthesise
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.fpga.toolchain.toolset import Toolset, available_toolsets, find_toolset

__all__ = [
    "Bitstream",
    "Family",
    "Project",
    "Toolset",
    "Usage",
    "available_toolsets",
    "family_of",
    "find_toolset",
    "make_bitstream",
    "synthesise",
]
