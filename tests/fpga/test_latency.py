"""Latency predicted beat by beat: near what simulated Verilog takes, and it follows what makes an inference longer."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from edgeq.fpga import lower
from edgeq.fpga.latency import latency
from edgeq.fpga.simulate import simulate
from edgeq.verify.random_graphs import random_inputs
from tests.fpga.networks import Net, digits, residual

needs_iverilog = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")


@needs_iverilog
@pytest.mark.parametrize("make", [lambda: residual(2), digits])
def test_it_is_near_the_simulated_verilog(make: object) -> None:
    graph = make()  # type: ignore[operator]
    flow = lower(graph, dsps=24)
    real = simulate(flow, random_inputs(graph, np.random.default_rng(0), 1), tool="iverilog").latency
    assert abs(latency(flow) / real - 1) < 0.05
    slowed = latency(flow, lambda stage: 2 * stage.cycles)
    assert abs(slowed / real - 1) > 0.2


def test_it_follows_the_border_the_pipeline_and_the_slowest_stage() -> None:
    net = Net()
    flow = lower(net.b.build([net.conv("y", net.input((6, 6, 2)), 4)]), dsps=4)
    plain = latency(flow)
    assert flow.cycles < plain < flow.cycles + sum(s.cycles for s in flow.stages)
    beats = flow.streams[flow.inputs[0]].beats
    assert latency(flow, entry=lambda _: 50.0) >= 50 * beats
    assert latency(flow, pipeline=106) == plain + 100 * len(flow.stages)
