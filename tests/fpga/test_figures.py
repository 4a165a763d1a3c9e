"""The small designs of benchmarks/fpga.py become bitstreams again, with figures not worse than the recorded ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.fpga import DESIGNS, RESULTS, measure
from edgeq.boards import load_board
from edgeq.fpga.toolchain import available_toolsets

#: what may not rise by more than a hundredth
KEPT = ("luts", "ffs", "dsps", "brams", "cycles_per_inference", "latency_cycles")


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["digits-icebreaker", "digits-tang-nano-9k"])
def test_a_small_design_costs_what_is_recorded(tmp_path: Path, name: str) -> None:
    fpga = load_board(DESIGNS[name].board).fpga
    assert fpga is not None
    if not available_toolsets(fpga.family) or not shutil.which("verilator"):
        pytest.skip("needs verilator and pip install edgeq[fpga]")
    recorded = json.loads(RESULTS.read_text("utf-8"))[name]
    found = measure(name, tmp_path, tmp_path)
    assert found is not None
    if found["tools"] != recorded["tools"]:
        pytest.skip(f"recorded with {recorded['tools']}, here is {found['tools']}")
    for key in KEPT:
        assert found[key] <= 1.01 * recorded[key], (
            f"{key}: {recorded[key]} recorded; python benchmarks/fpga.py --record"
        )
    assert found["fmax_mhz"] >= found["clock_mhz"] == recorded["clock_mhz"]
    assert (tmp_path / name / json.loads((tmp_path / name / "manifest.json").read_text("utf-8"))["bitstream"]).is_file()
