"""What products of K-hot weights cost in logic: a shifter per digit ("khot") beside bit planes ("lut"), by synthesis.

    python benchmarks/khot.py                     the table of hls/README.md (two minutes)
    python benchmarks/khot.py --family ice40

Look-up tables (of 4 inputs, AMD's of 6; carry cells of ECP5 count as their two) and flip-flops of one product in a sum
of 8, adder tree included. Weights are the levels of the format, so that places are those that any layer of it needs;
`estimate` is what `edgeq.fpga.styles` chooses by.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.rtl_modules import RTL, run, tool  # noqa: E402
from edgeq.formats import KHot  # noqa: E402
from edgeq.fpga.khot import find_places, packed_places, weight_bits  # noqa: E402
from edgeq.fpga.styles import LUTS, khot_luts  # noqa: E402

SIMD = 8
SYNTH = {
    "ecp5": "synth_ecp5 -abc9",
    "ice40": "synth_ice40 -dsp -abc9 -device u",
    "gowin": "synth_gowin -family gw2a",
    "xilinx": "synth_xilinx -family xc7 -noiopad -noclkbuf -abc9",
}
#: cell -> look-up tables; a prefix of its name
TABLES = {"CCU2C": 2, "LUT": 1, "SB_LUT4": 1, "ALU": 1, "INV": 1}
#: bits of weights and elements
WIDTHS = ((4, 4), (4, 8), (8, 8))


@dataclass(frozen=True)
class Cost:
    """Of one product."""

    luts: float
    ffs: float
    multipliers: int


def synthesised(family: str, module: str, parameters: dict[str, int]) -> Cost:
    """Cells of a module after synthesis."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for path in RTL.glob("eq_*.v"):
            shutil.copy(path, here)
        values = " ".join(f"-set {key} {value}" for key, value in parameters.items())
        script = f"read_verilog -DEQ_{family.upper()} -defer eq_*.v; chparam {values} {module}; "
        script += f"{SYNTH[family]} -top {module}; tee -o stat.json stat -json"
        run([tool("yosys"), "-q", "-p", script], here)
        cells = json.loads((here / "stat.json").read_text())["design"]["num_cells_by_type"]

    def count(*prefixes: str) -> int:
        return sum(n for cell, n in cells.items() if cell.startswith(prefixes))

    luts = sum(count(prefix) * tables for prefix, tables in TABLES.items())
    flops = count("TRELLIS_FF", "SB_DFF", "DFF", "FDRE", "FDSE")
    return Cost(luts / SIMD, flops / SIMD, count("MULT", "SB_MAC16", "DSP48"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=sorted(SYNTH), help="only these families")
    families = parser.parse_args().family or list(SYNTH)
    print("| family | weight x element, bits | digits | LUTs | estimate | FFs | multipliers |")
    print("|---|---|---|---|---|---|---|")
    for family in families:
        for w_bits, x_bits in WIDTHS:
            shape = {"SIMD": SIMD, "X_BITS": x_bits}
            rows = [
                (
                    "planes",
                    synthesised(family, "eq_dot_lut", shape | {"W_BITS": w_bits}),
                    planes(family, w_bits, x_bits),
                )
            ]
            for count in (1, 2, 3)[: 2 if w_bits == 4 else 3]:
                places = find_places(KHot(w_bits, count).levels, x_bits)
                more = {"W_BITS": weight_bits(places), "TERMS": len(places), "PLACES": packed_places(places)}
                found = synthesised(family, "eq_dot_khot", shape | more)
                rows.append((str(count), found, khot_luts(x_bits, places, family)))
            for digits, cost, guess in rows:
                cells = (f"{cost.luts:.0f}", f"{guess:.0f}", f"{cost.ffs:.0f}", str(cost.multipliers))
                print("|", " | ".join((family, f"{w_bits} x {x_bits}", digits, *cells)), "|", flush=True)


def planes(family: str, w_bits: int, x_bits: int) -> float:
    """The estimate of a product in bit planes."""
    return LUTS[family].of(x_bits, w_bits)


if __name__ == "__main__":
    main()
