"""Boards are data: one TOML file each, read into a frozen `Board` and checked field by field."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeq.errors import FileError, InputError
from edgeq.resources import resource_dir

KINDS = ("mcu", "fpga", "host", "emulator")
CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imac")
#: thumb1, thumb2, rv32m: the integer instructions of cores without "dsp"
ISA_FEATURES = ("dsp", "fpu", "mve", "thumb1", "thumb2", "rv32m")
QEMU_SYSTEMS = ("arm", "riscv32")
MAX_BOARD_FILE = 64 * 1024  # bytes; a board is a page of text, more is a mistake or an attack


@dataclass(frozen=True)
class Memory:
    """One memory of a board: `origin` is the first byte address, `size` is in bytes."""

    name: str
    origin: int
    size: int

    def holds(self, address: int) -> bool:
        """Say whether `address` lies in this memory."""
        return self.origin <= address < self.origin + self.size


@dataclass(frozen=True)
class GccTarget:
    """How GCC builds for a board: the program prefix (`arm-none-eabi-`) and the machine flags."""

    prefix: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ZigTarget:
    """How `zig cc` builds for a board: its `-target` and `-mcpu`."""

    target: str
    cpu: str


@dataclass(frozen=True)
class QemuMachine:
    """How QEMU emulates a board: `qemu-system-<system> -M <machine> <flags>`."""

    system: str
    machine: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """Everything that edgeq knows of one target.

    An `mcu` board has a core, `isa` features (`ISA_FEATURES`), a memory named `flash` and one named `ram`
    (others are listed for the user but not used by the linker script), a clock in Hz and toolchain data;
    `host` and `emulator` have none of these. `source` says where the facts come from; `path` is the file.
    """

    name: str
    description: str
    kind: str
    source: str
    aliases: tuple[str, ...] = ()
    core: str | None = None
    isa: tuple[str, ...] = ()
    clock_hz: int | None = None
    memories: tuple[Memory, ...] = ()
    gcc: GccTarget | None = None
    zig: ZigTarget | None = None
    qemu: QemuMachine | None = None
    unicorn_cpu: str | None = None
    path: Path = field(default=Path(), compare=False)

    @property
    def is_arm(self) -> bool:
        """True for the Cortex-M cores."""
        return self.core is not None and self.core.startswith("cortex-")

    def memory(self, name: str) -> Memory:
        """Return the memory called `name`; `InputError` when the board has none of that name."""
        for memory in self.memories:
            if memory.name == name:
                return memory
        names = ", ".join(m.name for m in self.memories) or "none"
        raise InputError(f"board {self.name}: no memory {name!r} (it has {names})")

    @property
    def flash(self) -> Memory:
        """The memory that holds code and constants."""
        return self.memory("flash")

    @property
    def ram(self) -> Memory:
        """The memory that holds data, arena and stack."""
        return self.memory("ram")


class _Table:
    """One TOML table being read: every complaint names the file and the field."""

    def __init__(self, data: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self.data = data
        self.path = path
        self.prefix = prefix
        self.known: set[str] = set()

    def fail(self, key: str, fact: str) -> FileError:
        return FileError(f"board file {self.path}: field {self.prefix}{key}: {fact}")

    def _get(self, key: str, kind: type, what: str, required: bool) -> Any:
        self.known.add(key)
        if key not in self.data:
            if required:
                raise self.fail(key, f"missing; give {what}")
            return None
        value = self.data[key]
        if type(value) is not kind:  # bool is an int in Python, not here
            raise self.fail(key, f"is {value!r}; give {what}")
        return value

    def text(self, key: str, choices: Sequence[str] = ()) -> str:
        value: str = self._get(key, str, "a text", True)
        if not value.strip():
            raise self.fail(key, "is empty; give a text")
        if choices and value not in choices:
            raise self.fail(key, f"is {value!r}; choose one of {', '.join(choices)}")
        return value

    def integer(self, key: str, lowest: int, highest: int) -> int:
        value: int = self._get(key, int, "a whole number", True)
        if not lowest <= value <= highest:
            raise self.fail(key, f"is {value}; give {lowest} to {highest}")
        return value

    def texts(self, key: str, choices: Sequence[str] = (), required: bool = False) -> tuple[str, ...]:
        values = self._get(key, list, "a list of texts", required)
        for value in values or ():
            if not isinstance(value, str) or not value:
                raise self.fail(key, f"holds {value!r}; give texts only")
            if choices and value not in choices:
                raise self.fail(key, f"holds {value!r}; choose from {', '.join(choices)}")
        return tuple(values or ())

    def table(self, key: str) -> _Table | None:
        value = self._get(key, dict, "a table", False)
        return None if value is None else _Table(value, self.path, f"{self.prefix}{key}.")

    def tables(self, key: str) -> list[_Table]:
        values = self._get(key, list, f"[[{key}]] tables", False) or []
        if not all(isinstance(value, dict) for value in values):
            raise self.fail(key, f"give [[{key}]] tables")
        return [_Table(v, self.path, f"{self.prefix}{key}[{i}].") for i, v in enumerate(values)]

    def done(self) -> None:
        """Complain of fields that nothing reads: a misspelt field must not pass silently."""
        for key in self.data:
            if key not in self.known:
                raise self.fail(key, f"unknown; this table takes {', '.join(sorted(self.known))}")


def _read_memories(root: _Table) -> tuple[Memory, ...]:
    memories: list[Memory] = []
    for table in root.tables("memory"):
        name = table.text("name")
        origin = table.integer("origin", 0, 2**32 - 1)
        size = table.integer("size", 256, 2**32 - 1)
        table.done()
        if origin + size > 2**32:
            raise table.fail("size", f"is {size:#x}; memory {name} ends beyond the 32-bit address space")
        for other in memories:
            if other.name == name:
                raise table.fail("name", f"memory {name!r} is there twice")
            if origin < other.origin + other.size and other.origin < origin + size:
                raise table.fail("origin", f"memory {name} overlaps memory {other.name}")
        memories.append(Memory(name, origin, size))
    for name in ("flash", "ram"):
        if all(memory.name != name for memory in memories):
            raise root.fail("memory", f"no memory is named {name!r}; an mcu board needs it")
    return tuple(memories)


def _read_gcc(root: _Table) -> GccTarget | None:
    table = root.table("gcc")
    if table is None:
        return None
    gcc = GccTarget(table.text("prefix"), table.texts("flags", required=True))
    table.done()
    return gcc


def _read_zig(root: _Table) -> ZigTarget | None:
    table = root.table("zig")
    if table is None:
        return None
    zig = ZigTarget(table.text("target"), table.text("cpu"))
    table.done()
    return zig


def _read_qemu(root: _Table) -> QemuMachine | None:
    table = root.table("qemu")
    if table is None:
        return None
    qemu = QemuMachine(table.text("system", QEMU_SYSTEMS), table.text("machine"), table.texts("flags"))
    table.done()
    return qemu


def _read_unicorn(root: _Table) -> str | None:
    table = root.table("unicorn")
    if table is None:
        return None
    cpu = table.text("cpu")
    table.done()
    if not cpu.startswith("UC_CPU_ARM_"):
        raise table.fail("cpu", f"is {cpu!r}; give a constant of unicorn.arm_const such as UC_CPU_ARM_CORTEX_M4")
    return cpu


def _board_from(root: _Table) -> Board:
    name = root.text("name")
    description = root.text("description")
    kind = root.text("kind", KINDS)
    source = root.text("source")
    aliases = root.texts("aliases")
    if kind in ("host", "emulator"):
        root.done()
        return Board(name, description, kind, source, aliases, path=root.path)
    if kind == "fpga":
        raise root.fail("kind", "'fpga' boards are not read by this version of edgeq")
    core = root.text("core", CORES)
    isa = root.texts("isa", ISA_FEATURES, required=True)
    clock_hz = root.integer("clock_hz", 1, 10**10)
    memories = _read_memories(root)
    gcc, zig, qemu, unicorn = _read_gcc(root), _read_zig(root), _read_qemu(root), _read_unicorn(root)
    root.done()
    if gcc is None and zig is None:
        raise root.fail("gcc", "neither [gcc] nor [zig] is there; give at least one, or nothing can build for it")
    return Board(
        name,
        description,
        kind,
        source,
        aliases,
        core,
        isa,
        clock_hz,
        memories,
        gcc,
        zig,
        qemu,
        unicorn,
        root.path,
    )


def read_board(path: Path) -> Board:
    """Read one board file; `FileError` names the file and the field of the first thing wrong."""
    try:
        size = path.stat().st_size
        if size > MAX_BOARD_FILE:
            raise FileError(f"board file {path}: {size} bytes; a board file has at most {MAX_BOARD_FILE}")
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise FileError(f"board file {path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"board file {path}: is not UTF-8 text (byte {error.start})") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileError(f"board file {path}: is not TOML: {error}") from error
    return _board_from(_Table(data, path))


@functools.cache
def all_boards() -> tuple[Board, ...]:
    """Return every board that comes with edgeq: host and emulator first, then by name."""
    folder = resource_dir("boards")
    boards = [read_board(path) for path in sorted(folder.glob("*.toml"))]
    boards += [read_board(path) for path in sorted(folder.glob("mcu/*.toml"))]
    taken: dict[str, Path] = {}
    for board in boards:
        for name in (board.name, *board.aliases):
            if name in taken:
                raise FileError(f"board file {board.path}: field name: {name!r} is taken by {taken[name]}")
            taken[name] = board.path
    return tuple(sorted(boards, key=lambda b: (b.kind == "mcu", b.kind != "host", b.name)))


def load_board(name_or_path: str | Path) -> Board:
    """Return the board of that name or alias, or read the board file at that path (it ends in `.toml`).

    Raises `InputError` for an unknown name, with the nearest ones, and `FileError` for a damaged file.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or name.endswith(".toml"):
        return read_board(Path(name_or_path))
    for board in all_boards():
        if name == board.name or name in board.aliases:
            return board
    names = [board.name for board in all_boards()]
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"board {name!r}: unknown; {hint}choose one of {', '.join(names)} or give a .toml file")


