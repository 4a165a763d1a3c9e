"""Board files: the facts they hold, the ways they are found, and the complaint about every kind of damage."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import edgeq.resources
from edgeq.boards import Board, all_boards, boards_markdown, load_board, read_board
from edgeq.errors import FileError, InputError
from edgeq.resources import resource_dir

# Typed from the machines' documents, not read from the board files: (core, QEMU machine, flash, RAM).
FACTS = {
    "microbit": ("cortex-m0", "microbit", (0, 256 << 10), (0x20000000, 16 << 10)),
    "cortex-m0": ("cortex-m0", "mps2-an385", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m3": ("cortex-m3", "mps2-an385", (0, 4 << 20), (0x20000000, 4 << 20)),
    "stm32vldiscovery": ("cortex-m3", "stm32vldiscovery", (0x08000000, 128 << 10), (0x20000000, 8 << 10)),
    "cortex-m4": ("cortex-m4", "mps2-an386", (0, 4 << 20), (0x20000000, 4 << 20)),
    "stm32f405": ("cortex-m4", "netduinoplus2", (0x08000000, 1 << 20), (0x20000000, 128 << 10)),
    "cortex-m7": ("cortex-m7", "mps2-an500", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m33": ("cortex-m33", "mps2-an505", (0x10000000, 4 << 20), (0x38000000, 4 << 20)),
    "cortex-m55": ("cortex-m55", "mps3-an547", (0, 512 << 10), (0x21000000, 2 << 20)),
    "riscv32": ("rv32imac", "virt", (0x80000000, 4 << 20), (0x80400000, 4 << 20)),
    "riscv32e": ("rv32ec", "virt", (0x80000000, 4 << 20), (0x80400000, 4 << 20)),
    "ch32v003": ("rv32ec", "none", (0, 16 << 10), (0x20000000, 2 << 10)),
}
BOARDS_DIR = resource_dir("boards")
GOOD = (BOARDS_DIR / "mcu" / "cortex-m4.toml").read_text("utf-8")


def test_the_boards_are_those_of_the_facts() -> None:
    mcus = {board.name: board for board in all_boards() if board.kind == "mcu"}
    assert set(mcus) == set(FACTS)
    for name, (core, machine, flash, ram) in FACTS.items():
        board = mcus[name]
        assert board.qemu is not None
        assert (board.core, board.qemu.machine) == (core, machine)
        assert (board.flash.origin, board.flash.size) == flash
        assert (board.ram.origin, board.ram.size) == ram
        assert board.source


def test_host_and_emulator_come_first_and_have_no_memories() -> None:
    assert [board.name for board in all_boards()[:2]] == ["host", "emulator"]
    for board in all_boards()[:2]:
        assert board.kind == board.name
        with pytest.raises(InputError, match="no memory 'flash'"):
            _ = board.flash


def test_every_alias_finds_its_board() -> None:
    aliases = [(alias, board) for board in all_boards() for alias in board.aliases]
    assert ("m4-an386", load_board("cortex-m4")) in aliases
    for alias, board in aliases:
        assert load_board(alias) is board


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"board 'cortex-m5': unknown; did you mean 'cortex-m55'\?.*host, emulator"):
        load_board("cortex-m5")


def test_a_board_file_of_the_user_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('name = "cortex-m4"', 'name = "mine"'), "utf-8")
    board = load_board(str(path))
    assert board.name == "mine"
    assert board.path == path
    assert load_board(path) == board


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('name = "cortex-m4"', ""), r"field name: missing"),
        (('name = "cortex-m4"', "name = 4"), r"field name: is 4; give a text"),
        (('kind = "mcu"', 'kind = "gpu"'), r"field kind: is 'gpu'; choose one of mcu"),
        (('kind = "mcu"', 'kind = "fpga"'), r"field fpga: missing"),
        (('core = "cortex-m4"', 'core = "cortex-m9"'), r"field core: is 'cortex-m9'; choose one of cortex-m0"),
        (('isa = ["dsp", "fpu"]', 'isa = ["dsp", "avx"]'), r"field isa: holds 'avx'"),
        (('isa = ["dsp", "fpu"]', 'isa = "dsp"'), r"field isa: is 'dsp'; give a list"),
        (("clock_hz = 25_000_000", "clock_hz = true"), r"field clock_hz: is True; give a whole number"),
        (("clock_hz = 25_000_000", "clock_hz = -1"), r"field clock_hz: is -1; give 1 to"),
        (("clock_hz = 25_000_000", "clock_hz = 25_000_000\nspeed = 3"), r"field speed: unknown; this table takes"),
        (('name = "ram"', 'name = "sram"'), r"field memory: no memory is named 'ram'"),
        (('name = "ram"', 'name = "flash"'), r"field memory\[1\].name: memory 'flash' is there twice"),
        (
            ("origin = 0x2000_0000", "origin = 0x0030_0000"),
            r"field memory\[1\].origin: memory ram overlaps memory flash",
        ),
        (("origin = 0x2000_0000", "origin = 0xFFFF_0000"), r"field memory\[1\].size: .*beyond the 32-bit"),
        (("origin = 0x2000_0000", "origin = 0.5"), r"field memory\[1\].origin: is 0.5; give a whole number"),
        (('system = "arm"', 'system = "x86_64"'), r"field qemu.system: is 'x86_64'; choose one of arm"),
        (('cpu = "UC_CPU_ARM_CORTEX_M4"', 'cpu = "__class__"'), r"field unicorn.cpu: is '__class__'"),
        (('target = "thumb-freestanding-eabihf"', "target = []"), r"field zig.target: is \[\]"),
        (("[qemu]", "qemu = 3\n[other]"), r"field unicorn|field zig|field qemu|not TOML"),
        (("[qemu]", "[qemu"), r"is not TOML"),
    ],
)
def test_damage_is_named_with_file_and_field(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in GOOD
    path = tmp_path / "board.toml"
    path.write_text(GOOD.replace(change[0], change[1], 1), "utf-8")
    with pytest.raises(FileError, match=re.escape(str(path)) + ".*" + f"(?:{complaint})") as caught:
        read_board(path)
    assert "\n" not in str(caught.value)


def test_a_board_that_nothing_can_build_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(re.sub(r"\[gcc\].*?\n\n|\[zig\].*?\n\n", "", GOOD, flags=re.DOTALL), "utf-8")
    with pytest.raises(FileError, match=r"neither \[gcc\] nor \[zig\]"):
        read_board(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a = 1\n" * 20_000, b"[" * 5_000, b""])
def test_files_that_are_no_boards_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "board.toml"
    path.write_bytes(content)
    with pytest.raises(FileError, match=re.escape(str(path))):
        read_board(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        load_board(tmp_path / "none.toml")
    with pytest.raises(FileError, match="cannot be read"):
        load_board(tmp_path)


def test_the_boards_document_is_current() -> None:
    document = Path(__file__).parents[2] / "docs" / "boards.md"
    if not document.is_file():
        pytest.skip("docs/ is only in a checkout")
    assert document.read_text("utf-8") == boards_markdown(), "run python -m edgeq.boards"


def test_a_wheel_finds_its_own_copy_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "edgeq"
    (tmp_path / "site" / "boards").mkdir(parents=True)  # a stranger's folder beside the package
    shutil.copytree(BOARDS_DIR, package / "_data" / "boards")
    monkeypatch.setattr(edgeq.resources, "__file__", str(package / "resources.py"))
    assert resource_dir("boards") == package / "_data" / "boards"
    with pytest.raises(FileError, match="not in this installation"):
        resource_dir("templates")
    with pytest.raises(FileError, match="unknown"):
        resource_dir("../etc")


def test_boards_are_values() -> None:
    board = load_board("cortex-m4")
    assert hash(board) == hash(read_board(board.path))
    with pytest.raises(AttributeError):
        board.name = "other"  # type: ignore[misc]
    assert isinstance(board, Board)


def test_the_example_in_the_document_is_a_board(tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "adding-a-board.md"
    if not document.is_file():
        pytest.skip("docs/ is only in a checkout")
    example = re.search(r"```toml\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "my-board.toml").write_text(example[1], "utf-8")
    assert load_board(tmp_path / "my-board.toml").ram.size == 96 << 10
