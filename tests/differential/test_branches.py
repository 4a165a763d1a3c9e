"""Networks in patches of mixed widths, fixed or decided for each input, give the same codes on all machines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import ToolError
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.verify import compare_traces
from tests.differential.batch import HOST, run_on_host, write_batch
from tests.differential.branches import branch_case
from tests.differential.cases import Case
from tests.differential.executors import (
    Executor,
    HostC,
    board_executors,
    plain_host,
    python_executors,
    sanitized_host,
)
from tests.differential.proof import tasks
from tests.differential.test_equality import LEVELS, check
from tests.differential.test_mutations import Fault, bit, field, number, swapped

BOARDS = ("cortex-m4", "cortex-m55", "riscv32")


def same(cases: list[Case], executors: list[Executor], batch: int = 20) -> None:
    check(list(tasks(cases, executors, batch)), {executor.name: len(cases) for executor in executors})


def test_the_cases_are_what_they_are_for() -> None:
    """Maps of 2, 4 and 8 bits, weights as narrow, places decided at run time and samples of both kinds."""
    cases = [branch_case(seed) for seed in range(20)]
    computed = {v.format.bits for case in cases for v in case.graph.values.values() if not v.constant}
    assert {1, 2, 4, 8} <= computed
    assert {2, 4, 8} <= {v.format.bits for case in cases for v in case.graph.constants()}
    answers = [
        reference(case.graph, case.inputs)[node.outputs[0]].mean()
        for case in cases
        for node in case.graph.nodes
        if node.op == "within"
    ]
    assert len(answers) > 25
    assert sum(0 < share < 1 for share in answers) > len(answers) // 2


def test_python_executions() -> None:
    same([branch_case(seed) for seed in range(8)], python_executors())


@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
def test_a_few_in_host_c_under_the_sanitizers() -> None:
    same([branch_case(seed) for seed in range(100, 104)], sanitized_host(), 4)


@pytest.mark.heavy
@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
@pytest.mark.parametrize("part", range(4))
def test_many_in_host_c_by_every_compiler_and_under_the_sanitizers(part: int) -> None:
    first = 1000 + 100 * part
    same(
        [branch_case(seed) for seed in range(first, first + 15)],
        [*python_executors(), *plain_host(), *sanitized_host()],
    )


@pytest.mark.heavy
@pytest.mark.parametrize("board", BOARDS)
def test_emulated_boards(board: str) -> None:
    """By every compiler and emulator of the board; each batch at another optimisation level."""
    executors = board_executors((board,), LEVELS)
    if not executors:
        pytest.skip(f"needs a compiler and an emulator of {board}")
    for index, executor in enumerate(executors):
        first = 2000 + 1000 * BOARDS.index(board) + 100 * index
        same([branch_case(seed) for seed in range(first, first + 12)], [executor], 12)


@pytest.mark.heavy
@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
@pytest.mark.parametrize("seed", range(5000, 5024))
def test_schedules_and_packings(seed: int, tmp_path: Path) -> None:
    """Whole projects, by every schedule and packing in turn; each step may touch the bytes of its operands only."""
    case = branch_case(seed)
    schedule, packing = ("rows", "patches", "layers")[seed % 3], ("all", "fast", "none")[seed // 3 % 3]
    made = build(case.graph, "host", tmp_path / "net", schedule=schedule, packing=packing)
    fused = any(stretch.fused for stretch in made.plan.stretches)
    want = reference(case.graph, case.inputs)
    result = compare_traces(case.graph, trace(made, case.inputs, sanitize=True), want, may_skip=fused)
    assert result.equal, result.line()
    assert result.values > 100


@pytest.mark.heavy
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("seed", range(6000, 6003))
def test_schedules_and_packings_on_emulated_boards(board: str, seed: int, tmp_path: Path) -> None:
    if not board_executors((board,)):
        pytest.skip(f"needs a compiler and an emulator of {board}")
    case = branch_case(seed)
    made = build(case.graph, load_board(board), tmp_path / "net", schedule=("rows", "patches", "layers")[seed % 3])
    fused = any(stretch.fused for stretch in made.plan.stretches)
    result = compare_traces(case.graph, trace(made, case.inputs), reference(case.graph, case.inputs), may_skip=fused)
    assert result.equal, result.line()


def first_weight(text: str) -> str:
    """The text of the weights with one bit of the first weight of the first layer changed."""
    found = re.search(r"\b(\w+_weight\w*)\[\d+\] = ", text)
    assert found is not None
    return number(found[1], 0, bit(1, signed=True))(text)


def first_bound(text: str) -> str:
    """The source with another threshold of the first condition."""
    found = re.search(r"\b(\w+_within)_params = ", text)
    assert found is not None
    return field(found[1], "most", -9)(text)


#: fault -> file, change, and what says so: a node by its operator, or the message of a step that ran in vain
FAULTS: dict[str, tuple[str, Fault, str]] = {
    "weight": ("b7_weights.c", first_weight, "conv"),
    "threshold": ("b7.c", first_bound, "within"),
    "guard": ("b7.c", swapped("] != 0u) {", "] == 0u) {"), "ran for an input that does not need it"),
    "guard of no step": (
        "b7.c",
        lambda text: re.sub(r"if \(a\[AT_\w+\] == 0u\) {", "if (true) {", text, count=1),
        "ran",
    ),
    "choice": ("edgeq/select.h", swapped("chosen != 0 ? 1 : 0", "chosen != 0 ? 0 : 1"), "select"),
}


@pytest.mark.sample(2)
@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_generated_c_is_found(name: str, tmp_path: Path) -> None:
    case = branch_case(7, 16)
    (executor,) = plain_host()[-1:]
    want = reference(case.graph, case.inputs)
    assert isinstance(executor, HostC)
    (whole,) = run_on_host(write_batch([case], tmp_path / "whole", HOST), executor.cc, ("-O1",))
    assert compare_traces(case.graph, whole, want).equal
    file, fault, told = FAULTS[name]

    def mutate(path: str, text: str) -> str:
        changed = fault(text) if path == file else text
        assert path != file or changed != text
        return changed

    batch = write_batch([case], tmp_path / "wrong", HOST, mutate)
    if "ran" in told:
        with pytest.raises(ToolError, match=told):
            run_on_host(batch, executor.cc, ("-O1",))
        return
    (trace_of,) = run_on_host(batch, executor.cc, ("-O1",))
    first = compare_traces(case.graph, trace_of, want).first_divergence
    assert first is not None
    assert first.op == told
