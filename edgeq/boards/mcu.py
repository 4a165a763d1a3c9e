"""Reading the tables of a microcontroller's board file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeq.boards.board import Board, GccTarget, Memory, QemuMachine, ZigTarget
from edgeq.boards.table import Table

CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imac", "rv32ec")
#: thumb1, thumb2, rv32m, rv32i (no multiplier): the integer instructions of cores without "dsp"
ISA_FEATURES = ("dsp", "fpu", "mve", "thumb1", "thumb2", "rv32m", "rv32i")
QEMU_SYSTEMS = ("arm", "riscv32")


def _read_memories(root: Table) -> tuple[Memory, ...]:
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


def _read_gcc(root: Table) -> GccTarget | None:
    table = root.table("gcc")
    if table is None:
        return None
    gcc = GccTarget(table.text("prefix"), table.texts("flags", required=True))
    table.done()
    return gcc


def _read_zig(root: Table) -> ZigTarget | None:
    table = root.table("zig")
    if table is None:
        return None
    zig = ZigTarget(table.text("target"), table.text("cpu"))
    table.done()
    return zig


def _read_qemu(root: Table) -> QemuMachine | None:
    table = root.table("qemu")
    if table is None:
        return None
    qemu = QemuMachine(table.text("system", QEMU_SYSTEMS), table.text("machine"), table.texts("flags"))
    table.done()
    return qemu


def _read_unicorn(root: Table) -> str | None:
    table = root.table("unicorn")
    if table is None:
        return None
    cpu = table.text("cpu")
    table.done()
    if not cpu.startswith("UC_CPU_ARM_"):
        raise table.fail("cpu", f"is {cpu!r}; give a constant of unicorn.arm_const such as UC_CPU_ARM_CORTEX_M4")
    return cpu


def read_mcu(root: Table, common: Mapping[str, Any]) -> Board:
    """A microcontroller from its table; `common` are the fields that every board has."""
    core = root.text("core", CORES)
    isa = root.texts("isa", ISA_FEATURES, required=True)
    clock_hz = root.integer("clock_hz", 1, 10**10)
    memories = _read_memories(root)
    gcc, zig, qemu, unicorn = _read_gcc(root), _read_zig(root), _read_qemu(root), _read_unicorn(root)
    root.done()
    if gcc is None and zig is None:
        raise root.fail("gcc", "neither [gcc] nor [zig] is there; give at least one, or nothing can build for it")
    return Board(
        **common,
        core=core,
        isa=isa,
        clock_hz=clock_hz,
        memories=memories,
        gcc=gcc,
        zig=zig,
        qemu=qemu,
        unicorn_cpu=unicorn,
    )
