"""Weights with group scales in hardware: engines hold the grid integers; every value equals the emulator's."""

from __future__ import annotations

import numpy as np
import pytest
from fpga.test_hardware_modes import differs, needs_iverilog
from fpga.test_verify_fpga import flipped

from edgeq.errors import UnsupportedError
from edgeq.formats import NAMED, FixedPoint, Grouped, grouped
from edgeq.fpga.lower import lower
from edgeq.fpga.ops import products
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify.random_graphs import random_graph, random_inputs


def network() -> Graph:
    """A convolution, a depthwise one and a linear layer in E2M1 with groups of two, scales three powers apart."""
    rng, b, fmt = np.random.default_rng(3), GraphBuilder("groups"), FixedPoint(8, 3)

    def weight(name: str, *shape: int) -> str:
        scales = rng.integers(-3, 1, (*shape[:-1], -(-shape[-1] // 2)))
        return b.constant(name, rng.integers(0, 16, shape), grouped(NAMED["e2m1"], 2, scales))

    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    x = b.input("x", (4, 4, 3), fmt)
    x = b.node("conv", "first", [x, weight("w1", 4, 3, 3, 3)], fmt, groups=1, **window)
    x = b.node("conv", "each", [x, weight("w2", 4, 3, 3, 1)], fmt, groups=4, **window)
    x = b.node("reshape", "flat", [x], fmt, shape=(64,))
    return b.build([b.node("linear", "head", [x, weight("w3", 3, 64)], FixedPoint(16, 4))])


@needs_iverilog
def test_a_network_equals_the_emulator() -> None:
    graph = network()
    assert not differs(graph, lower(graph, dsps=16), random_inputs(graph, np.random.default_rng(0), 2))


@needs_iverilog
def test_a_changed_weight_is_found() -> None:
    graph = network()
    inputs = random_inputs(graph, np.random.default_rng(0), 2)
    assert differs(graph, flipped(lower(graph, dsps=16), "head", "WEIGHTS", 3), inputs) == ["head"]


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    rng, kinds = np.random.default_rng([seed, 19]), ("minifloat", "fixed", "mixed")
    ops = ["conv", "linear", "conv_transpose", "requantise"]
    graph = random_graph(rng, ops=ops, max_nodes=3, formats=kinds[seed % 3], groups=True)  # type: ignore[arg-type]
    try:
        flow = lower(graph, dsps=16 + sum(products(graph, node) for node in graph.nodes))
    except UnsupportedError as error:
        pytest.skip(str(error))
    assert not differs(graph, flow, random_inputs(graph, rng, 2), seed=seed)


def test_weights_beyond_the_engines_are_refused() -> None:
    b = GraphBuilder("wide")
    x = b.input("x", (4,), FixedPoint(8, 3))
    w = b.constant("w", [[1, 1, 1, 0]], Grouped(FixedPoint(1, 0, False), 2, (33, 0)))
    graph = b.build([b.node("linear", "head", [x, w], FixedPoint(16, 4))])
    with pytest.raises(UnsupportedError, match=r"linear head .*: its weights need 35 bits"):
        lower(graph, dsps=16)
