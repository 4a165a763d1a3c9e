"""Styles: where blocks are short, the layers that leave them cost the fewest look-up tables; refusals say what fits."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fpga.networks import digits
from fpga.test_build import small
from fpga.test_folding import RESNET8

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import BudgetError
from edgeq.formats import FixedPoint
from edgeq.fpga.build import fitting, make_flow
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.estimate import estimate, stage_dsps
from edgeq.fpga.folding import Work, smallest
from edgeq.fpga.lower import lower
from edgeq.fpga.render import write
from edgeq.fpga.simulate import simulate
from edgeq.fpga.styles import FFS, LUTS, choose, on_family
from edgeq.fpga.toolchain import available_toolsets, family_of, find_toolset
from edgeq.fpga.toolchain.launch import run_logged
from edgeq.fpga.toolchain.pll import choose_clock
from edgeq.ir import GraphBuilder


def blocks_of(flow: Dataflow, family: str) -> int:
    """Multiplier blocks of a whole network."""
    return sum(stage_dsps(stage, family) for stage in flow.stages)


def styles_of(flow: Dataflow) -> dict[str, str]:
    """Node -> how its products are made."""
    return {s.node: str(s.params["STYLE"]) for s in flow.stages if s.module in ("eq_mvu", "eq_depthwise")}


@pytest.mark.parametrize(("bits", "luts", "ffs"), [((4, 2), 12, 17), ((4, 4), 25, 31), ((8, 8), 84, 96)])
def test_costs_of_a_product_are_those_that_were_measured(bits: tuple[int, int], luts: int, ffs: int) -> None:
    """hls/README.md: look-up tables and flip-flops of a product in a sum of 8."""
    assert LUTS["ecp5"].of(*bits) == pytest.approx(luts, rel=0.09)
    assert FFS.of(*bits) == pytest.approx(ffs, rel=0.06)


@pytest.mark.parametrize("budget", [0, 20, 60, 156])
def test_the_choice_is_the_cheapest_of_all(budget: int) -> None:
    """Every assignment of styles to six layers is tried."""
    widths = [(8, 8), (8, 2), (4, 4), (8, 8), (8, 4), (4, 2)]
    works = {
        name: on_family(replace(RESNET8[name], bits=b), "ecp5")
        for name, b in zip(list(RESNET8)[1:7], widths, strict=True)
    }
    target = 40_000
    blocks, luts = {}, {}
    for name, work in works.items():
        hard, soft = smallest(work, target), smallest(replace(work, cost=0), target)
        assert hard is not None
        assert soft is not None
        blocks[name], luts[name] = hard.multipliers, soft.products * work.luts
    cheapest = min(
        sum(luts[name] for name, hard in zip(works, kept, strict=True) if not hard)
        for kept in product((True, False), repeat=len(works))
        if sum(blocks[name] for name, hard in zip(works, kept, strict=True) if hard) <= budget
    )
    found = choose(works, target, budget)
    assert sum(blocks[name] for name, style in found.items() if style == "dsp") <= budget
    assert sum(luts[name] for name, style in found.items() if style == "lut") == pytest.approx(cheapest)


def test_few_bits_leave_the_blocks_first() -> None:
    works = {name: on_family(Work(name, 64, 8, 8, 9, bits=(8, bits)), "ecp5") for name, bits in (("a", 8), ("b", 2))}
    needed = smallest(works["a"], 2000)
    assert needed is not None
    assert choose(works, 2000, needed.multipliers) == {"a": "dsp", "b": "lut"}
    assert choose(works, 2000, 2 * needed.multipliers) == {"a": "dsp", "b": "dsp"}


def test_two_products_share_a_block_of_an_ice40() -> None:
    flow = lower(digits(), load_board("icebreaker"), dsps=8)
    blocks = blocks_of(flow, "ice40")
    assert blocks <= 8 < flow.multipliers
    assert flow.cycles < lower(digits(), dsps=8).cycles
    wide = on_family(Work("wide", 9, 4, 4, 9, bits=(8, 9)), "ice40")
    assert wide.blocks(2, 4) == 8
    assert replace(wide, pairs=2).blocks(2, 3) == 4, "an odd one has a block for itself"


def test_a_target_beyond_the_blocks_mixes_styles_and_stays_the_network() -> None:
    graph, board = digits(), load_board("ulx3s-85f")
    target = lower(graph, dsps=24).cycles
    flow = lower(graph, board, cycles=target, dsps=10)
    found = styles_of(flow)
    assert set(found.values()) == {"dsp", "khot"}, "weights of four bits have two digits"
    assert blocks_of(flow, "ecp5") <= 10
    assert flow.cycles <= target
    assert set(styles_of(lower(graph, board, cycles=target, dsps=10, style="dsp")).values()) == {"dsp"}
    codes = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 1))
    trace, wanted = simulate(flow, {"x": codes}, tool="iverilog").trace, reference(graph, {"x": codes})
    assert all(np.array_equal(trace[name], wanted[name]) for name in graph.outputs)


def test_a_style_that_was_asked_for_stays() -> None:
    graph = digits()
    free = styles_of(lower(graph, cycles=600, dsps=10))
    kept = next(name for name, style in free.items() if style == "khot")
    flow = lower(graph, cycles=600, dsps=10, styles={kept: "dsp"})
    assert styles_of(flow)[kept] == "dsp"


def test_what_would_fit_is_said() -> None:
    board = load_board("icebreaker")
    clock, graph = choose_clock(board, 12_000_000), small(filters=16, size=16)
    most = fitting(graph, board, clock, 1e5, None, None)
    assert 0 < most < 1e5
    assert sum(used.luts for used in estimate(make_flow(graph, board, clock, most, None, None), board).values()) > 0
    with pytest.raises(BudgetError, match="cannot be done in"):
        make_flow(graph, board, clock, 1e9, None, None)


@pytest.mark.heavy
@pytest.mark.parametrize("family", ["ecp5", "ice40", "gowin"])
def test_products_of_two_streams_are_counted_as_yosys_makes_them(family: str, tmp_path: Path) -> None:
    """Widths on either side of where yosys takes a multiplier: one layer each in one network."""
    if not available_toolsets(family):
        pytest.skip(f"no tools for {family}: pip install edgeq[fpga]")
    board = load_board({"ecp5": "ulx3s-85f", "ice40": "icebreaker", "gowin": "tang-nano-9k"}[family])
    assert board.fpga is not None
    builder = GraphBuilder("products")
    made = []
    for i, (a, b) in enumerate(((2, 2), (3, 8), (5, 5), (5, 6), (8, 8), (8, 10))):
        sides = [builder.input(f"{side}{i}", (4,), FixedPoint(bits, 4)) for side, bits in (("a", a), ("b", b))]
        made.append(builder.node("mul", f"m{i}", sides, FixedPoint(18, 8)))
    flow = lower(builder.build(made), board)
    files = " ".join(path.name for path in write(flow, tmp_path).files)
    synth = "; ".join(family_of(board).synth(board.fpga, "products_core"))
    script = f"read_verilog -defer {files}; hierarchy -top products_core; {synth}; tee -o cells stat"
    run_logged([find_toolset(family).yosys, "-p", script], tmp_path, tmp_path / "log", "synthesis")
    cells = re.findall(r"(\d+) +(MULT\w+|SB_MAC16)$", (tmp_path / "cells").read_text("utf-8"), re.MULTILINE)
    assert sum(int(n) * (2 if kind == "MULT18X18" else 1) for n, kind in cells) == blocks_of(flow, family) > 0
