"""FIFOs where branches meet: the formula's depth never stops a network, and much less does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgeq.emulator import executor
from edgeq.errors import ToolError
from edgeq.fpga import fifos, lower
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.simulate import simulate
from edgeq.ir import Graph
from edgeq.verify.random_graphs import random_inputs
from tests.fpga.networks import U8, Net, residual

needs_iverilog = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")


def nested() -> Graph:
    """A residual branch inside a dense one: three branches, two joins."""
    net = Net(3, "nested")
    x = net.conv("stem", net.input((6, 6, 4)), 4)
    inner = net.b.node("add", "inner", [net.conv("a", x, 4), x], U8)
    return net.b.build([net.b.node("concat", "outer", [net.conv("b", inner, 4), inner, x], U8, axis=2)])


GRAPHS = {"two convs": residual(2), "stride": residual(2, 8, 4, 2), "nested": nested()}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depths as the argument asks for them, nothing added for speed."""
    monkeypatch.setattr(fifos, "SLACK", 0)
    monkeypatch.setattr(fifos, "REGISTERS", 0)


def with_depth(flow: Dataflow, share: float) -> Dataflow:
    """The same dataflow with all FIFOs cut to a share of their depth."""
    stages = []
    for stage in flow.stages:
        if stage.module == "eq_fifo":
            stage = replace(stage, params={**stage.params, "DEPTH": max(2, int(stage.integer("DEPTH") * share))})
        stages.append(stage)
    return replace(flow, stages=tuple(stages))


@pytest.mark.sample(3)
@needs_iverilog
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("stalled", [False, True], ids=["free", "stalled"])
def test_the_bare_depth_is_enough(name: str, stalled: bool, bare: None) -> None:
    graph = GRAPHS[name]
    inputs = random_inputs(graph, np.random.default_rng(1), 3)
    how = {"stalls": 0.4, "inner_stalls": True} if stalled else {}
    flow = lower(graph, dsps=20)
    assert any(stage.module == "eq_fifo" for stage in flow.stages)
    shown = simulate(flow, inputs, tool="iverilog", seed=5, **how).trace  # type: ignore[arg-type]
    expected = executor(graph).trace(inputs)
    assert all(np.array_equal(shown[v], expected[v]) for node in graph.nodes for v in node.outputs)


@needs_iverilog
@pytest.mark.parametrize("name", ["two convs", "nested"])
def test_half_of_it_stops_and_the_layer_is_named(name: str, bare: None) -> None:
    graph = GRAPHS[name]  # (a branch that begins with a line buffer holds more than the formula counts on)
    flow = with_depth(lower(graph, dsps=60), 0.5)
    with pytest.raises(ToolError, match=r"stopped after 0 of 1 inferences: layer \w+ gave \d+ of \d+ elements"):
        simulate(flow, random_inputs(graph, np.random.default_rng(1), 1), tool="iverilog")


def test_depths_by_hand(bare: None) -> None:
    # The second 3x3 convolution wants rows 0 and 1, so the first one wants rows 0, 1 and 2, before any pixel is out.
    (fifo,) = (s for s in lower(residual(2, 6, 4), dsps=20).stages if s.module == "eq_fifo")
    assert fifo.integer("DEPTH") == 3 * 6 * 4 - 1


def test_no_branch_no_fifo() -> None:
    net = Net()
    graph = net.b.build([net.conv("b", net.conv("a", net.input((5, 5, 3)), 4), 4)])
    assert not [s for s in lower(graph).stages if s.module in ("eq_fifo", "eq_fork")]
