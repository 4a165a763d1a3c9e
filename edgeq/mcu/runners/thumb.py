"""A small classifier of Thumb instructions, enough for lengths and for a crude count of pipeline cycles.

Encodings: ARMv7-M Architecture Reference Manual (DDI 0403E), chapter A5. Cycles: the Cortex-M4 Technical
Reference Manual (DDI 0439), section 3.3, reduced to: a load 2, or 1 when it directly follows another load or
store; LDRD and STRD 3; LDM, STM, PUSH and POP 1 + number of registers; a taken branch 3; everything else 1.
Divisions, wait states of the flash and multiply hazards are left out: an estimate, not a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from edgeq.mcu.toolchains.elf import Image


class Kind(Enum):
    """What the pipeline model tells apart."""

    OTHER = "other"
    LOAD = "load"
    STORE = "store"
    DUAL = "dual"
    MULTIPLE = "multiple"
    JUMP = "jump"
    BRANCH_IF = "conditional branch"


@dataclass(frozen=True)
class Instruction:
    """Length in bytes, kind, the number of registers of a multiple transfer, and whether that ends in a jump."""

    length: int
    kind: Kind
    registers: int = 0
    jumps: bool = False


def _narrow(half: int) -> Instruction:
    def be(kind: Kind, registers: int = 0, jumps: bool = False) -> Instruction:
        return Instruction(2, kind, registers, jumps)

    top = half >> 12
    if half >> 11 == 0b01001:
        return be(Kind.LOAD)
    if top == 5:
        return be(Kind.STORE if (half >> 9) & 7 <= 2 else Kind.LOAD)
    if 6 <= top <= 9:
        return be(Kind.LOAD if half & 0x0800 else Kind.STORE)
    if top == 12:
        return be(Kind.MULTIPLE, (half & 0xFF).bit_count())
    if half & 0xFE00 == 0xB400:
        return be(Kind.MULTIPLE, (half & 0x1FF).bit_count())
    if half & 0xFE00 == 0xBC00:
        return be(Kind.MULTIPLE, (half & 0x1FF).bit_count(), bool(half & 0x100))
    if half & 0xF500 == 0xB100:
        return be(Kind.BRANCH_IF)
    if top == 13 and (half >> 8) & 15 < 14:
        return be(Kind.BRANCH_IF)
    if half >> 11 == 0b11100 or half & 0xFF00 == 0x4700:
        return be(Kind.JUMP)
    return be(Kind.OTHER)


def _wide(first: int, second: int) -> Instruction:
    def be(kind: Kind, registers: int = 0, jumps: bool = False) -> Instruction:
        return Instruction(4, kind, registers, jumps)

    if first & 0xFE40 == 0xE800:
        return be(Kind.MULTIPLE, second.bit_count(), bool(first & 0x10 and second & 0x8000))
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:
        return be(Kind.JUMP)  # TBB, TBH
    if first & 0xFE40 == 0xE840:
        exclusive = first & 0xFF60 == 0xE840
        return be((Kind.LOAD if first & 0x10 else Kind.STORE) if exclusive else Kind.DUAL)
    if first & 0xFE00 == 0xF800:
        return be(Kind.LOAD if first & 0x10 else Kind.STORE)
    if first & 0xFE00 == 0xEC00 and second & 0x0E00 == 0x0A00:
        if first & 0x0120 == 0x0100:  # VLDR, VSTR
            double = bool(second & 0x0100)
            return be(Kind.DUAL if double else Kind.LOAD if first & 0x10 else Kind.STORE)
        if first & 0x01A0 != 0:
            return be(Kind.MULTIPLE, second & 0xFF)  # VLDM, VSTM, VPUSH, VPOP
    if first & 0xF800 == 0xF000 and second & 0x8000:
        if second & 0x5000:
            return be(Kind.JUMP)  # B.W, BL
        if (first >> 6) & 15 < 14:
            return be(Kind.BRANCH_IF)
    return be(Kind.OTHER)


def decode(code: bytes) -> Instruction:
    """Classify the Thumb instruction at the start of `code` (2 bytes are enough for a narrow one)."""
    first = int.from_bytes(code[:2], "little")
    if first >> 11 in (0b11101, 0b11110, 0b11111):
        return _wide(first, int.from_bytes(code[2:4], "little"))
    return _narrow(first)


def _cycles(instruction: Instruction, follows_transfer: bool) -> int:
    """Cycles of one execution that takes no conditional branch."""
    if instruction.kind is Kind.LOAD:
        return 1 if follows_transfer else 2
    if instruction.kind is Kind.DUAL or instruction.kind is Kind.JUMP:
        return 3
    if instruction.kind is Kind.MULTIPLE:
        return 1 + instruction.registers + (2 if instruction.jumps else 0)
    return 1


def estimate_cycles(image: Image, counts: Mapping[int, int]) -> int:
    """Return estimated cycles for `counts` executions per address.

    How often a conditional branch was taken is read off the count of the instruction after it: exact unless
    that instruction is also jumped to, and then too low.
    """
    total = 0
    previous_end, previous_transfer = -1, False
    for pc in sorted(counts):
        instruction = decode(image.read_code(pc, 4))
        follows = previous_transfer and previous_end == pc
        total += counts[pc] * _cycles(instruction, follows)
        if instruction.kind is Kind.BRANCH_IF:
            total += 2 * max(0, counts[pc] - counts.get(pc + instruction.length, 0))
        previous_end = pc + instruction.length
        previous_transfer = instruction.kind in (Kind.LOAD, Kind.STORE)
    return total
