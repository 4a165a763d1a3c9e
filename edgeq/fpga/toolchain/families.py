"""What differs between device families: synthesis script, arguments of place and route and packer, cells, PLL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgeq.boards import Board, Fpga
from edgeq.errors import InputError
from edgeq.fpga.toolchain.netlist import Usage, Weights
from edgeq.fpga.toolchain.toolset import Toolset

_LUT, _FF, _DSP, _BRAM = Usage(luts=1), Usage(ffs=1), Usage(dsps=1), Usage(brams=1)


@dataclass(frozen=True)
class Files:
    """Names of a project's generated files, all relative to its folder."""

    netlist: str = "build/netlist.json"
    placed: str = "build/placed.txt"
    routed: str = "build/routed.json"
    report: str = "build/report.json"


class Family(ABC):
    """One device family; the tools run in the project's folder and see names relative to it."""

    name: ClassVar[str]
    #: suffix of the constraint file and of the bitstream
    constraints: ClassVar[str]
    bitstream: ClassVar[str]
    #: what cells use after synthesis, and after place and route (flip-flops come from synthesis where None)
    synthesised: ClassVar[Weights]
    routed: ClassVar[Weights]
    routed_counts_ffs: ClassVar[bool] = True

    @abstractmethod
    def synth(self, fpga: Fpga, top: str) -> list[str]:
        """Yosys commands from hierarchy to mapped cells of a flat design, instances in `keep` excepted."""

    @abstractmethod
    def route(self, fpga: Fpga, top: str, files: Files, mhz: float) -> list[str]:
        """Arguments of nextpnr."""

    @abstractmethod
    def pack(self, fpga: Fpga, top: str, files: Files) -> list[str]:
        """Arguments of the packer."""

    def script(self, fpga: Fpga, top: str, core: str, sources: Sequence[str], files: Files) -> str:
        """The yosys script of a project.

        The stages of module `core` stay apart while logic is optimised, so that each cell's name says whose it is;
        at the end all is flat. Between stages there are registers, so little is lost.
        """
        lines = [
            # some modules say by such a macro what the family's cells do better than Verilog can (hls/README.md)
            f"read_verilog -DEQ_{self.name.upper()} -defer {' '.join(sources)}",
            f"hierarchy -top {top}",
            f"setattr -set keep_hierarchy 1 {core}/t:*",
            *self.synth(fpga, top),
            "stat",
            f"write_json {files.netlist}",
        ]
        return "".join(f"{line}\n" for line in lines)

    def pack_program(self, tools: Toolset) -> str:
        """The packer's path."""
        return tools.pack


_FLATTEN = ["setattr -unset keep_hierarchy */t:*", "setattr -mod -unset keep_hierarchy *", "flatten"]


def _reports(files: Files, mhz: float) -> list[str]:
    """What every nextpnr writes; a design that is too slow is still written, so that its report can say where."""
    wanted = ["--write", files.routed, "--report", files.report, "--detailed-timing-report"]
    return [*wanted, "--freq", f"{mhz:.3f}", "--timing-allow-fail"]


class Ecp5(Family):
    """Lattice ECP5: yosys, nextpnr-ecp5, ecppack."""

    name = "ecp5"
    constraints = ".lpf"
    bitstream = ".bit"
    synthesised: ClassVar[Weights] = {
        "LUT4": _LUT,
        "CCU2C": Usage(luts=2),
        "TRELLIS_DPR16X4": Usage(luts=4),
        "TRELLIS_FF": _FF,
        "MULT18X18D": _DSP,
        "DP16KD": _BRAM,
    }
    routed: ClassVar[Weights] = {"TRELLIS_COMB": _LUT, "TRELLIS_FF": _FF, "MULT18X18D": _DSP, "DP16KD": _BRAM}

    def synth(self, fpga: Fpga, top: str) -> list[str]:
        return [f"synth_ecp5 -abc9 -top {top}", *_FLATTEN, "clean"]

    def route(self, fpga: Fpga, top: str, files: Files, mhz: float) -> list[str]:
        return [
            *(f"--{fpga.device}", "--package", fpga.package or "", "--speed", fpga.speed or "6"),
            *("--json", files.netlist, "--lpf", f"{top}.lpf", "--textcfg", files.placed),
            *_reports(files, mhz),
        ]

    def pack(self, fpga: Fpga, top: str, files: Files) -> list[str]:
        return ["--compress", "--input", files.placed, "--bit", f"{top}.bit"]


