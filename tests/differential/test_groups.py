"""Random graphs whose weights have group scales: emulator, files, plans, C on the host and on emulated cores agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeq.formats import Grouped
from edgeq.ir import Graph
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.differential.cases import SAMPLES, Case
from tests.differential.executors import board_executors, plain_host, python_executors
from tests.differential.proof import tasks
from tests.differential.test_equality import check

KINDS = ("minifloat", "fixed", "mixed")
#: what has weights, and what stands between them
OPS = ["conv", "conv", "linear", "conv_transpose", "requantise", "add", "concat", "max_pool"]


def suits(graph: Graph) -> bool:
    """Whether it has group scales, and its transposed convolutions integers of 32 bits, which C asks for."""
    transposed = [graph.ins(node)[1] for node in graph.nodes if node.op == "conv_transpose"]
    grids = [v.format.to_grid(v.data) for v in transposed if v.data is not None]
    return all(np.abs(g).max() < 1 << 31 for g in grids) and any(
        isinstance(v.format, Grouped) for v in graph.constants()
    )


def cases(first: int, count: int) -> list[Case]:
    """Graphs of which each has group scales."""
    found: list[Case] = []
    seed = first
    while len(found) < count:
        rng = np.random.default_rng([seed, 23])
        graph = random_graph(rng, ops=OPS, max_nodes=6, formats=KINDS[seed % 3], groups=True)  # type: ignore[arg-type]
        if suits(graph):
            found.append(Case(replace(graph, name=f"groups{seed}"), random_inputs(graph, rng, SAMPLES)))
        seed += 1
    return found


def test_python_executions() -> None:
    executors = python_executors()
    check(list(tasks(cases(0, 12), executors, 12)), {executor.name: 12 for executor in executors})


@pytest.mark.heavy
@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
def test_graphs_in_host_c() -> None:
    executors = plain_host()
    check(list(tasks(cases(100, 40), executors, 20)), {executor.name: 40 for executor in executors})


@pytest.mark.heavy
@pytest.mark.parametrize("board", ["cortex-m4", "cortex-m55", "riscv32"])
def test_graphs_on_emulated_cores(board: str) -> None:
    executors = board_executors((board,))[-1:]
    if not executors:
        pytest.skip(f"needs a compiler and an emulator of {board}")
    check(list(tasks(cases(200, 12), executors, 12)), {executors[0].name: 12})
