"""Building: what stands in the folder, that it compiles without a warning, fits what was planned, or fails whole."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgeq.mcu.program as program_module
from edgeq.boards import load_board
from edgeq.errors import BudgetError, FileError, InputError, ToolError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu import build as build_module
from edgeq.mcu.build import BuildResult, build
from edgeq.mcu.execute import stack_peak
from edgeq.mcu.names import Names, comment, identifier
from edgeq.mcu.toolchains import available_toolchains
from tests.mcu.nets import ALL, S8, classifier, minifloat, nothing

# What only an optimiser can warn of shows in `BuildResult.warnings`, which tests hold empty as well.
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
CROSS = ["-ffreestanding"]  # without a C library there is no hosted <stdint.h>
COMPILERS = [cc for cc in ("gcc", "clang", "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc") if shutil.which(cc)]


Build = Callable[..., BuildResult]


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_project_holds_what_it_should(tmp_path: Path) -> None:
    made = build(classifier(), "cortex-m4", tmp_path / "out")
    have = files(made.path)
    names = ("digits.h", "digits.c", "digits_weights.h", "digits_weights.c", "digits_vectors.h", "digits_selftest.c")
    kernels = ("edgeq/edgeq.h", "edgeq/conv_narrow_dsp.h", "edgeq/edgeq_dsp.h", "edgeq/requantise_dsp.h")
    others = ("Makefile", "CMakeLists.txt", "README.md", "manifest.json", "port/harness_net.c", "port/board.ld")
    assert {*names, *kernels, *others, "build/firmware.elf"} <= have
    assert not any(name.startswith("edgeq/softmax") for name in have)
    assert made.elf == made.path / "build" / "firmware.elf"
    manifest = json.loads((made.path / "manifest.json").read_text())
    assert manifest == json.loads(json.dumps(made.manifest))
    assert manifest["steps"][0]["source"] == "features.0"
    assert manifest["values"]["flat"]["offset"] == manifest["values"]["relu"]["offset"]
    assert str(tmp_path) not in "".join((made.path / n).read_text() for n in have if not n.startswith("build/"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("net", ALL)
def test_planned_bytes_are_linked_bytes(net: str, built: Build) -> None:
    if not available_toolchains(load_board("cortex-m4")):
        pytest.skip("no compiler for Cortex-M")
    made = built(net, "cortex-m4")
    assert made.warnings == ()
    assert made.arena == made.plan.arena_bytes == made.sizes["arena"]
    assert made.sizes["weights"] == made.program.weight_bytes
    assert made.ram == made.arena + made.sizes["other_ram"]
    assert made.flash == sum(made.sizes[k] for k in ("weights", "network_code", "network_params", "other_flash"))
    assert made.sizes["network_flash"] == made.flash - made.sizes["other_flash"]
    # Start-up code and harness, of which no network is made; every network has some code.
    assert 800 < made.sizes["other_flash"] < 2500
    assert made.sizes["network_code"] > 100


def test_another_arena_than_planned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = build_module.write_project

    def wrong(program, vectors, folder, optimize):  # type: ignore[no-untyped-def]
        write(program, vectors, folder, optimize)
        header = folder / "digits.h"
        header.write_text(header.read_text().replace("ARENA_BYTES 1440u", "ARENA_BYTES 1448u"))

    monkeypatch.setattr(build_module, "write_project", wrong)
    with pytest.raises(ToolError, match="planned with 1440 bytes, linked with 1448"):
        build(classifier(), "cortex-m4", tmp_path / "out")


@pytest.mark.parametrize("net", ALL)
def test_sources_are_clean_in_every_compiler(net: str, built: Build) -> None:
    made = built(net, "host")
    assert made.warnings == ()
    name = made.program.name
    sources = [f"{name}.c", f"{name}_weights.c", f"{name}_selftest.c", "port/harness_net.c"]
    for compiler in COMPILERS:
        command = [compiler, *(CROSS if "-elf-" in compiler or "none" in compiler else []), *STRICT, *sources]
        done = subprocess.run(command, cwd=made.path, capture_output=True, text=True)
        assert done.returncode == 0, f"{compiler}: {done.stderr}"
    if shutil.which("g++"):
        command = ["g++", "-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-x", "c++", "-fsyntax-only"]
        subprocess.run([*command, f"{name}.h"], cwd=made.path, check=True)


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("cc"), reason="needs make and cc")
@pytest.mark.parametrize("board", ["host", "cortex-m4"])
def test_the_project_builds_by_itself_and_its_selftest_can_fail(board: str, built: Build, tmp_path: Path) -> None:
    made = built("residual", board)
    alone = tmp_path / "moved"
    shutil.copytree(made.path, alone, ignore=shutil.ignore_patterns("build"))
    subprocess.run(["make", "-s"], cwd=alone, check=True, capture_output=True)
    if board == "cortex-m4" and shutil.which("arm-none-eabi-gcc"):
        assert (alone / "build" / "firmware.elf").is_file()
    done = subprocess.run(["make", "-s", "host-test"], cwd=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "self-test passed" in done.stdout
    weights = alone / "residual_net_weights.c"
    text = weights.read_text()
    first = text.index("{") + 1
    number = text[first:].split(",")[0].strip()
    weights.write_text(text[:first] + text[first:].replace(number, str(-int(number) - 1), 1))
    done = subprocess.run(["make", "-s", "host-test"], cwd=alone, capture_output=True, text=True)
    assert done.returncode != 0
    assert "SELF-TEST FAILED" in done.stdout
    assert "first wrong step: branch" in done.stdout


@pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("cc"), reason="needs cmake and cc")
def test_the_project_is_a_cmake_library(built: Build, tmp_path: Path) -> None:
    made = built("minifloat", "host")
    subprocess.run(["cmake", "-S", made.path, "-B", tmp_path / "cm"], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", tmp_path / "cm"], check=True, capture_output=True)
    done = subprocess.run(["ctest"], cwd=tmp_path / "cm", capture_output=True, text=True)
    assert done.returncode == 0
    assert "1 tests passed" in done.stdout or "100% tests passed" in done.stdout


USER = """
#include <stdio.h>
#include "digits.h"
static uint64_t arena[DIGITS_ARENA_BYTES / 8u + 1u];
int main(void)
{
    digits_t net = {NULL};
    uint8_t *odd = (uint8_t *)arena + 1;
    printf("%d %d %d %d %d %d", digits_run(&net), digits_init(NULL, arena, sizeof arena),
           digits_init(&net, NULL, sizeof arena), digits_init(&net, arena, DIGITS_ARENA_BYTES - 1u),
           digits_init(&net, odd, DIGITS_ARENA_BYTES), digits_run(NULL));
    printf(" %d", digits_input(&net, 0u) == NULL && digits_output(&net, 0u) == NULL);
    printf(" %d", digits_init(&net, arena, DIGITS_ARENA_BYTES));
    printf(" %d %d", digits_input(&net, 0u) != NULL, digits_input(&net, 1u) == NULL && digits_output(&net, 1u) == NULL);
    printf(" %d", digits_run(&net));
    printf(" %d", hooked);
    return 0;
}
"""

CONFIG = """
extern int hooked;
#define EDGEQ_LAYER_HOOK(step, data, bytes) (hooked += (int)(step) + 1)
#define EDGEQ_WEIGHT_SECTION __attribute__((section("my_weights")))
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_misuse_has_status_codes_and_macros_can_be_overridden(built: Build, tmp_path: Path) -> None:
    made, folder = built("classifier", "host"), tmp_path / "project"
    shutil.copytree(made.path, folder)
    (folder / "config.h").write_text(CONFIG)
    (folder / "main.c").write_text('#include "config.h"\nint hooked;\n' + USER)
    command = ["gcc", "-std=c99", '-DEDGEQ_CONFIG="config.h"', "main.c", "digits.c", "digits_weights.c", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=True)
    # run before init: STATE; null: ARGUMENT; small: ARENA; odd: ALIGN; the hook saw steps 0, 1 and 2.
    assert done.stdout == "4 1 1 2 3 1 1 0 1 1 0 6"
    sections = subprocess.run(["objdump", "-h", "main"], cwd=folder, capture_output=True, text=True, check=True)
    size = next(line.split()[2] for line in sections.stdout.splitlines() if "my_weights" in line)
    assert int(size, 16) >= made.program.weight_bytes


