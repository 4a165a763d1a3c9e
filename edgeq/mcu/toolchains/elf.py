"""What is in a linked image: bytes of flash and RAM, sections, symbols; read from the ELF file."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeq.errors import FileError, ToolError

_SHF_WRITE = 1
_SHF_ALLOC = 2
_SHF_EXECINSTR = 4


@dataclass(frozen=True)
class Symbol:
    """A function or object: `address` without the Thumb bit, `size` in bytes, the section that holds it."""

    name: str
    address: int
    size: int
    section: str
    is_function: bool


@dataclass(frozen=True)
class LinkResult:
    """A linked image and what it takes.

    `flash` is the bytes stored in flash (code, constants and the initial values of .data), `ram_static` the
    bytes of .data and .bss (the stack comes on top), `sections` the bytes per allocated section, `symbols` the
    functions and objects by name. `log` is the compiler's output, `warnings` its warning lines.
    """

    elf: Path
    flash: int
    ram_static: int
    sections: Mapping[str, int]
    symbols: Mapping[str, Symbol]
    toolchain: str = ""
    log: Path | None = None
    warnings: tuple[str, ...] = ()

    def symbol(self, name: str) -> Symbol:
        """Return the symbol called `name`, or raise `ToolError`."""
        if name not in self.symbols:
            raise ToolError(f"{self.elf}: no symbol {name!r}; was the image linked with the harness?")
        return self.symbols[name]


@dataclass(frozen=True)
class Segment:
    """Bytes that are loaded at `address` (the load address, in flash for .data)."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Image:
    """An ELF file read whole: segments to load, sections with their bytes, symbols, entry point."""

    path: Path
    entry: int
    segments: tuple[Segment, ...]
    sections: Mapping[str, int]
    flash: int
    ram_static: int
    symbols: Mapping[str, Symbol]
    code: tuple[Segment, ...]
    functions: tuple[Symbol, ...] = field(repr=False)
    is_arm: bool = True

    def function_at(self, address: int) -> str:
        """Return the name of the function that holds `address`, or its hexadecimal form."""
        starts = [f.address for f in self.functions]
        index = bisect.bisect_right(starts, address) - 1
        if index >= 0:
            function = self.functions[index]
            # Functions written in assembly may have no size: they reach as far as the next one.
            after = self.functions[index + 1].address if index + 1 < len(self.functions) else address + 1
            if address < (function.address + function.size if function.size else after):
                return function.name
        return f"{address:#010x}"

    def read_code(self, address: int, count: int) -> bytes:
        """Return up to `count` bytes of code at `address` (empty when there is none)."""
        for segment in self.code:
            offset = address - segment.address
            if 0 <= offset < len(segment.data):
                return segment.data[offset : offset + count]
        return b""


def _read_symbols(elf: Any) -> dict[str, Symbol]:
    table = elf.get_section_by_name(".symtab")
    symbols: dict[str, Symbol] = {}
    if table is None:
        return symbols
    is_arm = elf["e_machine"] == "EM_ARM"
    for entry in table.iter_symbols():
        kind, index = entry["st_info"]["type"], entry["st_shndx"]
        if not entry.name or kind in ("STT_FILE", "STT_SECTION") or entry.name.startswith("$"):
            continue
        section = elf.get_section(index).name if isinstance(index, int) else str(index)
        is_function = kind == "STT_FUNC"
        address = entry["st_value"] & (~1 if is_arm and is_function else ~0)
        # Two files may each have a static function of one name: keep both, the later under a longer name.
        name = entry.name if entry.name not in symbols else f"{entry.name}@{address:#x}"
        symbols[name] = Symbol(name, address, entry["st_size"], section, is_function)
    return symbols


def read_image(path: Path) -> Image:
    """Read an ELF file with pyelftools; `FileError` when it is none or is damaged."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf["e_machine"] not in ("EM_ARM", "EM_RISCV") or elf["e_type"] != "ET_EXEC" or elf.elfclass != 32:
                raise FileError(f"{path}: is not a linked 32-bit ARM or RISC-V image ({elf['e_machine']})")
            segments = tuple(Segment(s["p_paddr"], s.data()) for s in elf.iter_segments("PT_LOAD") if s["p_filesz"] > 0)
            allocated = [s for s in elf.iter_sections() if s["sh_flags"] & _SHF_ALLOC and s["sh_size"] > 0]
            code = tuple(Segment(s["sh_addr"], s.data()) for s in allocated if s["sh_flags"] & _SHF_EXECINSTR)
            symbols = _read_symbols(elf)
            functions = sorted((s for s in symbols.values() if s.is_function), key=lambda s: (s.address, s.size))
            return Image(
                path=path,
                entry=elf["e_entry"],
                segments=segments,
                sections={s.name: s["sh_size"] for s in allocated},
                flash=sum(s["sh_size"] for s in allocated if s["sh_type"] != "SHT_NOBITS"),
                ram_static=sum(s["sh_size"] for s in allocated if s["sh_flags"] & _SHF_WRITE),
                symbols=symbols,
                code=code,
                functions=tuple(functions),
                is_arm=elf["e_machine"] == "EM_ARM",
            )
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    except (ELFError, ValueError, KeyError, AttributeError) as error:
        raise FileError(f"{path}: is not a readable ELF file ({error})") from error
