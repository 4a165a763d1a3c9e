"""The estimate of HLS projects: cycles from loop to loop, borders, whole multipliers, targets that count all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeq.boards import load_board
from edgeq.errors import BudgetError
from edgeq.fpga import lower
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.estimate import as_cpp, estimate, stage_usage
from edgeq.hls.build import make_flow
from edgeq.hls.timing import LOOP, cycles, latency, stage_cycles
from tests.fpga.networks import U8, Net, digits
from tests.fpga.test_lowering import CASES, SLOW


@pytest.fixture(scope="module")
def flow() -> Dataflow:
    return lower(digits(), dsps=24)


def test_a_window_changes_loops_twice_for_each_row(flow: Dataflow) -> None:
    for stage in flow.stages:
        loops = 2 * stage.integer("OH") if stage.module == "eq_window" else 1
        assert stage_cycles(stage, flow) == stage.cycles + LOOP * loops
    net = Net()
    rows = lower(net.b.build([SLOW["softmax"](net)]), dsps=8)
    softmax = next(s for s in rows.stages if s.module == "eq_softmax")
    count = rows.streams[softmax.sources()[0]].beats // softmax.integer("COUNT")
    assert stage_cycles(softmax, rows) == softmax.cycles + 3 * LOOP * count


def test_the_border_can_be_the_slowest() -> None:
    """One code a cycle comes in where a beat's codes and the lanes have no common divisor."""
    net = Net()
    y = net.b.node("reshape", "y", [net.input((300, 3), U8)], U8, shape=(900,))
    flow = lower(net.b.build([y]))
    assert cycles(flow, 32) == 900 + LOOP
    assert 900 < latency(flow, 32) < 900 + 10 * LOOP


def test_a_scale_has_whole_multipliers() -> None:
    board = load_board("pynq-z2")
    net = Net()
    flow = lower(net.b.build([CASES["affine add"](net)]), board, cycles=5000)
    scale = next(s for s in flow.stages if s.module == "eq_scale")
    serial = replace(scale, params={**scale.params, "CYCLES": 17})
    assert as_cpp(serial).params["CYCLES"] == 1
    assert stage_usage(flow, serial, "xilinx").luts < stage_usage(flow, as_cpp(serial), "xilinx").luts
    assert estimate(flow, board)[scale.name] == stage_usage(flow, as_cpp(scale), "xilinx")


def test_a_target_counts_everything() -> None:
    board = load_board("pynq-z2")
    assert board.hls is not None
    for target in (5_000, 20_000):
        flow = make_flow(digits(), board, inferences=target)
        assert cycles(flow, board.hls.dma_bits) * target <= board.hls.target_hz
    with pytest.raises(BudgetError):
        make_flow(digits(), board, inferences=2_000_000)
