"""Generated C as its user meets it: silent under strict warnings, no heap, no recursion, same results."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgeq.boards import Board, load_board
from edgeq.ir import Graph
from edgeq.mcu.build import golden_sample
from edgeq.mcu.ops import KERNELS
from edgeq.mcu.program import Program, make_program
from edgeq.mcu.project import write_project
from tests.differential.aimed import aimed_cases
from tests.differential.batch import HOST
from tests.differential.cases import random_case
from tests.differential.executors import HostC, board_executors
from tests.differential.proof import prove, tasks

CONTRACT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
#: stricter than the contract, and clean all the same
STRICT = (*CONTRACT, "-Wshadow", "-Wvla", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wcast-qual")
HOST_COMPILERS = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
#: what compilers call by themselves: copies, and arithmetic that the core lacks
HELPERS = re.compile(
    r"memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_|__aeabi_\w+|__gnu_thumb1_case_\w+|__[a-z]+[ds]i[23]|__riscv_(save|restore)_\d+"
)
AIMED = (
    "single_elements_0",
    "one_bit_0",
    "minifloat_every_code_2",
    "requantise_wide_0",
    "constant_operands_1",
    "softmax_reciprocal_0",
)
BOARDS = ("cortex-m0", "cortex-m4", "cortex-m55", "riscv32")


@functools.cache
def sample() -> list[Graph]:
    """A few graphs, and then as many more as it takes to use every kernel that runs on any machine."""
    aimed = [case.graph for case in aimed_cases()]
    found = [graph for graph in aimed if graph.name in AIMED] + [random_case(5).graph]
    missing = portable_kernels() - {kernel for graph in found for kernel in make_program(graph, HOST).kernels}
    for graph in (*aimed, *(random_case(seed).graph for seed in range(100))):
        used = set(make_program(graph, HOST).kernels) if missing else set()
        if used & missing:
            found.append(graph)
            missing -= used
    return found


def portable_kernels() -> set[str]:
    return {variant.kernel for variants in KERNELS.values() for variant in variants if variant.name == "portable"}


def one_of_each() -> list[Graph]:
    """One graph with all operators."""
    return [case.graph for case in aimed_cases() if case.graph.name == AIMED[0]]


def write(graph: Graph, board: Board, folder: Path) -> Program:
    program = make_program(graph, board)
    write_project(program, golden_sample(graph), folder)
    return program


def sources(program: Program) -> list[str]:
    name = program.name
    return [f"{name}.c", f"{name}_weights.c", f"{name}_selftest.c", "port/harness_net.c", "port/selftest_main.c"]


def compiled(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[:3000]}"
    return done.stdout


def cross_compiler(board: Board) -> list[str] | None:
    """The board's GCC with the flags of its core."""
    assert board.gcc is not None
    program = f"{board.gcc.prefix}gcc"
    return [program, *board.gcc.flags, "-ffreestanding", "-fbuiltin"] if shutil.which(program) else None


def test_the_sample_uses_every_kernel() -> None:
    """Of the portable ones here; a faster variant may stand in for some of them on a board."""
    assert {kernel for graph in sample() for kernel in make_program(graph, HOST).kernels} == portable_kernels()
    assert len(sample()) < 14


@pytest.mark.skipif(not HOST_COMPILERS, reason="needs gcc or clang")
def test_a_project_is_clean_and_passes_its_self_test(tmp_path: Path) -> None:
    clean_on_host(one_of_each(), tmp_path)


@pytest.mark.heavy
@pytest.mark.skipif(not HOST_COMPILERS, reason="needs gcc or clang")
def test_projects_are_clean_and_pass_their_self_test(tmp_path: Path) -> None:
    clean_on_host(sample(), tmp_path)


