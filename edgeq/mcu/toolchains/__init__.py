"""Compilers that turn firmware C into an image for a board: system GCC, or `ziglang` from PyPI."""

from edgeq.mcu.toolchains.elf import LinkResult, Symbol, read_image
from edgeq.mcu.toolchains.find import available_toolchains, find_toolchain
from edgeq.mcu.toolchains.gcc import GccToolchain
from edgeq.mcu.toolchains.ports import (
    HARNESS_SOURCES,
    ProjectFlags,
    linker_script,
    port_files,
    port_sources,
    ports_dir,
    project_flags,
)
from edgeq.mcu.toolchains.toolchain import Toolchain
from edgeq.mcu.toolchains.zig import ZigToolchain

__all__ = [
    "HARNESS_SOURCES",
    "GccToolchain",
    "LinkResult",
    "ProjectFlags",
    "Symbol",
    "Toolchain",
    "ZigToolchain",
    "available_toolchains",
    "find_toolchain",
    "linker_script",
    "port_files",
    "port_sources",
    "ports_dir",
    "project_flags",
    "read_image",
]
