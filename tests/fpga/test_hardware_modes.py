"""Rounding rules and overflow modes of fixed point in hardware: every value simulated is the emulator's."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgeq.emulator import executor
from edgeq.errors import UnsupportedError
from edgeq.formats import FIXED_RULES, OVERFLOWS, FixedPoint
from edgeq.fpga import lower
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.ops import products
from edgeq.fpga.simulate import simulate
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify.random_graphs import random_graph, random_inputs

needs_iverilog = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
#: operators with an output stage of their own, and some that carry codes between them
OPS = ["add", "average_pool", "concat", "conv", "linear", "matmul", "max_pool", "mean", "mul", "requantise", "sub"]


def every_mode() -> Graph:
    """All rules and modes behind 12 bits, which no table holds; each mode with a bound of its own once."""
    b = GraphBuilder("modes")
    x = b.input("x", (24,), FixedPoint(12, 5))
    nodes = []
    for i, rule in enumerate(FIXED_RULES):
        for j, mode in enumerate(OVERFLOWS):
            fmt = (FixedPoint(6, 2), FixedPoint(5, 3, False), FixedPoint(8, 7))[(i + j) % 3]
            bounds = ({"lo": 0}, {}, {"hi": 11}, {})[(i + 2 * j) % 4]
            nodes.append(b.node("requantise", f"{rule}_{mode}", [x], fmt, rounding=rule, overflow=mode, **bounds))
    return b.build(nodes)


def differs(graph: Graph, flow: Dataflow, inputs: dict[str, np.ndarray], **how: object) -> list[str]:  # type: ignore[type-arg]
    expected = executor(graph).trace(inputs)
    shown = simulate(flow, inputs, tool="iverilog", **how).trace  # type: ignore[arg-type]
    return [name for node in graph.nodes for name in node.outputs if not np.array_equal(shown[name], expected[name])]


def aimed() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Ties and their neighbours about every end, and numbers far beyond."""
    near = [q * 8 + d for q in (-33, -32, -1, 0, 1, 31, 32) for d in (-5, -4, -3, 0, 3, 4, 5)]
    codes = np.array([*near, -2048, 2047, *np.random.default_rng(0).integers(-2048, 2048, 45)])
    return {"x": codes.reshape(-1, 24)}


@needs_iverilog
def test_every_mode_and_a_wrong_one() -> None:
    graph, inputs = every_mode(), aimed()
    flow = lower(graph, dsps=8)
    assert not differs(graph, flow, inputs)
    wrong = []
    for stage in flow.stages:
        params = dict(stage.params)
        if params.get("OVERFLOW") and params["RULE"] == 5:
            params["OVERFLOW"] = 3 - int(params["OVERFLOW"])
        wrong.append(replace(stage, params=params))
    assert differs(graph, replace(flow, stages=tuple(wrong)), inputs) == ["half_down_wrap", "half_down_zero"]


def test_the_default_names_no_mode() -> None:
    """A graph that saturates has the parameters that it had."""
    b = GraphBuilder("plain")
    x = b.input("x", (24,), FixedPoint(12, 5))
    flow = lower(b.build([b.node("requantise", "y", [x], FixedPoint(6, 2), overflow="saturate")]), dsps=8)
    (params,) = [s.params for s in flow.stages if s.module == "eq_shift"]
    assert not {"OVERFLOW", "CLAMP"} & set(params)


def test_quotients_only_saturate() -> None:
    b = GraphBuilder("mean")
    x = b.input("x", (4, 3), FixedPoint(8, 5))
    graph = b.build([b.node("mean", "y", [x], FixedPoint(4, 3), "head", axes=(1,), keep_axes=0, overflow="wrap")])
    with pytest.raises(UnsupportedError, match=r"head.*divides, and overflows by wrap.*requantise after it"):
        lower(graph, dsps=8)


def random_case(seed: int) -> None:
    graph = random_graph(np.random.default_rng([seed, 3]), ops=OPS, max_nodes=4, modes=True)
    inputs = random_inputs(graph, np.random.default_rng(seed), 2)
    stalled = {"stalls": 0.4, "inner_stalls": True} if seed % 2 else {}
    try:
        flow = lower(graph, dsps=(8, 16)[seed % 2] + sum(products(graph, node) for node in graph.nodes))
    except UnsupportedError as error:
        pytest.skip(str(error))
    assert not differs(graph, flow, inputs, seed=seed, **stalled)


@needs_iverilog
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_with_modes(seed: int) -> None:
    random_case(seed)


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_graphs_with_modes(seed: int) -> None:
    random_case(seed)
