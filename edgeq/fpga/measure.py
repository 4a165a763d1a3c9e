"""Cycles of an inference, counted in the simulated Verilog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeq.errors import ToolError
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.simulate import find_tool, simulate
from edgeq.fpga.toolchain.launch import Progress, silent

#: inferences back to back: the distance of the last two is steady state
INFERENCES = 4


@dataclass(frozen=True)
class Timing:
    """cycles: between two inferences in steady state; latency: first input to last output of one alone."""

    cycles: int
    latency: int
    simulator: str


def measure(flow: Dataflow, progress: Progress = silent) -> Timing | None:
    """Count the cycles of random inferences back to back; None where no simulator is installed."""
    try:
        tool = find_tool()
    except ToolError:
        return None
    progress(f"counting cycles with {tool}")
    rng = np.random.default_rng(1)
    inputs = {}
    for name in flow.graph.inputs:
        value = flow.graph.values[name]
        low, high = value.format.code_range
        inputs[name] = rng.integers(low, high, (INFERENCES, *value.shape), endpoint=True)
    found = simulate(flow, inputs, tool=tool)
    return Timing(found.cycles, found.latency, tool)
