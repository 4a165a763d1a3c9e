"""How many random graphs give the same codes on every machine: a table of executors, and results/differential.json.

    python benchmarks/differential.py                     2,000 graphs in Python and sanitized C, hundreds on boards
    python benchmarks/differential.py --graphs 100        less of everything
    python benchmarks/differential.py --compiled 300      2,000 graphs in Python, 300 in sanitized C, fewer on boards
    python benchmarks/differential.py --only fast,ASan    executors whose names hold one of these words
    python benchmarks/differential.py --first 5000        other graphs

Every executor is compared with the slow emulator on every tensor of every graph. Exit 1 if anything differs; the
shortest beginning of the graph that still fails is named, and `tests.differential.cases.random_case` makes it again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.differential.aimed import aimed_cases  # noqa: E402
from tests.differential.cases import Case, network_case, random_case  # noqa: E402
from tests.differential.executors import (  # noqa: E402
    Executor,
    board_executors,
    plain_host,
    python_executors,
    sanitized_host,
)
from tests.differential.proof import Row, Task, prove, shrunk, tasks  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "differential.json"
LEVELS = ("-O2", "-Os", "-O3", "-O1")


def plan(graphs: int, compiled: int, first: int, only: Sequence[str]) -> list[Task]:
    """All graphs in Python, `compiled` of them in sanitized C, a quarter of those by each plain compiler.

    A fortieth of `compiled` runs on each board by each compiler: graphs of its own, so that together boards see
    hundreds of different ones. All executors get the aimed graphs once.
    """

    def wanted(executors: Sequence[Executor]) -> list[Executor]:
        return [e for e in executors if not only or any(word in e.name for word in only)]

    cases = drawn(first, graphs)
    aimed = aimed_cases()
    work = [*tasks(cases, wanted(python_executors())), *tasks(cases[:compiled], wanted(sanitized_host()))]
    work += tasks(cases[: compiled // 4], wanted(plain_host()))
    work += tasks(aimed, wanted([*python_executors(), *sanitized_host(), *plain_host()]))
    each = max(compiled // 40, 1)
    for index, executor in enumerate(wanted(board_executors(optimize=LEVELS))):
        start = first + graphs + index * each
        work += tasks(drawn(start, each), [executor], 10)
    fast = {e.board: e for e in board_executors(optimize=LEVELS)}  # type: ignore[attr-defined]
    work += tasks(aimed, wanted(list(fast.values())), 16)
    return [task for task in work if task.executors]


def drawn(first: int, count: int) -> list[Case]:
    """Random graphs, every fourth one an ordinary network."""
    return [(network_case if seed % 4 == 0 else random_case)(seed) for seed in range(first, first + count)]


def table(rows: Sequence[Row]) -> str:
    """The rows as text that Markdown renders."""
    lines = [
        "| executor | graphs | tensors | values compared | mismatches | processor seconds |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    total = Row("all")
    for row in rows:
        lines.append(_line(row))
        total.add(Row("all", row.graphs, row.tensors, row.values, row.mismatches, row.seconds))
    return "\n".join([*lines, _line(total)])


def _line(row: Row) -> str:
    figures = f"{row.graphs:,} | {row.tensors:,} | {row.values:,} | {row.mismatches:,} | {row.seconds:.0f}"
    return f"| {row.executor} | {figures} |"


def report(rows: Sequence[Row], seconds: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """What results/differential.json holds."""
    return {
        "command": "python benchmarks/differential.py " + " ".join(arguments.given),
        "commit": _commit(),
        "first_seed": arguments.first,
        "different_graphs": arguments.different,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "seconds": round(seconds),
        "rows": [
            {
                "executor": row.executor,
                "graphs": row.graphs,
                "tensors": row.tensors,
                "values": row.values,
                "mismatches": row.mismatches,
                "failures": len(row.failures),
                "processor_seconds": round(row.seconds, 1),
            }
            for row in rows
        ],
        "total": {
            "graph_runs": sum(row.graphs for row in rows),
            "tensors": sum(row.tensors for row in rows),
            "values": sum(row.values for row in rows),
            "mismatches": sum(row.mismatches for row in rows),
        },
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def proved(work: Sequence[Task], jobs: int) -> list[Row]:
    """`prove` under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("comparing", total=len(work))
        return prove(work, jobs, lambda: bar.advance(task))


def explain(work: Sequence[Task], rows: Sequence[Row]) -> None:
    """Name the shortest graph of the first failures."""
    executors = {executor.name: executor for task in work for executor in task.executors}
    cases = {case.label: case for task in work for case in task.cases}
    for row in rows:
        for line in row.failures[:3]:
            print(line, file=sys.stderr)
            case = next((case for label, case in cases.items() if f"{label}: " in line), None)
            if case is not None and case.seed is not None:
                print(f"    shortest: {shrunk(case, executors[row.executor]).label}", file=sys.stderr)


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--compiled", type=int, help="graphs that are compiled (as many as --graphs)")
    parser.add_argument("--first", type=int, default=100_000, help="seed of the first graph")
    parser.add_argument("--only", default="", help="words of executors' names, separated by commas")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of the table")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    arguments = parser.parse_args(given, argparse.Namespace(given=given))
    start = time.perf_counter()
    compiled = arguments.graphs if arguments.compiled is None else min(arguments.compiled, arguments.graphs)
    work = plan(arguments.graphs, compiled, arguments.first, [word for word in arguments.only.split(",") if word])
    arguments.different = len({case.label for task in work for case in task.cases})
    rows = proved(work, arguments.jobs)
    found = report(rows, time.perf_counter() - start, arguments)
    print(json.dumps(found, indent=1) if arguments.json else table(rows))
    if arguments.record:
        write(RESULTS, json.dumps(found, indent=1) + "\n")
    explain(work, rows)
    return 1 if any(row.failures for row in rows) else 0


def write(path: Path, text: str) -> None:
    """Write beside, then rename."""
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
