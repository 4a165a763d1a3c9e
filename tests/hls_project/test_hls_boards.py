"""Board files for the vendor's tools: the facts they hold, and the complaint about damage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgeq.boards import all_boards, load_board, read_board
from edgeq.cli import main
from edgeq.errors import FileError
from edgeq.resources import resource_dir

# Typed from the devices' data sheets (DS190, DS891, DS987), not read from the board files; a RAMB36 is two block RAMs:
# (part, processing system, LUTs, flip-flops, DSPs, RAMB36).
FACTS = {
    "pynq-z2": ("xc7z020clg400-1", "zynq7", 53_200, 106_400, 220, 140),
    "ultra96-v2": ("xczu3eg-sbva484-1-i", "zynqmp", 70_560, 141_120, 360, 216),
    "kv260": ("xck26-sfvc784-2LV-c", "zynqmp", 117_120, 234_240, 1_248, 144),
    "zcu102": ("xczu9eg-ffvb1156-2-e", "zynqmp", 274_080, 548_160, 2_520, 912),
}
GOOD = (resource_dir("boards") / "hls" / "pynq-z2.toml").read_text("utf-8")


def test_the_boards_are_those_of_the_facts() -> None:
    assert {board.name for board in all_boards() if board.kind == "hls"} == FACTS.keys()
    for name, (part, processor, luts, ffs, dsps, rams) in FACTS.items():
        board = load_board(name)
        assert board.hls is not None
        has = board.hls
        assert (has.part, has.processor) == (part, processor)
        assert (has.luts, has.ffs, has.dsps, has.brams) == (luts, ffs, dsps, 2 * rams)
        assert board.dsps == dsps
        assert board.clock_hz == has.target_hz
        assert "(counts)" in board.source
        assert "(part)" in board.source


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('processor = "zynq7"', 'processor = "versal"'), r"field hls.processor: is 'versal'; choose one of zynq7"),
        (("dma_bits = 32", "dma_bits = 48"), r"field hls.dma_bits: is 48; choose one of 32, 64, 128"),
        (('part = "xc7z020clg400-1"', 'part = "x]; exec rm"'), r"field hls.part: is 'x\]; exec rm'; give letters"),
        (("[hls.has]", "[hls.had]"), r"field hls.has: missing"),
        (("[hls]", "[device]"), r"field hls: |field hls.part|missing"),
        (("luts = 53200", "luts = 53200\nurams = 2"), r"field hls.has.urams: unknown"),
    ],
)
def test_damage_is_named_with_file_and_field(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in GOOD
    path = tmp_path / "board.toml"
    path.write_text(GOOD.replace(change[0], change[1], 1), "utf-8")
    with pytest.raises(FileError, match=re.escape(str(path)) + ".*" + f"(?:{complaint})"):
        read_board(path)


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["boards"]}
    assert rows["zcu102"]["hls"]["dsps"] == 2520
    assert rows["zcu102"]["kind"] == "hls"
    assert main(["boards"]) == 0
    assert "pynq-z2" in capsys.readouterr().out
