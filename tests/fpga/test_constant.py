"""Layers of constant weights: equal to the emulator, no multiplier and no weights in memory, chosen where cheaper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fpga.networks import Net, digits, residual

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import BudgetError, InputError, UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.fpga.dataflow import Dataflow, Rom
from edgeq.fpga.folding import Work, smallest
from edgeq.fpga.lower import lower
from edgeq.fpga.render import write
from edgeq.fpga.simulate import simulate
from edgeq.fpga.styles import choose, constant_luts, on_family
from edgeq.fpga.toolchain import available_toolsets, family_of, find_toolset
from edgeq.fpga.toolchain.launch import run_logged
from edgeq.ir import Graph


def tiny() -> Graph:
    """Two small convolutions and a small linear layer, elements with and without signs."""
    net = Net(4, "tiny")
    x = net.conv("first", net.input((6, 6, 2), FixedPoint(8, 4)), 4)
    x = net.conv("second", x, 3, 1, 2, padding=(0,) * 4)
    return net.b.build([net.linear("head", net.flat(x), 4, FixedPoint(16, 6))])


def constants(graph: Graph) -> dict[str, str]:
    """All layers with weights."""
    return {n.name: "constant" for n in graph.nodes if n.op in ("conv", "linear")}


def equal(flow: Dataflow, seed: int = 0, **how: object) -> bool:
    """Whether every tensor of three inferences is the emulator's."""
    value = flow.graph.values[flow.graph.inputs[0]]
    low = -(1 << (value.format.bits - 1)) if value.format.signed else 0
    codes = np.random.default_rng(seed).integers(low, low + (1 << value.format.bits), (3, *value.shape))
    trace = simulate(flow, {value.name: codes}, tool="iverilog", **how).trace  # type: ignore[arg-type]
    wanted = reference(flow.graph, {value.name: codes})
    return all(np.array_equal(codes, wanted[name]) for name, codes in trace.items())


@pytest.mark.sample(2)
@pytest.mark.parametrize("cycles", [2000, 400])
@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_constant_layers_are_the_network(cycles: int, stalls: float) -> None:
    graph = tiny()
    flow = lower(graph, cycles=cycles, styles=constants(graph))
    assert {stage.module for stage in flow.stages} & {"eq_mvu", "eq_mvc"} == {"eq_mvc"}
    assert not [v for s in flow.stages for v in s.params.values() if isinstance(v, Rom) and "weights" in v.name]
    assert flow.multipliers == 0
    assert flow.cycles <= cycles
    assert equal(flow, stalls=stalls, inner_stalls=stalls > 0)


def test_branches_of_constant_layers_do_not_stop() -> None:
    graph = residual(2, 5, 3, stride=2)
    assert equal(lower(graph, cycles=1500, styles=constants(graph)), inner_stalls=True, stalls=0.4)


def test_a_changed_digit_is_seen() -> None:
    graph = tiny()
    flow = lower(graph, cycles=2000, styles=constants(graph))
    stage = next(s for s in flow.stages if s.module == "eq_mvc")
    broken = replace(stage, params={**stage.params, "DIGITS": stage.integer("DIGITS") ^ 1 << 22})
    assert not equal(replace(flow, stages=tuple(broken if s is stage else s for s in flow.stages)))


def test_it_is_chosen_where_it_is_smaller() -> None:
    """Twelve products that are used nine times each are smaller than adders for all weights, unless these are few."""
    work = on_family(Work("tiny", 64, 4, 3, 9, bits=(8, 8), digits=4 * 27 * 2), "ecp5")
    fast = smallest(replace(work, cost=0), 64 * 9)
    assert fast is not None
    assert constant_luts(work) > fast.products * work.luts
    assert choose({"a": work}, 64 * 9, 0) == {"a": "lut"}
    few = replace(work, digits=4)
    assert choose({"a": few}, 64 * 9, 0) == {"a": "constant"}
    assert choose({"a": few}, 64 * 9, 100) == {"a": "dsp"}, "blocks are there"
    assert choose({"a": replace(work, digits=10_000)}, 64 * 9, 0) == {"a": "lut"}
    assert choose({"a": replace(work, digits=0)}, 64 * 9, 0) == {"a": "lut"}, "too many weights"


def test_what_has_no_constant_engine_says_so() -> None:
    big = digits()
    with pytest.raises(UnsupportedError, match="has too many weights for adders of their own"):
        lower(big, cycles=2000, styles={"head": "constant"})
    net = Net(0, "depthwise")
    graph = net.b.build([net.conv("each", net.input((4, 4, 3)), 3, groups=3)])
    with pytest.raises(UnsupportedError, match="depthwise, which has no engine of constant weights"):
        lower(graph, cycles=2000, style="constant")
    with pytest.raises(InputError, match="style fast: is none; choose one of dsp, lut, khot, constant"):
        lower(big, style="fast")
    with pytest.raises(BudgetError, match="cannot be done in"):
        lower(tiny(), cycles=10, styles=constants(tiny()))


@pytest.mark.heavy
def test_synthesis_makes_no_multiplier_of_it(tmp_path: Path) -> None:
    board, graph = load_board("ulx3s-85f"), tiny()
    if not available_toolsets("ecp5"):
        pytest.skip("no tools for ecp5: pip install edgeq[fpga]")
    assert board.fpga is not None
    counts = {}
    for style in ("constant", "dsp"):
        flow = lower(graph, cycles=2000, styles=dict.fromkeys(constants(graph), style))
        rendered = write(flow, tmp_path / style)
        lines = [
            f"read_verilog -DEQ_ECP5 -defer {' '.join(path.name for path in rendered.files)}",
            "hierarchy -top tiny_core",
            *family_of(board).synth(board.fpga, "tiny_core"),
            "write_verilog -noattr -noexpr netlist.v",
        ]
        (tmp_path / style / "synth.ys").write_text("\n".join(lines) + "\n", "utf-8")
        tools = find_toolset("ecp5")
        run_logged([tools.yosys, "-s", "synth.ys"], tmp_path / style, tmp_path / style / "log", "synthesis")
        text = (tmp_path / style / "netlist.v").read_text("utf-8")
        counts[style] = text.count("  MULT18X18D #(") + text.count("  MULT18X18D ")
    assert counts["constant"] == 0 < counts["dsp"]
