"""The scripts for the vendor's tools in a tclsh that logs what it does not know: order, names, files that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeq.hls.build import build
from tests.fpga.networks import Net, digits
from tests.hls_project.tools import needs_tclsh

pytestmark = needs_tclsh
BOARDS = ("pynq-z2", "ultra96-v2", "kv260", "zcu102")


def run(project: Path, script: str, **variables: str) -> list[list[str]]:
    """The vendor's commands that a script called, in words."""
    log = project.parent / "commands.log"
    command = ["tclsh", str(Path(__file__).with_name("vendor.tcl")), str(project / "scripts" / script)]
    environment = {**os.environ, "LOG": str(log), "ROOT": str(project), **variables}
    done = subprocess.run(command, env=environment, cwd=project.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in log.read_text("utf-8").splitlines()]


def order(commands: list[list[str]], *names: str) -> None:
    """Each of the names is there, in this order."""
    said = [words[0] for words in commands]
    places = [said.index(name) for name in names]
    assert places == sorted(places), said


def missing_files(commands: list[list[str]], root: Path) -> list[str]:
    """Paths inside the project that are named and are not there; what the tools make themselves is left out."""
    named = {
        match for words in commands for word in words for match in re.findall(rf"{re.escape(str(root))}[^\s\"]*", word)
    }
    made = (str(root / "build"), str(root / "out"))
    return sorted(path for path in named if not path.startswith(made) and not Path(path).exists())


@pytest.fixture(scope="module", params=BOARDS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts") / "digits"
    build(digits(), request.param, folder, dsps=24, check=False)
    return folder


def test_hls_goes_from_csim_to_export(project: Path) -> None:
    commands = run(project, "build.tcl")
    steps = ("csim_design", "csynth_design", "cosim_design", "export_design")
    order(commands, "open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock", *steps)
    assert commands[-1] == ["close_project"]
    text = (project / "src" / "digits_core.cpp").read_text("utf-8")
    top = next(words[1] for words in commands if words[0] == "set_top")
    assert f"void {top}(" in text
    assert not missing_files(commands, project)
    vectors = {words[-1] for words in commands if words[0] in ("csim_design", "cosim_design")}
    assert vectors == {str(project / "tb" / "vectors")}
    assert [w[0] for w in run(project, "build.tcl", STEPS="csim") if w[0] in steps] == ["csim_design"]


def test_a_file_that_is_not_there_is_seen(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "digits"
    shutil.copytree(project, copy)
    (copy / "src" / "digits_core.cpp").unlink()
    assert missing_files(run(copy, "build.tcl"), copy) == [str(copy / "src" / "digits_core.cpp")]


def test_the_design_joins_everything_and_leaves_bitstream_and_handoff(project: Path) -> None:
    run(project, "build.tcl")
    commands = run(project, "design.tcl")
    order(commands, "create_project", "update_ip_catalog", "create_bd_design", "create_bd_cell", "assign_bd_address")
    order(commands, "assign_bd_address", "validate_bd_design", "make_wrapper", "launch_runs", "wait_on_run", "open_run")
    order(commands, "open_run", "report_utilization", "report_timing_summary")
    assert {path.name for path in (project / "out").iterdir()} == {"digits.bit", "digits.hwh"}
    assert not missing_files(commands, project)
    cells = {words[-1]: words[words.index("-vlnv") + 1] for words in commands if words[0] == "create_bd_cell"}
    hls = run(project, "build.tcl")
    exported = next(words for words in hls if words[0] == "export_design")
    assert cells["network"] == f"edgeq:hls:{exported[exported.index('-ipname') + 1]}"
    joined = [words[1:] for words in commands if words[0] == "connect_bd_intf_net"]
    ends = [end for pair in joined for end in pair]
    assert len(ends) == len(set(ends))
    assert {end.split("/")[0] for end in ends} == cells.keys() - {"resets"}
    streams = {end.split("/")[1] for end in ends if end.startswith("network/")}
    ports = re.findall(r"#pragma HLS INTERFACE axis port=(\w+)", (project / "src/digits_core.cpp").read_text("utf-8"))
    assert streams == {*ports, "s_axi_control"}
    clocked = {words[2] for words in commands if words[0] == "connect_bd_net"}
    assert {pin.split("/")[0] for pin in clocked} == cells.keys()


def test_without_board_files_there_is_no_preset(project: Path) -> None:
    run(project, "build.tcl")
    with_files = run(project, "design.tcl")
    without = run(project, "design.tcl", NO_BOARD_FILES="1")
    said = [" ".join(w) for commands in (with_files, without) for w in commands if w[0] == "apply_bd_automation"]
    assert "apply_board_preset 1" in said[0]
    assert "apply_board_preset 0" in said[1]
    assert [w for w in with_files if "board_part" in w]
    assert not [w for w in without if "board_part" in w]


def test_the_design_wants_the_circuit_first(tmp_path: Path) -> None:
    net = Net()
    build(net.b.build([net.conv("y", net.input((4, 4, 2)), 2)]), "zcu102", tmp_path / "p", check=False, dsps=4)
    with pytest.raises(AssertionError, match=r"not exported yet; run scripts/build\.tcl first"):
        run(tmp_path / "p", "design.tcl")