def test_equal_constants_and_instances_are_shared(built: Build) -> None:
    made = built("awkward", "host")
    assert sum(c.c_name.endswith("weight") for c in made.program.constants) == 1
    assert [i.kernel for i in made.program.instances] == ["linear"]
    assert len({call.c_name.lower() for call in made.program.calls}) == 3


def test_ram_budget_names_the_layers_at_the_peak(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"1087 bytes of RAM.*conv1 \(layer features.0\) 1024 bytes, x 64 bytes"):
        build(classifier(), "host", tmp_path / "out", budget_ram=1087)
    assert not (tmp_path / "out").exists()


def test_ram_budget_counts_static_data_and_stack(built: Build, tmp_path: Path) -> None:
    made = built("minifloat", "cortex-m4")
    stack = stack_peak(made)
    if stack is None:
        pytest.skip("no emulator measures the stack")
    needed = made.ram + stack
    assert build(minifloat(), "cortex-m4", tmp_path / "out", budget_ram=needed).stack == stack
    with pytest.raises(BudgetError, match=f"needs {needed} .arena 24, other static data .*stack {stack}"):
        build(minifloat(), "cortex-m4", tmp_path / "out", budget_ram=needed - 1)


def test_flash_budget_names_the_largest_arrays(built: Build, tmp_path: Path) -> None:
    made = built("minifloat", "cortex-m4")
    fits = build(minifloat(), "cortex-m4", tmp_path / "out", budget_flash=made.flash)
    assert fits.elf is not None
    assert fits.flash == made.flash
    before = fits.elf.read_bytes()
    with pytest.raises(BudgetError, match=r"largest arrays are fc_weight \(layer fc\) 37 bytes"):
        build(minifloat(), "cortex-m4", tmp_path / "out", budget_flash=made.flash - 1)
    with pytest.raises(BudgetError, match="the weights alone"):
        build(classifier(), "cortex-m4", tmp_path / "out", budget_flash=10_000)
    assert fits.elf.read_bytes() == before


