"""All machines give the same codes for every tensor: slow emulator, fast emulator, plan, host C, emulated boards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgeq.boards import load_board
from edgeq.formats import Minifloat
from edgeq.mcu.program import make_program
from tests.differential.aimed import aimed_cases
from tests.differential.cases import MINIFLOATS, Case, minifloat_case, network_case, random_case
from tests.differential.executors import (
    BOARDS,
    Executor,
    board_executors,
    plain_host,
    python_executors,
    sanitized_host,
)
from tests.differential.proof import Task, prove, tasks

LEVELS = ("-O2", "-Os", "-O3", "-O1")


def check(work: Sequence[Task], graphs: dict[str, int]) -> None:
    """Run the batches; each executor must have answered for that many graphs, without a difference."""
    rows = prove(work)
    found = [line for row in rows for line in row.failures]
    assert not found, "\n".join(found)
    assert {row.executor: row.graphs for row in rows} == graphs
    for row in rows:
        assert row.mismatches == 0
        assert row.tensors >= row.graphs
        assert row.values > 100 * row.graphs


def everywhere(cases: Sequence[Case], executors: Sequence[Executor], batch: int = 25) -> None:
    check(list(tasks(cases, executors, batch)), {executor.name: len(cases) for executor in executors})


def test_python_executions() -> None:
    """Fast emulator, saved file and simulated plan on 300 random graphs, 150 ordinary networks and all aimed graphs."""
    ordinary = [*map(network_case, range(100)), *map(minifloat_case, range(50))]
    everywhere([*(random_case(seed) for seed in range(300)), *ordinary, *aimed_cases()], python_executors())


def test_networks_of_minifloats_are_what_they_are_for() -> None:
    """Each named format as weights, inputs and outputs of convolutions; pairs of E5M2 among them; every fast kernel."""
    seen, kernels = set(), set()
    for case in map(minifloat_case, range(60)):
        for node in case.graph.nodes:
            if node.op in ("conv", "linear"):
                formats = [v.format for v in (*case.graph.ins(node)[:2], *case.graph.outs(node))]
                seen.add(tuple(f"e{f.exponent}m{f.mantissa}" if isinstance(f, Minifloat) else "" for f in formats))
        kernels |= {call.step.kernel for call in make_program(case.graph, load_board("cortex-m4")).calls}
    assert {(name,) * 3 for name in MINIFLOATS} <= seen
    assert {"conv_narrow_dsp", "conv_depthwise_narrow_dsp", "conv_lanes", "conv_depthwise_lanes", "add_map"} <= kernels


@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
def test_random_graphs_in_host_c_under_the_sanitizers() -> None:
    ordinary = [*map(network_case, range(4)), *map(minifloat_case, range(5))]
    everywhere([*map(random_case, range(12)), *ordinary], sanitized_host(), 21)


@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
def test_aimed_graphs_in_host_c() -> None:
    """Every fourth, by the compiler that is faster where there are two (clang); the heavy set takes all."""
    everywhere(aimed_cases()[::4], plain_host()[-1:])


@pytest.mark.skipif(not board_executors(("cortex-m4",)), reason="needs a compiler and an emulator of cortex-m4")
def test_a_few_graphs_on_an_emulated_m4() -> None:
    """Every runner, with the compiler that is fastest here (zig where there are two)."""
    found = {executor.runner: executor for executor in board_executors(("cortex-m4",))}  # type: ignore[attr-defined]
    ordinary = [*map(network_case, range(100, 107)), *map(minifloat_case, range(100, 105))]
    everywhere([*map(random_case, range(100, 104)), *ordinary], list(found.values()), 16)


@pytest.mark.heavy
@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
@pytest.mark.parametrize("part", range(8))
def test_thousands_of_graphs_in_host_c(part: int) -> None:
    """2,000 graphs in eight parts: all in Python and under the sanitizers, a quarter by each plain compiler too."""
    first = 1000 + 200 * part
    ordinary = [*map(network_case, range(first, first + 25)), *map(minifloat_case, range(first, first + 25))]
    cases = [*ordinary, *map(random_case, range(first, first + 200))]
    work = [*tasks(cases, [*python_executors(), *sanitized_host()]), *tasks(cases[20:80], plain_host())]
    expected = {executor.name: 250 for executor in (*python_executors(), *sanitized_host())}
    check(work, {**expected, **{executor.name: 60 for executor in plain_host()}})


@pytest.mark.heavy
@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
@pytest.mark.parametrize("part", range(2))
def test_aimed_graphs_in_host_c_by_every_compiler_and_under_the_sanitizers(part: int) -> None:
    everywhere(aimed_cases()[part::2], [*plain_host(), *sanitized_host()])


@pytest.mark.heavy
@pytest.mark.parametrize("board", BOARDS)
def test_hundreds_of_graphs_on_emulated_boards(board: str) -> None:
    """Other graphs for every compiler and emulator of the board; each batch at another optimisation level."""
    executors = board_executors((board,), LEVELS)
    if not executors:
        pytest.skip(f"needs a compiler and an emulator of {board}")
    work: list[Task] = []
    for index, executor in enumerate(executors):
        first = 10_000 + 1000 * BOARDS.index(board) + 100 * index
        cases = [*map(random_case, range(first, first + 12)), *map(network_case, range(first, first + 12))]
        work += tasks([*cases, *map(minifloat_case, range(first, first + 10))], [executor], 12)
    check(work, {executor.name: 34 for executor in executors})


@pytest.mark.heavy
@pytest.mark.parametrize("board", BOARDS)
def test_aimed_graphs_on_emulated_boards(board: str) -> None:
    """By the compiler that is fastest here (zig where there are two)."""
    executors = [e for e in board_executors((board,), LEVELS) if e.runner == "qemu"][-1:]  # type: ignore[attr-defined]
    if not executors:
        pytest.skip(f"needs a compiler and an emulator of {board}")
    everywhere(aimed_cases(), executors, 16)
