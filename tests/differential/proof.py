"""The comparison: every executor against the slow emulator, every tensor, counts and first differences."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

from edgeq.emulator import reference
from edgeq.errors import EdgeqError
from edgeq.verify import compare_traces
from tests.differential.cases import Case, Trace
from tests.differential.executors import Executor, telling

#: cases that are compiled into one program
BATCH = 25


@dataclass
class Row:
    """What was compared for one executor. `seconds` of a processor, compilers included; `failures` one line each."""

    executor: str
    graphs: int = 0
    tensors: int = 0
    values: int = 0
    mismatches: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Row) -> None:
        assert self.executor == other.executor
        self.graphs += other.graphs
        self.tensors += other.tensors
        self.values += other.values
        self.mismatches += other.mismatches
        self.seconds += other.seconds
        self.failures += other.failures


@dataclass(frozen=True)
class Task:
    """One batch and what runs it: the unit of work of a process."""

    cases: tuple[Case, ...]
    executors: tuple[Executor, ...]


def tasks(cases: Sequence[Case], executors: Sequence[Executor], batch: int = BATCH) -> Iterator[Task]:
    """Batches of cases that have equally many samples."""
    for _, group in groupby(sorted(cases, key=lambda case: case.samples), key=lambda case: case.samples):
        members = list(group)
        for start in range(0, len(members), batch):
            yield Task(tuple(members[start : start + batch]), tuple(executors))


def run_task(task: Task) -> list[Row]:
    """Compare one batch on all its executors."""
    golden = [reference(case.graph, case.inputs) for case in task.cases]
    return [_compared(executor, task.cases, golden) for executor in task.executors]


def default_jobs() -> int:
    """Processes of one test: two, but one where workers of pytest-xdist share the processors already."""
    return 1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, os.cpu_count() or 1)


def prove(work: Sequence[Task], jobs: int | None = None, progress: Callable[[], None] = lambda: None) -> list[Row]:
    """Compare all batches; one row for each executor, in the order of their first batch.

    jobs: processes (`default_jobs`); progress: called after each batch.
    """
    rows: dict[str, Row] = {}
    for found in _mapped(work, default_jobs() if jobs is None else jobs):
        progress()
        for row in found:
            rows.setdefault(row.executor, Row(row.executor)).add(row)
    return list(rows.values())


def _mapped(work: Sequence[Task], jobs: int) -> Iterator[list[Row]]:
    if jobs <= 1 or len(work) <= 1:
        yield from map(run_task, work)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_task, work)


def _compared(executor: Executor, cases: Sequence[Case], golden: Sequence[Trace]) -> Row:
    row, start = Row(executor.name), _processor_seconds()
    for case, want, have in zip(cases, golden, traces(executor, cases), strict=True):
        if isinstance(have, str):
            row.failures.append(f"{executor.name}: {case.label}: {have}")
            continue
        result = compare_traces(case.graph, have, want, (executor.name, "reference"))
        row.graphs += 1
        row.tensors += result.tensors
        row.values += result.values
        row.mismatches += result.mismatches
        if result.mismatches:
            row.failures.append(f"{case.label}: {result.line()}")
    row.seconds = _processor_seconds() - start
    return row


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def traces(executor: Executor, cases: Sequence[Case]) -> list[Trace | str]:
    """The trace of each case, or why there is none: a batch that fails is halved until the culprit is alone."""
    with tempfile.TemporaryDirectory(prefix="edgeq-differential-") as folder:
        try:
            return list(executor.run(cases, Path(folder)))
        except (EdgeqError, TimeoutError) as error:
            reason = str(error)
    if len(cases) == 1:
        return [_told(executor, cases[0], reason)]
    middle = len(cases) // 2
    return [*traces(executor, cases[:middle]), *traces(executor, cases[middle:])]


def _told(executor: Executor, case: Case, reason: str) -> str:
    """The reason, in the words of an executor that gives messages where this one does not."""
    better = telling(executor)
    if better == executor:
        return reason
    with tempfile.TemporaryDirectory(prefix="edgeq-differential-") as folder:
        try:
            better.run([case], Path(folder))
        except (EdgeqError, TimeoutError) as error:
            return str(error)
    return reason


def shrunk(case: Case, executor: Executor) -> Case:
    """The shortest beginning of a random graph that still fails."""
    if case.maker is None or case.seed is None:
        return case
    for nodes in range(1, case.nodes + 1):
        smaller = case.maker(case.seed, nodes)
        if _compared(executor, [smaller], [reference(smaller.graph, smaller.inputs)]).failures:
            return smaller
    return case
