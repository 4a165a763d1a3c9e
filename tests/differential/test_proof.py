"""The comparison itself can fail: wrong codes, lost tensors, crashes, stray writes and warnings show, with the case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.errors import InputError, ToolError
from edgeq.formats import FixedPoint
from edgeq.ir import GraphBuilder
from tests.differential.aimed import aimed_cases
from tests.differential.batch import run_on_host, write_batch
from tests.differential.cases import Case, Trace, made_case, random_case
from tests.differential.executors import Executor, FastEmulator, python_executors, sanitized_host, telling
from tests.differential.proof import Row, Task, prove, run_task, shrunk, tasks, traces

S8, S16 = FixedPoint(8, 4), FixedPoint(16, 8)
CASES = [random_case(seed) for seed in range(6)]


@dataclass(frozen=True)
class Spoiled:
    """The golden trace, changed for one graph."""

    change: Callable[[Case, dict[str, np.ndarray]], None]
    name: str = "spoiled"

    def run(self, cases: Sequence[Case], folder: Path) -> list[Trace]:
        found = []
        for case in cases:
            trace = dict(reference(case.graph, case.inputs))
            self.change(case, trace)
            found.append(trace)
        return found


def rows(executor: Executor) -> Row:
    (row,) = run_task(Task(tuple(CASES), (executor,)))
    return row


def test_one_wrong_code_of_one_graph_is_counted_and_named() -> None:
    victim = CASES[3].graph

    def change(case: Case, trace: dict[str, np.ndarray]) -> None:
        if case.graph.name == victim.name:
            name = victim.nodes[-1].outputs[0]
            trace[name] = trace[name].copy()
            trace[name].flat[-1] ^= 1

    row = rows(Spoiled(change))
    assert (row.graphs, row.mismatches) == (6, 1)
    (line,) = row.failures
    assert line.startswith("random_case(3, 12): different: 1 of ")
    assert f"({victim.nodes[-1].op} {victim.nodes[-1].outputs[0]})" in line


def test_a_lost_tensor_is_an_error() -> None:
    def change(case: Case, trace: dict[str, np.ndarray]) -> None:
        del trace[case.graph.nodes[0].outputs[0]]

    with pytest.raises(InputError, match="does not show the tensor"):
        rows(Spoiled(change))


def test_the_graph_that_fails_is_found_in_its_batch_and_the_rest_is_compared() -> None:
    def change(case: Case, trace: dict[str, np.ndarray]) -> None:
        if case.graph.name == "g4":
            raise ToolError("crashed")

    row = rows(Spoiled(change))
    assert (row.graphs, row.mismatches) == (5, 0)
    assert row.failures == ["spoiled: random_case(4, 12): crashed"]


def test_rows_of_several_processes_add_up() -> None:
    work = list(tasks(CASES, python_executors(), 2))
    assert len(work) == 3
    alone, together = prove(work, 1), prove(work, 2)
    figures = [(row.executor, row.graphs, row.tensors, row.values, row.mismatches) for row in alone]
    assert figures == [(row.executor, row.graphs, row.tensors, row.values, row.mismatches) for row in together]
    assert figures[0][1] == 6
    nodes = sum(len(case.graph.nodes) for case in CASES)
    assert figures[0][2] == nodes


def test_a_failure_shrinks_to_the_node_that_makes_it() -> None:
    """A machine that is wrong in max pools only: the graph that is left ends with the first one."""
    case = next(c for c in map(random_case, range(200)) if any(n.op == "max_pool" for n in c.graph.nodes[2:-1]))

    def change(case: Case, trace: dict[str, np.ndarray]) -> None:
        for node in case.graph.nodes:
            if node.op == "max_pool":
                trace[node.outputs[0]] = trace[node.outputs[0]] ^ 1

    small = shrunk(case, Spoiled(change))
    assert small.graph.nodes[-1].op == "max_pool"
    assert sum(node.op == "max_pool" for node in small.graph.nodes) == 1
    assert shrunk(case, FastEmulator()) is case


def chain() -> Case:
    """Three steps; the middle one makes elements of two bytes."""
    g = GraphBuilder("chain")
    x = g.input("x", (3, 5), S8)
    a = g.node("requantise", "a", [x], S16, hi=900)
    b = g.node("add", "b", [a, x], S16)
    return made_case(g.build([g.node("requantise", "c", [b], S8, lo=0), a]))


@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("#define AT_c ", "#define AT_c 24u + "),  # its end lies beyond its place and its operands'
        (".count = 15", ".count = 16"),  # one element too many
    ],
)
def test_a_step_that_leaves_its_operands_is_seen_inside_the_arena(old: str, new: str, tmp_path: Path) -> None:
    (executor,) = sanitized_host()
    better = telling(executor)
    assert better != executor
    with pytest.raises(ToolError, match="AddressSanitizer"):
        run_on_host(write_batch([chain()], tmp_path, mutate=replaced("chain.c", old, new)), better.cc, better.flags)  # type: ignore[attr-defined]
    # The one that says nothing ends badly too.
    with pytest.raises(ToolError, match="status"):
        run_on_host(write_batch([chain()], tmp_path, mutate=replaced("chain.c", old, new)), executor.cc, executor.flags)  # type: ignore[attr-defined]


@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
def test_undefined_arithmetic_is_seen(tmp_path: Path) -> None:
    (executor,) = sanitized_host()
    change = replaced("edgeq/edgeq_round.h", "return (int32_t)((uint32_t)v << s);", "return v * (1 << s << 16);")
    g = GraphBuilder("left")
    case = made_case(g.build([g.node("requantise", "y", [g.input("x", (4,), S16)], FixedPoint(32, 24))]))
    with pytest.raises(ToolError, match=r"status (-4|-5|132|133)"):
        run_on_host(write_batch([case], tmp_path, mutate=change), executor.cc, executor.flags)  # type: ignore[attr-defined]


@pytest.mark.skipif(not sanitized_host(), reason="needs gcc or clang")
def test_a_warning_is_a_failure(tmp_path: Path) -> None:
    (executor,) = sanitized_host()
    change = replaced(
        "chain.c",
        "edgeq_status chain_run(chain_t *net)\n{",
        "edgeq_status chain_run(chain_t *net)\n{ int8_t lost = (int8_t)1 + 1000; (void)lost;",
    )
    with pytest.raises(ToolError, match="conversion"):
        run_on_host(write_batch([chain()], tmp_path, mutate=change), executor.cc, executor.flags)  # type: ignore[attr-defined]


def replaced(path: str, old: str, new: str) -> Callable[[str, str], str]:
    """A mutation of one generated file; the text to be replaced must stand there once or more."""

    def mutate(file: str, text: str) -> str:
        assert file != path or old in text, text
        return text.replace(old, new, 1) if file == path else text

    return mutate


def test_names_of_cases_are_unique_and_cover_every_operator() -> None:
    from edgeq.ir import OPERATORS

    cases = aimed_cases()
    assert len({case.graph.name for case in cases}) == len(cases) > 80
    assert {node.op for case in cases for node in case.graph.nodes} == set(OPERATORS)
    assert not [line for line in traces(FastEmulator(), cases) if isinstance(line, str)]
