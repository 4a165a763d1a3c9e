"""Firmware that runs by rows: every tensor equals the emulator's, the arena is the plan's, rows come in any steps."""

from __future__ import annotations

import ctypes
import dataclasses
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.networks import resnet8
from edgeq.boards import load_board
from edgeq.commands.schedule import size
from edgeq.emulator import trace as emulated
from edgeq.errors import BudgetError, GraphError, InputError, ToolError
from edgeq.ir import Graph
from edgeq.mcu.build import BuildResult, build
from edgeq.mcu.execute import trace
from edgeq.mcu.host import available_host_compilers
from edgeq.mcu.program import front, make_program
from edgeq.mcu.runners import available_runners
from edgeq.mcu.scheduling import Schedule
from edgeq.mcu.toolchains import find_toolchain
from edgeq.verify import verify
from tests.mcu.nets import classifier, codes, residual
from tests.schedule.test_stream import Maker, maps

needs_cc = pytest.mark.skipif(not available_host_compilers(), reason="no C compiler on this computer")


def net() -> Graph:
    """Windows of all kinds, a skip branch and a tail that does not run by rows."""
    m = Maker(3, (14, 6, 3))
    a = m.conv(m.x, 4, 3, 2, (1, 1))
    b = m.depthwise(m.conv(a, 8, 1, 1, (0, 0)), 1, (1, 1))
    join = m.g.node("add", "join", [m.conv(b, 4, 1, 1, (0, 0)), a], m.g.values[a].format)
    pool = m.pool("max_pool", join, 3, 2, (1, 1))
    return m.g.build([m.g.node("mean", "mean", [pool], m.g.values[a].format, axes=(0, 1), keep_axes=0)])


def wide() -> Graph:
    """What `net` does, but its arena is that of a wide last convolution before the mean."""
    m = Maker(4, (14, 6, 3))
    a = m.conv(m.conv(m.x, 4, 3, 2, (1, 1)), 64, 3, 1, (1, 1))
    return m.g.build([m.g.node("mean", "mean", [a], m.g.values[a].format, axes=(0, 1), keep_axes=0)])


def wrong(made: BuildResult, graph: Graph, *, samples: int = 3, sanitize: bool = False) -> list[str]:
    inputs = codes(graph, samples)
    want, have = emulated(graph, inputs), trace(made, inputs, sanitize=sanitize)
    assert set(want) == set(have)
    return [name for name in want if not np.array_equal(want[name], have[name])]


@needs_cc
@pytest.mark.parametrize("push", [False, True])
def test_rows_equal_the_emulator_under_the_sanitizers(tmp_path: Path, push: bool) -> None:
    graph = net()
    made = build(graph, "host", tmp_path / "net", schedule="rows", push_rows=push)
    assert made.plan.stretches
    assert made.warnings == ()
    assert wrong(made, graph) == []
    assert wrong(made, graph, sanitize=True) == []
    assert made.arena < make_program(graph, load_board("host")).plan.arena_bytes


@needs_cc
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=maps(), push=st.booleans())
def test_random_graphs_by_rows(tmp_path_factory: pytest.TempPathFactory, graph: Graph, push: bool) -> None:
    made = build(graph, "host", tmp_path_factory.mktemp("rows") / "net", schedule="rows", push_rows=push)
    assert wrong(made, graph) == []


@needs_cc
def test_a_changed_table_shows(tmp_path: Path) -> None:
    """Equality can fail: a window that starts one row late gives other tensors."""
    graph = net()
    made = build(graph, "host", tmp_path / "net", schedule="rows", push_rows=True)
    source = made.path / f"{made.program.name}.c"
    text, count = re.subn(r"(_reads\[\] = \{\n    \{0, 3, 2, )1", r"\g<1>0", source.read_text())
    assert count == 1
    source.write_text(text)
    compiler = available_host_compilers()[0]
    assert made.library is not None
    compiler.library(made.path, made.program.name, made.library)
    assert "conv" in wrong(made, graph)


