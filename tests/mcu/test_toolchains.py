"""Both compilers on every board: sizes against an independent tool, and every kind of failure as one clear line."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from mcu.tiny import BUILDS, TINY, C, samples, toolchain

from edgeq.boards import load_board
from edgeq.errors import BudgetError, FileError, InputError, ToolError
from edgeq.mcu.runners import pick_runner
from edgeq.mcu.toolchains import (
    available_toolchains,
    find_toolchain,
    linker_script,
    ports_dir,
    project_flags,
    read_image,
)

COMPILERS = ["gcc", "zig"]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wmissing-prototypes", "-Werror"]


@pytest.mark.sample(4)
@pytest.mark.parametrize(("name", "compiler"), BUILDS)
def test_sizes_are_those_of_the_image(name: str, compiler: str, tmp_path: Path) -> None:
    board = load_board(name)
    result = toolchain(board, compiler).link([TINY], tmp_path / "tiny.elf", board)
    assert result.warnings == ()
    assert result.elf.is_file()
    # The linker's own symbols say where RAM starts and ends; .data and .bss are padded to 8 bytes.
    used = result.symbol("_eq_bss_end").address - result.symbol("_eq_data_start").address
    assert used - 16 <= result.ram_static <= used
    assert result.symbol("_eq_stack_top").address == board.ram.origin + board.ram.size
    assert result.symbols["eq_harness_net"].size == 28
    objcopy = shutil.which("arm-none-eabi-objcopy" if board.is_arm else "riscv64-unknown-elf-objcopy")
    if objcopy is None:
        pytest.skip("objcopy, the independent check of the flash size, is not installed")
    subprocess.run([objcopy, "-O", "binary", str(result.elf), str(tmp_path / "flash.bin")], check=True)
    assert (tmp_path / "flash.bin").stat().st_size == result.flash


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_compile_error_names_its_line_and_keeps_the_old_image(compiler: str, tmp_path: Path) -> None:
    board = load_board("cortex-m4")
    tool = toolchain(board, compiler)
    bad = tmp_path / "bad.c"
    bad.write_text("int main(void)\n{\n    return missing;\n}\n")
    out = tmp_path / "bad.elf"
    out.write_bytes(b"old")
    with pytest.raises(ToolError, match=r"cortex-m4: .*bad\.c:3:\d+: error: .*missing.*log: .*bad\.elf\.log") as caught:
        tool.link([bad], out, board, harness=False)
    assert "\n" not in str(caught.value)
    assert out.read_bytes() == b"old"
    assert "missing" in (tmp_path / "bad.elf.log").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.c", "bad.elf", "bad.elf.log"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_an_undefined_function_is_named(compiler: str, tmp_path: Path) -> None:
    board = load_board("riscv32")
    source = tmp_path / "main.c"
    source.write_text("int far_away(void);\nint main(void)\n{\n    return far_away();\n}\n")
    with pytest.raises(ToolError, match=r"undefined.*far_away"):
        toolchain(board, compiler).link([source], tmp_path / "x.elf", board, harness=False)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        ("const char big[300000] = {1};", r"needs \d+ bytes more FLASH than the 262144 it has"),
        ("volatile char big[17000];", r"needs \d+ bytes more RAM than the 16384 it has"),
        ("volatile char big[15800];", r"too little of its 16384 bytes of RAM is left for the stack"),
    ],
)
def test_an_image_that_does_not_fit_is_a_budget_error(
    compiler: str, declaration: str, complaint: str, tmp_path: Path
) -> None:
    board = load_board("microbit")
    source = tmp_path / "main.c"
    source.write_text(f"{declaration}\nvolatile int at;\nint main(void)\n{{\n    return big[at];\n}}\n")
    with pytest.raises(BudgetError, match=complaint):
        toolchain(board, compiler).link([source], tmp_path / "x.elf", board, harness=False)


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    board = load_board("cortex-m4")
    tool = available_toolchains(board)[0]
    with pytest.raises(ToolError, match="optimize '-O9': unknown"):
        tool.link([TINY], tmp_path / "x.elf", board, optimize="-O9")
    with pytest.raises(InputError, match="board host: is a host target"):
        tool.link([TINY], tmp_path / "x.elf", load_board("host"))
    with pytest.raises(InputError, match="board emulator"):
        find_toolchain(load_board("emulator"))
    with pytest.raises(ToolError, match="toolchain 'tcc': unknown"):
        find_toolchain(board, prefer="tcc")
    assert list(tmp_path.iterdir()) == []


def test_gcc_is_preferred_then_zig_then_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("cortex-m4")
    for name in COMPILERS:
        toolchain(board, name)  # skips where one is missing
    assert find_toolchain(board).name == "gcc"
    assert find_toolchain(board, prefer="zig").name == "zig"
    monkeypatch.setattr("edgeq.mcu.toolchains.gcc.shutil.which", lambda name: None)
    assert find_toolchain(board).name == "zig"
    with pytest.raises(ToolError, match=r"board cortex-m4: no compiler.*install arm-none-eabi-gcc$"):
        find_toolchain(board, prefer="gcc")
    monkeypatch.setattr("edgeq.mcu.toolchains.zig.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="install arm-none-eabi-gcc or pip install ziglang"):
        find_toolchain(board)


def test_read_image_refuses_what_is_no_elf(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    with pytest.raises(FileError, match="cannot be read"):
        read_image(path)
    for content in (b"", b"\x7fELF", b"no", b"\x7fELF\x01\x01\x01" + bytes(60)):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"x\.elf"):
            read_image(path)


def test_defines_and_optimisation_reach_the_compiler(tmp_path: Path) -> None:
    board = load_board("cortex-m4")
    tool = available_toolchains(board)[0]
    plain = tool.link([TINY], tmp_path / "a.elf", board, defines={"BREAK": 0})
    traced = tool.link([TINY], tmp_path / "b.elf", board, defines={"BREAK": "0", "EDGEQ_TRACE": None})
    same = tool.link([TINY], tmp_path / "c.elf", board, defines=["BREAK=0"])
    assert "edgeq_trace" in traced.symbols
    assert "edgeq_trace" not in plain.symbols
    assert dict(same.sections) == dict(plain.sections)
    small = tool.link([TINY], tmp_path / "d.elf", board, optimize="-Os")
    assert small.flash != plain.flash


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_ports_and_plugin_compile_without_a_warning(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    plugin = ports_dir().parent / "plugin" / "edgeq_count.c"
    subprocess.run([compiler, *STRICT, "-fPIC", "-c", str(plugin), "-o", str(tmp_path / "x.o")], check=True)
    cross = {
        "gcc": ["arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m4"],
        "clang": ["clang", "--target=thumbv7em-none-eabi"],
    }
    if shutil.which(cross[compiler][0]) is None:
        pytest.skip(f"{cross[compiler][0]} is not installed")
    for define in ("PLAIN", "EDGEQ_TRACE", "EDGEQ_PROFILE"):
        for source in ("cortexm_startup.c", "semihost.c", "harness.c", "libc_min.c"):
            command = [
                *cross[compiler],
                *STRICT,
                "-ffreestanding",
                "-O2",
                f"-D{define}",
                "-c",
                str(ports_dir() / source),
            ]
            subprocess.run([*command, "-o", str(tmp_path / "x.o")], check=True)


@pytest.mark.parametrize("name", ["stm32f405", "riscv32"])
def test_a_plain_makefile_builds_the_same_image(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    gcc = toolchain(board, "gcc")
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    flags = project_flags(board)
    for file in (*flags.sources, *flags.headers):
        target = tmp_path / Path(file)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ports_dir() / file, target)
    (tmp_path / "board.ld").write_text(flags.script)
    shutil.copy(TINY, tmp_path)
    (tmp_path / "Makefile").write_text(
        f"tiny.elf: board.ld\n\t{flags.cc} {' '.join(flags.cflags)} {' '.join(flags.ldflags)} -I. -idirafter libc "
        f"tiny_net.c {' '.join(flags.sources)} -o $@ {' '.join(flags.libraries)}\n"
    )
    subprocess.run(["make", "-s"], cwd=tmp_path, check=True)
    ours = gcc.link([TINY], tmp_path / "ours.elf", board)
    made = read_image(tmp_path / "tiny.elf")
    assert (made.flash, made.ram_static) == (ours.flash, ours.ram_static)
    x = samples(2).tobytes()
    try:
        machine = pick_runner(board)
    except ToolError as error:
        pytest.skip(str(error))
    assert machine.run(tmp_path / "tiny.elf", x).outputs == machine.run(ours.elf, x).outputs


def test_the_linker_script_holds_the_memories_and_the_stack() -> None:
    script = linker_script(load_board("stm32f405"), stack_bytes=4096)
    assert "FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 0x100000" in script
    assert "RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 0x20000" in script
    assert "EQ_STACK_BYTES = 4096;" in script


def test_memory_functions_do_what_the_standard_says(tmp_path: Path) -> None:
    """libc_min.c compiled for this machine under other names, against Python's bytes."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no host compiler")
    names = ("memcpy", "memmove", "memset", "memcmp", "strlen")
    library = tmp_path / "libc_min.so"
    renames = [f"-D{name}=eq_{name}" for name in names]
    source = str(ports_dir() / "libc_min.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *renames, source, "-o", str(library)], check=True)
    lib = ctypes.CDLL(str(library))
    rng = random.Random(3)
    for _ in range(2000):
        data = bytearray(rng.randbytes(160))
        size, at, to = rng.randrange(70), rng.randrange(40), rng.randrange(40)
        memory = (ctypes.c_uint8 * 160).from_buffer_copy(data)
        base = ctypes.addressof(memory)
        fill = rng.randrange(256)
        choice = rng.choice(names)
        if choice == "memmove":
            lib.eq_memmove(ctypes.c_void_p(base + to), ctypes.c_void_p(base + at), ctypes.c_size_t(size))
            data[to : to + size] = data[at : at + size]
        elif choice == "memcpy":
            lib.eq_memcpy(ctypes.c_void_p(base + to), ctypes.c_void_p(base + at + 80), ctypes.c_size_t(min(size, 40)))
            data[to : to + min(size, 40)] = data[at + 80 : at + 80 + min(size, 40)]
        elif choice == "memset":
            lib.eq_memset(ctypes.c_void_p(base + to), ctypes.c_int(fill), ctypes.c_size_t(size))
            data[to : to + size] = bytes([fill]) * size
        elif choice == "memcmp":
            length = min(size, 3)
            sign = lib.eq_memcmp(ctypes.c_void_p(base + to), ctypes.c_void_p(base + at), ctypes.c_size_t(length))
            left, right = bytes(data[to : to + length]), bytes(data[at : at + length])
            assert (sign > 0) - (sign < 0) == (left > right) - (left < right)
        else:
            memory[100] = data[100] = 0
            length = lib.eq_strlen(ctypes.c_void_p(base + at))
            assert length == bytes(data[at:]).index(0)
        assert bytes(memory) == bytes(data), (choice, size, at, to)


def test_the_mve_board_compiles_helium_with_both_compilers(tmp_path: Path) -> None:
    board = load_board("cortex-m55")
    for tool in available_toolchains(board):
        result = tool.link([C / "mve_net.c"], tmp_path / f"{tool.name}.elf", board)
        assert result.flash > 0
        try:
            machine = pick_runner(board)
        except ToolError as error:
            pytest.skip(str(error))
        x = bytes(range(120, 136))
        assert machine.run(result.elf, x).outputs == bytes((b + 1) % 256 for b in x)
