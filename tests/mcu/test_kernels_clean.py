"""The kernels compile without one warning: every operator, host and target compilers, every optimisation level."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeq.ir import OPERATORS
from tests.mcu.kernel_cases import cases
from tests.mcu.kernel_driver import FIRMWARE, WARNINGS, program

COMPILERS = {
    "gcc": [],
    "clang": [],
    "arm-none-eabi-gcc": ["-mthumb", "-mcpu=cortex-m0"],
    "riscv64-unknown-elf-gcc": ["-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"],
}


def source() -> str:
    """A program that holds some cases of every operator."""
    return program([graph for op in sorted(OPERATORS) for graph, _ in cases(op).cases[::13]])


@pytest.mark.sample(2)
@pytest.mark.parametrize("level", ["-O2", *(pytest.param(o, marks=pytest.mark.heavy) for o in ("-O1", "-Os", "-O3"))])
@pytest.mark.parametrize("cc", COMPILERS)
def test_no_warning(cc: str, level: str, tmp_path: Path) -> None:
    if not shutil.which(cc):
        pytest.skip(f"{cc} is not installed")
    (tmp_path / "net.c").write_text(source())
    command = [cc, *COMPILERS[cc], *WARNINGS, level, f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'kernels'}"]
    done = subprocess.run(
        [*command, "-c", str(tmp_path / "net.c"), "-o", str(tmp_path / "net.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "header", sorted(p.name for p in [*FIRMWARE.glob("include/*.h"), *FIRMWARE.glob("kernels/*.h")])
)
def test_header_stands_by_itself(header: str, tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(f'#include "{header}"\n#include "{header}"\ntypedef int not_empty;\n')
    command = ["gcc", *WARNINGS, f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'kernels'}", "-fsyntax-only"]
    subprocess.run([*command, str(tmp_path / "one.c")], check=True)
    # What other compilers see: no builtins, no attributes, no assembler.
    subprocess.run([*command, "-U__GNUC__", str(tmp_path / "one.c")], check=True)


def test_headers_need_three_standard_headers_only() -> None:
    """No string.h: freestanding targets of zig have none; no double or float: there is no floating point."""
    for path in [*FIRMWARE.glob("include/*.h"), *FIRMWARE.glob("kernels/*.h")]:
        text = path.read_text()
        found = {line for line in text.splitlines() if line.startswith("#include <")}
        assert found <= {"#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>"}, path
        assert "malloc" not in text, path
        assert "double " not in text, path