def _kib(size: int) -> str:
    return f"{size // 1024} KiB" if size < 2**20 else f"{size // 2**20} MiB"


def boards_markdown() -> str:
    """Return the text of `docs/boards.md`, made from the board files."""
    lines = [
        "# Boards",
        "",
        "Made from `boards/` by `python -m edgeq.boards`; do not edit by hand. Adding one: [adding a board]"
        "(adding-a-board.md).",
        "",
        "`host` runs the same C on this computer, `emulator` runs the golden execution in Python.",
        "",
        "| board | also called | core | ISA | flash | RAM | clock | QEMU machine | unicorn | compilers |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    mcus = [board for board in all_boards() if board.kind == "mcu"]
    for board in mcus:
        compilers = [f"{board.gcc.prefix}gcc"] if board.gcc else []
        compilers += ["zig"] if board.zig else []
        cells = [
            f"`{board.name}`",
            ", ".join(f"`{alias}`" for alias in board.aliases),
            board.core or "",
            ", ".join(board.isa) or "–",
            f"{_kib(board.flash.size)} at {board.flash.origin:#010x}",
            f"{_kib(board.ram.size)} at {board.ram.origin:#010x}",
            f"{(board.clock_hz or 0) / 1e6:g} MHz",
            f"`{board.qemu.machine}`" if board.qemu else "–",
            "yes" if board.unicorn_cpu else "–",
            ", ".join(compilers),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## What they are and where the facts come from", ""]
    lines += [f"- **{board.name}**: {board.description}. {board.source}." for board in all_boards()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).resolve().parent.parent / "docs" / "boards.md").write_text(boards_markdown(), "utf-8")