@needs_cc
def test_a_wide_last_convolution_runs_in_slices_of_channels(tmp_path: Path) -> None:
    graph = wide()
    made = build(graph, "host", tmp_path / "net", schedule="rows", push_rows=True)
    (name,) = made.program.pieces
    assert "slices" in made.program.reason
    assert made.arena < graph.values[name].size
    assert wrong(made, graph) == []
    assert wrong(made, graph, sanitize=True) == []
    pieces = dict(made.program.pieces)
    pieces[name] = pieces[name][::-1]
    swapped = dataclasses.replace(made, program=dataclasses.replace(made.program, pieces=pieces))
    assert wrong(swapped, graph) == [name]


def test_slices_are_taken_only_where_they_help() -> None:
    graph, board = wide(), load_board("host")
    assert make_program(graph, board).pieces == {}
    assert make_program(graph, board, Schedule("rows", 1 << 20)).pieces == {}
    whole = make_program(graph, board).plan.arena_bytes
    tight = make_program(graph, board, Schedule("rows", whole - 1000))
    least = make_program(graph, board, Schedule("rows"))
    assert len(next(iter(tight.pieces.values()))) < len(next(iter(least.pieces.values())))
    assert least.plan.arena_bytes < tight.plan.arena_bytes <= whole - 1000
    points = front(graph, board)
    assert [p.bytes for p in points] == sorted({p.bytes for p in points}, reverse=True)
    assert [p.work for p in points] == sorted(p.work for p in points)
    assert points[-1].bytes == least.plan.arena_bytes


@needs_cc
def test_rows_may_come_one_by_one_or_together(tmp_path: Path) -> None:
    graph = net()
    made = build(graph, "host", tmp_path / "net", schedule="rows", push_rows=True)
    driver = tmp_path / "net" / "driver.c"
    inputs = codes(graph, 1, seed=5)
    want = emulated(graph, inputs)[graph.outputs[0]].reshape(-1)
    name, values = made.program.name, ",".join(map(str, inputs["x"].reshape(-1)))
    driver.write_text(
        f'''#include "{name}.h"
        static uint64_t arena[{name.upper()}_ARENA_BYTES / 8u];
        static const int8_t image[] = {{{values}}};
        int answer(int8_t *y, uint32_t each);
        int answer(int8_t *y, uint32_t each)
        {{
            {name}_t net;
            if ({name}_push_rows(&net, NULL, 1) != EDGEQ_ERROR_ARGUMENT) return -1;
            if ({name}_init(&net, arena, sizeof arena) != EDGEQ_OK) return -2;
            edgeq_status s = EDGEQ_MORE_ROWS;
            for (uint32_t at = 0; at < {name.upper()}_INPUT_0_ROWS; at += each) {{
                if (s != EDGEQ_MORE_ROWS) return -3;
                s = {name}_push_rows(&net, image + at * {name.upper()}_INPUT_0_ROW_BYTES, each);
            }}
            for (int i = 0; i < {want.size}; i++) y[i] = ((const int8_t *){name}_output(&net, 0))[i];
            if (s != EDGEQ_OK) return (int)s;
            return {name}_push_rows(&net, image, 15) == EDGEQ_ERROR_ARGUMENT ? 0 : -4;
        }}'''
    )
    library = tmp_path / "driver.so"
    command = [*available_host_compilers()[0].command, "-shared", "-fPIC", "-o", str(library), f"-I{made.path}"]
    sources = [str(driver), str(made.path / f"{name}.c"), str(made.path / f"{name}_weights.c")]
    subprocess.run([*command, *sources], check=True)
    loaded = ctypes.CDLL(str(library))
    for each in (1, 2, 7, 14):
        y = np.zeros(want.size, dtype=np.int8)
        assert loaded.answer(ctypes.c_void_p(y.ctypes.data), each) == 0
        assert y.tolist() == want.tolist()


