"""edgeq build and bench for FPGA boards: a project with its bitstream, or one clear line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.cli import main
from edgeq.errors import BudgetError, FileError, InputError
from edgeq.formats import FixedPoint
from edgeq.fpga.build import BORDER, LINKS, build, part_labels
from edgeq.fpga.estimate import block_rams, estimate, refuse_what_cannot_fit
from edgeq.fpga.lower import lower
from edgeq.fpga.toolchain import available_toolsets
from edgeq.ir import Graph, GraphBuilder

BYTE = FixedPoint(8, 4)


def small(filters: int = 4, size: int = 6) -> Graph:
    """A convolution and a linear layer with random weights."""
    b, rng = GraphBuilder("small"), np.random.default_rng(3)
    x = b.input("x", (size, size, 1), BYTE)
    kernel = b.constant("conv.w", rng.integers(-127, 128, (filters, 3, 3, 1)), FixedPoint(8, 6))
    same = {"stride": (2, 2), "padding": (0, 1, 0, 1), "dilation": (1, 1), "groups": 1, "lo": 0}
    y = b.node(
        "conv", "conv", [x, kernel, b.constant("conv.b", np.zeros(filters, int), FixedPoint(32, 10))], BYTE, **same
    )
    count = b.values[y].size
    y = b.node("reshape", "flat", [y], BYTE, shape=(count,))
    matrix = b.constant("fc.w", rng.integers(-127, 128, (3, count)), FixedPoint(8, 10))
    bias = b.constant("fc.b", np.zeros(3, int), FixedPoint(32, 14))
    return b.build([b.node("linear", "fc", [y, matrix, bias], BYTE)])


def test_a_network_that_is_too_large_names_the_layer_and_the_way_out(tmp_path: Path) -> None:
    """350 kB of weights do not fit 30 block RAMs of 512 bytes; no tool is started."""
    if not available_toolsets("ice40"):
        pytest.skip("no tools for ice40: pip install edgeq[fpga]")
    big = small(filters=512, size=32)
    with pytest.raises(
        BudgetError, match=r"board icebreaker: about \d[\d,]* block RAMs are needed, it has 30; fc needs m"
    ):
        build(big, "icebreaker", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_fits_is_not_refused() -> None:
    board = load_board("icebreaker")
    flow = lower(small(), board)
    parts = estimate(flow, board)
    refuse_what_cannot_fit(board, parts, part_labels(flow))
    assert parts.keys() == {stage.name for stage in flow.stages} | {""}
    assert 0 < sum(used.dsps for used in parts.values()) <= 8
    assert flow.multipliers <= 16, "an SB_MAC16 makes two products"


@pytest.mark.parametrize(
    ("width", "words", "family", "count"),
    [(36, 512, "ecp5", 1), (37, 512, "ecp5", 2), (8, 4096, "ecp5", 2), (16, 256, "ice40", 1), (8, 1024, "ice40", 2)],
)
def test_block_rams_come_in_shapes(width: int, words: int, family: str, count: int) -> None:
    assert block_rams(width, words, family) == count


def test_wrong_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "small.edgeq"
    small().save(net)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    if not available_toolsets("ice40"):
        pytest.skip("no tools for ice40: pip install edgeq[fpga]")
    with pytest.raises(FileError, match="is not a folder that an edgeq build wrote"):
        build(small(), "icebreaker", tmp_path / "mine")
    with pytest.raises(InputError, match="target of 0 inferences a second"):
        build(small(), "icebreaker", tmp_path / "out", inferences=0)
    with pytest.raises(InputError, match="board host: is not an FPGA"):
        build(small(), "host", tmp_path / "out")
    assert main(["build", str(net), "--board", "icebreaker", "-o", str(tmp_path / "out"), "--target", "1e9"]) == 1
    assert "cycles" in capsys.readouterr().err


@pytest.mark.heavy
@pytest.mark.parametrize("board", ["icebreaker", "tang-nano-9k", "ulx3s-85f"])
def test_a_project_holds_its_bitstream_and_all_that_made_it(
    tmp_path: Path, board: str, capsys: pytest.CaptureFixture[str]
) -> None:
    family = load_board(board).fpga
    assert family is not None
    if not available_toolsets(family.family):
        pytest.skip(f"no tools for {board}: pip install edgeq[fpga]")
    net, out = tmp_path / "small.edgeq", tmp_path / "out"
    graph = small()
    graph.save(net)
    assert main(["build", str(net), "--board", board, "-o", str(out), "--dsps", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert (out / manifest["bitstream"]).stat().st_size > 10_000
    for name in ("top.v", "clock.v", "small_core.v", "Makefile", "README.md", "synth.ys", "build/nextpnr.log"):
        assert (out / name).is_file(), name
    rows = {row["layer"]: row for row in found["layers"]}
    assert {"conv", "fc", BORDER} <= rows.keys() <= {"conv", "fc", BORDER, LINKS}
    for key in ("luts", "ffs", "dsps", "brams"):
        assert sum(row[key] for row in rows.values()) == found[key] <= found["available"][key]
    assert 0 < found["dsps"] <= 4
    assert found["dsps"] <= found["multipliers"] <= (8 if board == "icebreaker" else 4), "two share a block there"
    assert found["fmax_mhz"] >= found["clock_mhz"]
    if shutil.which("verilator") or shutil.which("iverilog"):
        assert 0 < found["cycles_per_inference"] <= found["latency_cycles"]
        assert found["macs"] == 9 * 4 * 9 + 36 * 3
    if board == "icebreaker":
        assert main(["build", str(net), "--board", board, "-o", str(out), "--target", "100"]) == 0
        assert "block RAMs" in capsys.readouterr().out
        assert json.loads((out / "manifest.json").read_text("utf-8"))["multipliers"] == 2, "a build replaces a build"


def test_inspect_estimates_and_names_what_is_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small().save(tmp_path / "small.edgeq")
    assert main(["inspect", str(tmp_path / "small.edgeq"), "--board", "icebreaker", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    needs = found["hardware"]
    assert 0 < needs["dsps"] <= 8
    assert needs["dsps"] <= needs["multipliers"] <= 16
    assert needs["cycles_per_inference"] == max(row["cycles"] or 0 for row in needs["layers"])
    assert {"conv", "fc", BORDER} <= {row["layer"] for row in needs["layers"]}
    small(filters=512, size=32).save(tmp_path / "big.edgeq")
    assert main(["inspect", str(tmp_path / "big.edgeq"), "--board", "icebreaker"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "fc needs most" in shown
    assert "or a larger board" in shown