def clean_on_host(graphs: Sequence[Graph], tmp_path: Path) -> None:
    """Every file, by every compiler that is here, then the program of `make host-test`."""
    for graph in graphs:
        folder = tmp_path / graph.name
        program = write(graph, HOST, folder)
        for cc in HOST_COMPILERS:
            files = [f for f in sources(program) if "harness" not in f]
            assert compiled([cc, "-O2", *STRICT, *files, "-o", f"selftest-{cc}"], folder) == ""
            assert "self-test passed" in compiled([f"./selftest-{cc}"], folder)
            compiled([cc, "-O2", *STRICT, "-c", "port/harness_net.c", "-o", "harness.o"], folder)


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_the_header_is_cpp_too(tmp_path: Path) -> None:
    graph = sample()[0]
    write(graph, HOST, tmp_path)
    (tmp_path / "use.cpp").write_text(
        f'#include "{graph.name}.h"\nint main() {{ {graph.name}_t net; return {graph.name}_run(&net) != EDGEQ_OK; }}\n'
    )
    flags = ["-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    assert compiled(["g++", *flags, "use.cpp"], tmp_path) == ""


@pytest.mark.sample(3)
@pytest.mark.parametrize(("name", "level"), [("cortex-m0", "-Os"), ("cortex-m4", "-O3"), ("riscv32", "-O2")])
def test_a_project_is_clean_for_boards(name: str, level: str, tmp_path: Path) -> None:
    clean_for_board(one_of_each(), load_board(name), level, tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2", "-O3"])
@pytest.mark.parametrize("name", BOARDS)
def test_projects_are_clean_for_boards_at_every_level(name: str, level: str, tmp_path: Path) -> None:
    # Not optimised, a kernel of sums beyond 63 bits is megabytes of code, more than GCC can branch over on ARMv6-M.
    graphs = [g for g in sample() if (name, level) != ("cortex-m0", "-O0") or not g.name.startswith("sums_beyond")]
    clean_for_board(graphs, load_board(name), level, tmp_path)


def clean_for_board(graphs: Sequence[Graph], board: Board, level: str, folder: Path) -> None:
    command = cross_compiler(board)
    if command is None:
        pytest.skip(f"no GCC for {board.name}")
    for graph in graphs:
        program = write(graph, board, folder / graph.name)
        for file in sources(program)[:4]:
            output = compiled([*command, level, *STRICT, "-Iport", "-c", file, "-o", "file.o"], folder / graph.name)
            assert output == ""


@pytest.mark.skipif("gcc" not in HOST_COMPILERS, reason="needs gcc")
def test_no_recursion_and_a_bounded_stack(tmp_path: Path) -> None:
    """From the compiler's own call graph: no cycles, no call through a pointer, no frame of unknown size."""
    for graph in sample()[:3]:
        folder = tmp_path / graph.name
        program = write(graph, HOST, folder)
        compiled(["gcc", "-O1", *CONTRACT, "-fcallgraph-info=su,da", "-c", f"{program.name}.c"], folder)
        calls, frames = call_graph((folder / f"{program.name}.ci").read_text("utf-8"))
        run = next(function for function in frames if function.endswith(f"{program.name}_run"))
        assert len([f for f in frames if "kernel_" in f]) == len(program.instances)
        assert "__indirect_call" not in {callee for callees in calls.values() for callee in callees}
        assert all(how == "static" for _, how in frames.values())
        deepest = depth(run, calls, frames, ())
        assert 0 < deepest < 1500


def call_graph(text: str) -> tuple[dict[str, set[str]], dict[str, tuple[int, str]]]:
    """Caller -> callees, and function -> (bytes of its frame, "static" or how else) of a .ci file."""
    calls: dict[str, set[str]] = {}
    for caller, callee in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
        calls.setdefault(caller, set()).add(callee)
    frames = {
        title: (int(size), how)
        for title, size, how in re.findall(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \((\w+)[^"]*"', text)
    }
    return calls, frames


def depth(function: str, calls: dict[str, set[str]], frames: dict[str, tuple[int, str]], path: tuple[str, ...]) -> int:
    """Bytes of stack below a function; AssertionError where it comes back to one it is already in."""
    assert function not in path, f"recursion: {' -> '.join((*path, function))}"
    below = [depth(callee, calls, frames, (*path, function)) for callee in calls.get(function, ())]
    return frames.get(function, (0, ""))[0] + max(below, default=0)


def test_a_recursion_and_a_variable_array_would_be_seen(tmp_path: Path) -> None:
    if "gcc" not in HOST_COMPILERS:
        pytest.skip("needs gcc")
    source = (
        "int f(int n, int *p); int g(int n);\n"
        "int g(int n) { int a[n + 1]; a[n] = 1; return f(n - 1, a) + a[0]; }\n"
        "__attribute__((noinline)) int f(int n, int *p) { return n > 0 ? g(n) + *p : 0; }\n"
    )
    (tmp_path / "bad.c").write_text(source)
    compiled(["gcc", "-O0", "-fcallgraph-info=su,da", "-c", "bad.c"], tmp_path)
    calls, frames = call_graph((tmp_path / "bad.ci").read_text("utf-8"))
    assert {how for _, how in frames.values()} == {"static", "dynamic"}
    with pytest.raises(AssertionError, match="recursion"):
        depth("g", calls, frames, ())
    with pytest.raises(AssertionError, match="Wvla"):
        compiled(["gcc", *STRICT, "-c", "bad.c"], tmp_path)


def symbols(nm: str, file: Path) -> Iterator[tuple[str, str]]:
    """(kind, name) of each symbol of an object file."""
    for line in compiled([nm, file.name], file.parent).splitlines():
        kind, name = line.split()[-2:]
        yield kind, name


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["host", *BOARDS])
def test_objects_of_many_need_no_library_and_hold_no_state(name: str, tmp_path: Path) -> None:
    stateless(sample(), name, tmp_path)


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", ["host", "cortex-m0", "cortex-m4"])
def test_objects_need_no_library_and_hold_no_state(name: str, tmp_path: Path) -> None:
    stateless(one_of_each(), name, tmp_path)


def stateless(graphs: Sequence[Graph], name: str, tmp_path: Path) -> None:
    """No malloc, no printf, nothing but what compilers call by themselves; no writable data beside the arena."""
    board = load_board(name)
    command = ["gcc"] if name == "host" else cross_compiler(board)
    if command is None or not shutil.which(command[0]):
        pytest.skip(f"no GCC for {name}")
    nm = command[0].removesuffix("gcc") + "nm"
    for graph in graphs:
        folder = tmp_path / graph.name
        program = write(graph, board, folder)
        for file in sources(program)[:2]:
            # Position-independent code would put constant pointers into data that the loader writes.
            compiled([*command, "-O2", "-fno-pie", "-std=c99", "-c", file, "-o", f"{file}.o"], folder)
        found = [entry for file in sources(program)[:2] for entry in symbols(nm, folder / f"{file}.o")]
        defined = {symbol for kind, symbol in found if kind not in "Uw"}
        foreign = {symbol for kind, symbol in found if kind == "U"} - defined
        assert [symbol for symbol in sorted(foreign) if not HELPERS.fullmatch(symbol)] == []
        assert [entry for entry in found if entry[0] in "dDbBcCsSgG"] == []
        assert f"{program.name}_run" in defined


@pytest.mark.heavy
@pytest.mark.skipif(not HOST_COMPILERS, reason="needs gcc or clang")
def test_results_do_not_depend_on_the_optimisation() -> None:
    equal_at_levels([random_case(seed) for seed in range(200, 203)], ("-O0", "-O3"))


@pytest.mark.heavy
@pytest.mark.skipif(not HOST_COMPILERS, reason="needs gcc or clang")
def test_results_of_many_graphs_do_not_depend_on_the_optimisation() -> None:
    equal_at_levels([random_case(seed) for seed in range(300, 350)], ("-O0", "-O2", "-O3", "-Os"))


def equal_at_levels(cases: list, levels: Sequence[str]) -> None:  # type: ignore[type-arg]
    """Each level also with the other signedness of char, which no kernel may depend on."""
    flags = {level: (level, "-funsigned-char") if i % 2 else (level,) for i, level in enumerate(levels)}
    executors = [HostC(f"{cc} {level}", cc, flags[level]) for cc in HOST_COMPILERS for level in levels]
    rows = prove(list(tasks(cases, executors, 10)))
    assert [line for row in rows for line in row.failures] == []
    assert [row.graphs for row in rows] == [len(cases)] * len(executors)


@pytest.mark.heavy
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
def test_boards_agree_at_every_level(level: str) -> None:
    executors = [e for e in board_executors(("cortex-m4", "riscv32"), (level,)) if e.runner == "qemu"]  # type: ignore[attr-defined]
    if not executors:
        pytest.skip("needs a cross-compiler and QEMU")
    rows = prove(list(tasks([random_case(seed) for seed in range(400, 410)], executors)))
    assert [line for row in rows for line in row.failures] == []
    assert [row.graphs for row in rows] == [10] * len(executors)
