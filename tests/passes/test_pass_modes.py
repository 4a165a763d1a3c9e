"""The passes keep what graphs with the rounding and overflow modes of ap_fixed answer."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept

from edgeq.formats import FixedPoint
from edgeq.ir import GraphBuilder
from edgeq.passes import optimise
from edgeq.verify.random_graphs import random_graph


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_with_modes(seed: int) -> None:
    ops = (
        None if seed % 2 else ["conv", "linear", "add", "mul", "requantise", "requantise", "max_pool", "pad", "reshape"]
    )
    graph = random_graph(np.random.default_rng([seed, 6]), ops=ops, formats="fixed", modes=True)
    assert_kept(graph, optimise(graph), samples=4)


@pytest.mark.parametrize(("mode", "count"), [("wrap", 2), ("zero", 2), ("saturate", 1)])
def test_a_relu_behind_a_wrap_stays(mode: str, count: int) -> None:
    """A clamp does not commute with wrapping: the two nodes stay two; behind saturation they become one."""
    b = GraphBuilder("relu")
    x = b.input("x", (256,), FixedPoint(8, 3))
    y = b.node("requantise", "y", [x], FixedPoint(4, 1), overflow=mode)
    graph = b.build([b.node("requantise", "z", [y], FixedPoint(4, 1), lo=0)])
    made = optimise(graph)
    assert len(made.nodes) == count
    assert_kept(graph, made, samples=4)
