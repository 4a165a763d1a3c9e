"""FPGA board files: the facts they hold, what is made of them, and the complaint about damage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeq.boards import Board, all_boards, load_board, read_board
from edgeq.errors import FileError, InputError
from edgeq.fpga.board_files import choose_baud, top_ports
from edgeq.fpga.toolchain.families import family_of
from edgeq.fpga.toolchain.pll import Clock, choose_clock
from edgeq.resources import resource_dir

# Typed from the boards' own constraint files and the devices' data sheets, not read from the board files:
# (family, crystal, clock pin, pin that receives, pin that sends, LUTs, DSPs, block RAMs).
FACTS = {
    "icebreaker": ("ice40", 12, "35", "6", "9", 5280, 8, 30),
    "ulx3s-85f": ("ecp5", 25, "G2", "M1", "L4", 83640, 156, 208),
    "colorlight-i5": ("ecp5", 25, "P3", "H18", "J17", 24288, 28, 56),
    "orangecrab-25f": ("ecp5", 48, "A9", "N17", "M18", 24288, 28, 56),
    "tang-nano-9k": ("gowin", 27, "52", "18", "17", 8640, 40, 26),
    "tang-nano-20k": ("gowin", 27, "4", "70", "69", 20736, 96, 46),
}
GOOD = (resource_dir("boards") / "fpga" / "ulx3s-85f.toml").read_text("utf-8")
BOARDS = [board for board in all_boards() if board.kind == "fpga"]


def test_the_boards_are_those_of_the_facts() -> None:
    assert {board.name for board in BOARDS} == set(FACTS)
    for name, (family, mhz, clock, rx, tx, luts, dsps, brams) in FACTS.items():
        board = load_board(name)
        fpga = board.fpga
        assert fpga is not None
        assert (fpga.family, board.clock_hz, fpga.luts, fpga.dsps, fpga.brams) == (
            family,
            mhz * 10**6,
            luts,
            dsps,
            brams,
        )
        pins = [fpga.pin(function) for function in ("clock", "uart_rx", "uart_tx")]
        assert [pin and pin.site for pin in pins] == [clock, rx, tx]
        assert "pins" in board.source or "header pins" in board.source
        assert board.dsps == dsps


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('family = "ecp5"', 'family = "xc7"'), r"field fpga.family: is 'xc7'; choose one of ecp5"),
        (('package = "CABGA381"', ""), r"field fpga.package: missing"),
        (('part = "LFE5U-85F-6BG381C"', 'part = "x; rm -rf"'), r"field fpga.part: is 'x; rm -rf'; give letters"),
        (('site = "M1"', 'site = "G2"'), r"field pin\[1\].site: site G2 has the function clock already"),
        (
            ('function = "uart_rx"', 'function = "uart_tx"'),
            r"field pin\[2\].function: function 'uart_tx' is there twice",
        ),
        (('function = "uart_rx"', 'function = "led"'), r"there twice|no pin has the function 'uart_rx'"),
        (('function = "uart_rx"', 'function = "buzzer"'), r"field pin\[1\].function: is 'buzzer'; choose one of clock"),
        (('pull = "up"', 'pull = "strong"'), r"field pin\[1\].pull: is 'strong'"),
        (("dsps = 156", "dsps = -1"), r"field fpga.has.dsps: is -1"),
        (("dsps = 156", "dsps = 156\nrams = 2"), r"field fpga.has.rams: unknown"),
        (("[fpga.program]", "[fpga.loader]"), r"field fpga.program: missing"),
        (("clock_hz = 25_000_000", "clock_hz = 25"), r"field clock_hz: is 25; give"),
        (("baud = 1_000_000", ""), r"field fpga.baud: missing"),
    ],
)
def test_damage_is_named_with_file_and_field(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in GOOD
    path = tmp_path / "board.toml"
    path.write_text(GOOD.replace(change[0], change[1], 1), "utf-8")
    with pytest.raises(FileError, match=re.escape(str(path)) + ".*" + f"(?:{complaint})"):
        read_board(path)


def test_a_microcontroller_has_no_family() -> None:
    assert load_board("cortex-m4").dsps == 0
    with pytest.raises(InputError, match="board cortex-m4: is not an FPGA"):
        family_of(load_board("cortex-m4"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
@pytest.mark.parametrize("mhz", [20, 27, 33.3, 48, 60, 62.5, 75, 100])
def test_clocks_obey_the_data_sheets(board: Board, mhz: float) -> None:
    if board.name == "orangecrab-25f" and mhz < 48:
        assert choose_clock(board, int(mhz * 1e6)).hz <= mhz * 1e6
    clock = choose_clock(board, int(mhz * 1e6))
    assert 0.8 * mhz * 1e6 <= clock.hz <= mhz * 1e6
    hz, oscillator, limits = _by_hand(board, clock)
    assert abs(hz - clock.hz) <= 1
    assert oscillator is None or limits[0] <= oscillator <= limits[1]


def _by_hand(board: Board, clock: Clock) -> tuple[float, float | None, tuple[float, float]]:
    """Output, oscillator and the range that the data sheet gives it, from the divisors alone."""
    crystal, d = float(board.clock_hz or 0), clock.divisors
    assert board.fpga is not None
    if clock.is_crystal:
        return crystal, None, (0, 0)
    if board.fpga.family == "ecp5":
        vco = crystal / d["input"] * d["feedback"] * d["middle"]
        assert crystal / d["input"] >= 10e6
        return vco / d["output"], vco, (400e6, 800e6)
    if board.fpga.family == "ice40":
        vco = crystal / (d["r"] + 1) * (d["f"] + 1)
        return vco / 2 ** d["q"], vco, (533e6, 1066e6)
    hz = crystal / (d["idiv"] + 1) * (d["fbdiv"] + 1)
    return hz, hz * d["odiv"], (500e6, 1250e6) if "GW2A" in board.fpga.device else (400e6, 1200e6)


def test_settings_that_the_makers_tools_choose() -> None:
    """12 → 24 MHz and 27 → 54 MHz have one natural answer; the crystal itself needs no PLL."""
    assert choose_clock(load_board("icebreaker"), 24_000_000).divisors == {"r": 0, "f": 63, "q": 5, "range": 1}
    assert choose_clock(load_board("tang-nano-9k"), 54_000_000).divisors["fbdiv"] == 1
    assert choose_clock(load_board("ulx3s-85f"), 25_000_000).is_crystal
    with pytest.raises(InputError, match="makes no clock of 2 MHz or less"):
        choose_clock(load_board("icebreaker"), 2_000_000)


def test_the_top_drives_every_output_of_the_board() -> None:
    ports = {port.name: port for port in top_ports(load_board("ulx3s-85f"))}
    assert ports["high_L2"].value == "1'b1"
    assert ports["led"].value == "busy"
    assert {port.value for port in top_ports(load_board("tang-nano-9k")) if port.name == "led"} == {"!busy"}


def test_the_line_rate_follows_the_clock() -> None:
    board = load_board("icebreaker")
    assert choose_baud(board, 24_000_000) == 1_000_000
    assert choose_baud(board, 6_000_000) == 115_200
    with pytest.raises(InputError, match="115200 baud at 500000 Hz"):
        choose_baud(board, 500_000)


def test_the_example_in_the_document_is_a_board(tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "adding-a-board.md"
    if not document.is_file():
        pytest.skip("docs/ is only in a checkout")
    examples = re.findall(r"```toml\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine.toml").write_text(examples[1], "utf-8")
    assert read_board(tmp_path / "mine.toml").dsps == 28
