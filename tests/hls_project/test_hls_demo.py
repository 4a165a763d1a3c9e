"""The demo's network from PyTorch to a whole project: written by the command, simulated by its Makefile elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeq.cli import main
from tests.hls_project.tools import needs_csim, needs_make


@needs_csim
@needs_make
def test_the_demo_network_becomes_a_project_that_compiles_and_simulates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrated, not trained: what its weights are does not matter here."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("brevitas")
    pytest.importorskip("sklearn")
    import edgeq
    from edgeq.demo import demo, digits
    from edgeq.quant import calibrate, prepare

    torch.manual_seed(0)
    images = torch.from_numpy(digits.load().train_x[:64])
    prepared = prepare(digits.network().eval(), demo.recipes()["W4A4"], images[:2])
    calibrate(prepared, [images])
    net = tmp_path / "demo.edgeq"
    edgeq.export(prepared.eval(), images[:1]).save(net)
    assert main(["build", str(net), "--board", "pynq-z2", "-o", str(tmp_path / "made"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["checked"] == 8, "every value of the golden inferences"
    assert found["estimated"] is True
    assert 0 < found["cycles_per_inference"] < found["latency_cycles"]
    assert all(0 < found[key] <= found["available"][key] for key in ("luts", "ffs", "dsps", "brams"))
    elsewhere = tmp_path / "fresh" / "copy"
    shutil.copytree(tmp_path / "made", elsewhere)
    shutil.rmtree(tmp_path / "made")
    command = ["make", "-C", str(elsewhere), "csim", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 inferences, 0 codes differ" in done.stdout