class Ice40(Family):
    """Lattice iCE40 UltraPlus: yosys, nextpnr-ice40, icepack."""

    name = "ice40"
    constraints = ".pcf"
    bitstream = ".bin"
    synthesised: ClassVar[Weights] = {
        "SB_LUT4": _LUT,
        **{f"SB_DFF{e}{s}": _FF for e in ("", "E", "N", "NE") for s in ("", "SR", "R", "SS", "S", "ESR", "ESS")},
        "SB_MAC16": _DSP,
        "SB_RAM40_4K": _BRAM,
    }
    routed: ClassVar[Weights] = {"ICESTORM_LC": _LUT, "ICESTORM_DSP": _DSP, "ICESTORM_RAM": _BRAM}
    routed_counts_ffs = False

    def synth(self, fpga: Fpga, top: str) -> list[str]:
        # There is no distributed RAM: what asks for it becomes flip-flops. Multipliers that the Verilog instantiates
        # take another name meanwhile, because synth_ice40 would give them the parameters of those that it infers.
        wish = [f'setattr -set {key} "logic" */a:{key}=distributed' for key in ("ram_style", "rom_style")]
        hide = [
            "read_verilog -D ICE40_U -lib +/ice40/cells_sim.v",
            "copy SB_MAC16 EQ_MAC16",
            "chtype -set EQ_MAC16 t:SB_MAC16",
        ]
        show = ["chtype -set SB_MAC16 t:EQ_MAC16"]
        return [*wish, *hide, f"synth_ice40 -dsp -abc9 -device u -top {top}", *show, *_FLATTEN, "clean"]

    def route(self, fpga: Fpga, top: str, files: Files, mhz: float) -> list[str]:
        return [
            *(f"--{fpga.device}", "--package", fpga.package or ""),
            *("--json", files.netlist, "--pcf", f"{top}.pcf", "--asc", files.placed),
            *_reports(files, mhz),
        ]

    def pack(self, fpga: Fpga, top: str, files: Files) -> list[str]:
        return [files.placed, f"{top}.bin"]


class Gowin(Family):
    """Gowin GW1N, GW2A: yosys, nextpnr-himbaechel, gowin_pack."""

    name = "gowin"
    constraints = ".cst"
    bitstream = ".fs"
    synthesised: ClassVar[Weights] = {
        **{f"LUT{n}": _LUT for n in (1, 2, 3, 4)},
        "ALU": _LUT,
        **{f"RAM16SDP{n}": Usage(luts=4) for n in (1, 2, 4)},
        **{f"DFF{n}{e}": _FF for n in ("", "N") for e in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")},
        "MULT9X9": _DSP,
        "MULT18X18": Usage(dsps=2),
        "MULT36X36": Usage(dsps=8),
        **{f"{m}{n}": _BRAM for m in ("SP", "SDP", "DP", "pROM") for n in ("", "B", "X9", "X9B")},
    }
    routed = synthesised

    def synth(self, fpga: Fpga, top: str) -> list[str]:
        # Pads go in after the design is flat: synth_gowin would put them at every module that is kept apart.
        chip = fpga.device[:4].lower()
        pads = f"iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O {top}"
        return [f"synth_gowin -family {chip} -noiopads -top {top}", *_FLATTEN, pads, "clean"]

    def route(self, fpga: Fpga, top: str, files: Files, mhz: float) -> list[str]:
        return [
            *("--device", fpga.part, "--json", files.netlist, "--vopt", f"family={fpga.device}"),
            *("--vopt", f"cst={top}.cst", *_reports(files, mhz)),
        ]

    def pack(self, fpga: Fpga, top: str, files: Files) -> list[str]:
        return ["-d", fpga.device, "-o", f"{top}.fs", files.routed]


_FAMILIES: dict[str, Family] = {family.name: family for family in (Ecp5(), Ice40(), Gowin())}


def family_of(board: Board) -> Family:
    """The family of an FPGA board; InputError for another kind of board."""
    return _FAMILIES[device_of(board).family]


def device_of(board: Board) -> Fpga:
    """The device of an FPGA board; InputError for another kind of board."""
    if board.fpga is None:
        raise InputError(f"board {board.name}: is not an FPGA; choose one of kind fpga (edgeq boards)")
    return board.fpga
