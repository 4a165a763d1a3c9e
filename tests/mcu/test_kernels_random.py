"""Random graphs over all operators through the kernels alone: every tensor equals the emulator's, under sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.mcu.kernel_cases import Case
from tests.mcu.kernel_driver import compilers, run_graphs


def random_cases(first: int, count: int, nodes: int) -> list[Case]:
    """Graphs of fixed seeds, a third each of fixed point, mixed and minifloat."""
    kinds = ("fixed", "mixed", "minifloat")
    graphs = [
        random_graph(np.random.default_rng(seed), max_nodes=nodes, formats=kinds[seed % 3])  # type: ignore[arg-type]
        for seed in range(first, first + count)
    ]
    return [(g, random_inputs(g, np.random.default_rng(first), 3)) for g in graphs]


def check(found: list[Case], folder: Path, cc: str) -> None:
    for i, ((graph, inputs), trace) in enumerate(zip(found, run_graphs(found, folder, cc=cc), strict=True)):
        for name, want in reference(graph, inputs).items():
            assert np.array_equal(want, trace[name]), (i, name, graph.producer(name))


def test_random_graphs(tmp_path: Path) -> None:
    check(random_cases(100, 12, 4), tmp_path, "gcc")


@pytest.mark.heavy
@pytest.mark.parametrize("cc", compilers())
@pytest.mark.parametrize("first", range(10_000, 10_200, 100))
def test_many_random_graphs(first: int, cc: str, tmp_path: Path) -> None:
    check(random_cases(first, 100, 6), tmp_path, cc)