@needs_cc
def test_the_selftest_passes_and_names_a_wrong_step(tmp_path: Path) -> None:
    made = build(net(), "host", tmp_path / "net", schedule="rows", push_rows=True)
    name, compiler = made.program.name, available_host_compilers()[0]
    files = [f"{name}.c", f"{name}_weights.c", f"{name}_selftest.c", "port/selftest_main.c"]
    command = [*compiler.command, "-DEDGEQ_SELFTEST_LAYERS", "-o", "selftest", *files]

    def told() -> str:
        subprocess.run(command, check=True, cwd=made.path)
        return subprocess.run(["./selftest"], cwd=made.path, capture_output=True, text=True, check=False).stdout

    assert "self-test passed" in told()
    weights = made.path / f"{name}_weights.c"
    second = made.program.calls[1].constants["weight"].c_name
    text = weights.read_text()
    start = text.index("{", text.index(f"{name}_{second}["))
    number = re.search(r"-?\d+", text[start:])
    assert number is not None
    at = start + number.start()
    weights.write_text(text[:at] + str(int(number[0]) ^ 3) + text[at + len(number[0]) :])
    assert f"first wrong step: {made.program.calls[1].node.name}" in told()


def emulated_here(name: str) -> bool:
    board = load_board(name)
    try:
        find_toolchain(board, None)
    except ToolError:
        return False
    return bool(available_runners(board))


OTHERS = [pytest.param(name, marks=pytest.mark.heavy) for name in ("cortex-m0", "cortex-m55", "riscv32")]


@pytest.mark.parametrize("board", ["cortex-m4", *OTHERS])
@pytest.mark.parametrize("make", [net, wide])
def test_on_boards_the_linked_arena_is_the_planned_one(tmp_path: Path, board: str, make: Callable[[], Graph]) -> None:
    if not emulated_here(board):
        pytest.skip(f"no compiler or emulator for {board}")
    graph = make()
    made = build(graph, board, tmp_path / "net", schedule="rows", push_rows=True)
    assert bool(made.program.pieces) == (make is wide)
    assert made.arena == made.plan.arena_bytes
    assert made.ram < made.arena + 512  # the image that the harness pushes is not counted
    assert wrong(made, graph, samples=2) == []


def test_a_budget_turns_to_rows_by_itself() -> None:
    from edgeq.mcu.fit import scheduled

    graph, board = resnet8(), load_board("host")
    whole = scheduled(graph, board, "auto", False, None)
    assert whole.plan.stretches == ()
    tight = scheduled(graph, board, "auto", False, 24 * 1024)
    assert tight.plan.arena_bytes <= 24 * 1024 < whole.plan.arena_bytes
    assert "by rows" in tight.reason
    pushed = make_program(graph, board, Schedule("rows", None, True))
    assert pushed.plan.arena_bytes < tight.plan.arena_bytes
    with pytest.raises(BudgetError, match="the least is"):
        make_program(graph, board, Schedule("rows", 1000))


def test_what_cannot_be_pushed_says_so() -> None:
    board = load_board("host")
    with pytest.raises(GraphError, match="one input"):
        make_program(residual(), board, Schedule("rows", None, True))
    flat = dataclasses.replace(classifier(), name="flat")
    assert make_program(flat, board, Schedule("rows")).plan.arena_bytes > 0
    with pytest.raises(InputError, match="unknown"):
        Schedule("patch")
    with pytest.raises(InputError, match="needs the schedule"):
        Schedule("layers", None, True)


def test_sizes_of_the_command_line() -> None:
    assert [size(text) for text in ("65536", "64k", "64K", "64kB", "1M")] == [65536, 65536, 65536, 65536, 1 << 20]
    for text in ("64q", "", "k", "-1", "1.5k"):
        with pytest.raises(typer.BadParameter):
            size(text)


@needs_cc
def test_verify_takes_the_options_of_a_build() -> None:
    found = verify(net(), "host", random=4, options={"schedule": "rows", "push_rows": True})
    assert found.equal
    with pytest.raises(InputError, match="no firmware"):
        verify(net(), "emulator", random=1, options={"schedule": "rows"})