def test_a_board_that_is_too_small_is_named(tmp_path: Path) -> None:
    g = GraphBuilder("wide")
    x = g.input("x", (9000,), S8)
    graph = g.build([g.node("requantise", "y", [x], FixedPoint(16, 4))])
    with pytest.raises(BudgetError, match=r"board stm32vldiscovery is 8192 bytes of RAM.*y 18000 bytes, x 9000 bytes"):
        build(graph, "stm32vldiscovery", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    lower = program_module.ops.lower

    def worse(*args, **options):  # type: ignore[no-untyped-def]
        step = lower(*args, **options)
        return step and type(step)(**{**step.__dict__, "fixed": (*step.fixed, "no_such_thing")})

    monkeypatch.setattr(program_module.ops, "lower", worse)


@pytest.mark.parametrize("board", ["host", "cortex-m4"])
def test_a_failed_compilation_leaves_nothing_behind(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(nothing(), board, tmp_path / "out")
    before = {name: (first.path / name).read_bytes() for name in files(first.path)}
    with monkeypatch.context() as patch:
        _broken(patch)
        with pytest.raises(ToolError, match="no_such_thing") as caught:
            build(minifloat(), board, tmp_path / "out")
    assert {name: (first.path / name).read_bytes() for name in files(first.path)} == before
    log = tmp_path / "out.log"
    assert str(log) in str(caught.value)
    assert "no_such_thing" in log.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.log"]
    build(minifloat(), board, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_only_our_own_folders_are_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for content in (None, "{}", "[]", '{"kind": "something else"}', "\x00"):
        if content is not None:
            (mine / "manifest.json").write_text(content)
        with pytest.raises(FileError, match="exists and is not a folder that an edgeq build wrote"):
            build(nothing(), "host", mine)
    assert (mine / "thesis.txt").read_text() == "years of work"
    with pytest.raises(FileError):
        build(nothing(), "host", mine / "thesis.txt")
    empty = tmp_path / "a" / "empty"
    empty.mkdir(parents=True)
    made = build(nothing(), "host", empty)
    again = build(minifloat(), "host", empty)
    assert made.path == again.path
    assert not (again.path / "nothing.c").exists()
    assert stat.S_IMODE(again.path.stat().st_mode) & 0o500 == 0o500


def test_wrong_use_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="board emulator: nothing is compiled"):
        build(nothing(), "emulator", tmp_path / "out")
    with pytest.raises(InputError, match="-O9"):
        build(nothing(), "host", tmp_path / "out", optimize="-O9")
    with pytest.raises(ToolError, match="tcc: not on this computer"):
        build(nothing(), "host", tmp_path / "out", toolchain="tcc")
    with pytest.raises(InputError, match=r"build: takes a network .* not str"):
        build("net.edgeq", "host", tmp_path / "out")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="board '7': unknown"):
        build(nothing(), 7, tmp_path / "out")  # type: ignore[arg-type]
    for wrong in (-1, "64k", 1.5):
        with pytest.raises(InputError, match=r"budget_ram .*: give a whole number of bytes"):
            build(nothing(), "host", tmp_path / "out", budget_ram=wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match=r"cannot be written .*; choose another folder"):
        build(nothing(), "host", tmp_path / "file" / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_names_and_comments_are_harmless() -> None:
    assert identifier("features.0.conv") == "features_0_conv"
    assert identifier("0") == "net_0"
    assert identifier("int32") == "net_int32"
    assert identifier("eq_conv") == "net_eq_conv"
    assert identifier("нет") == "net"
    names = Names()
    assert [names["a.b"], names["a/b"], names["A_B"], names["a.b"]] == ["a_b", "a_b_2", "A_B_3", "a_b"]
    assert comment("a */ b /* c ??/ \\\n d") == "a * / b / * c ?/ ? d"


def big() -> Graph:
    """A network of about a megabyte of weights."""
    g = GraphBuilder("big")
    x = g.input("x", (1024,), S8)
    w = g.constant("w", np.random.default_rng(0).integers(-128, 128, (700, 1024)), FixedPoint(8, 7))
    return g.build([g.node("linear", "fc", [x, w], S8)])


def test_large_weights_are_written_in_readable_lines(tmp_path: Path) -> None:
    made = build(big(), "host", tmp_path / "out", optimize="-O1")
    lines = (made.path / "big_weights.c").read_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert made.program.weight_bytes >= 700 * 1024
