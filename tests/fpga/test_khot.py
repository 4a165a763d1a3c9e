"""Layers of K-hot weights: equal to the emulator, shifters and no multiplier, chosen where they are smaller."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fpga.networks import U8, Net
from fpga.test_constant import equal

from benchmarks.networks import khot
from edgeq.boards import load_board
from edgeq.emulator import executor
from edgeq.errors import UnsupportedError
from edgeq.formats import FixedPoint, KHot
from edgeq.fpga.dataflow import Dataflow, Rom, style_of
from edgeq.fpga.estimate import stage_usage
from edgeq.fpga.folding import Work
from edgeq.fpga.khot import find_places
from edgeq.fpga.lower import lower
from edgeq.fpga.render import write
from edgeq.fpga.simulate import simulate
from edgeq.fpga.styles import choose, in_logic, on_family
from edgeq.fpga.toolchain import available_toolsets, family_of, find_toolset
from edgeq.fpga.toolchain.launch import run_logged
from edgeq.ir import Graph
from edgeq.verify.random_graphs import random_graph, random_inputs


def small(signed: bool = True) -> Graph:
    """A convolution, a depthwise one and a linear layer, weights of 8 bits."""
    net = Net(4, "small")
    net.constant = lambda name, shape, bits=8, point=6: Net.constant(net, name, shape, 8, point)  # type: ignore[method-assign]
    x = net.conv("first", net.input((6, 6, 2), FixedPoint(8, 4, signed)), 4)
    x = net.conv("depthwise", x, 4, groups=4, stride=2)
    return net.b.build([net.linear("head", net.flat(x), 4, FixedPoint(16, 6))])


def styles(flow: Dataflow) -> dict[str, str | None]:
    """Node -> how its products are made."""
    return {s.node: style_of(s) for s in flow.stages if style_of(s)}


@pytest.mark.parametrize("fmt", [KHot(8, 1), KHot(8, 2), KHot(8, 2, "binary"), KHot(8, 3)], ids=str)
def test_networks_of_digits_are_the_network(fmt: KHot) -> None:
    graph = khot(small(fmt.khot != 2), fmt)
    names = [n.name for n in graph.nodes if n.op in ("conv", "linear")]
    flow = lower(graph, cycles=1500, styles=dict.fromkeys(names, "khot"))
    assert set(styles(flow).values()) == {"khot"}
    assert {s.module for s in flow.stages} >= {"eq_mvu", "eq_depthwise"}
    assert equal(flow, stalls=0.4, inner_stalls=True)


@pytest.mark.parametrize("kind", [1, 0], ids=["sign", "used"])
def test_a_changed_digit_is_seen(kind: int) -> None:
    """One digit of one weight is added instead of subtracted, or left out."""
    graph = khot(small(), KHot(8, 1))
    flow = lower(graph, cycles=2000, style="khot")
    assert equal(flow)
    stage = next(s for s in flow.stages if s.node == "head" and s.module == "eq_mvu")
    rom = stage.params["WEIGHTS"]
    assert isinstance(rom, Rom)
    word = next(i for i, w in enumerate(rom.words) if w >> (stage.integer("W_BITS") - 1) & 1)
    flip = 1 << (stage.integer("W_BITS") - 1 - kind)
    words = tuple(w ^ flip if i == word else w for i, w in enumerate(rom.words))
    broken = replace(stage, params={**stage.params, "WEIGHTS": replace(rom, words=words)})
    assert not equal(replace(flow, stages=tuple(broken if s is stage else s for s in flow.stages)))


def test_a_layer_in_logic_bounds_what_blocks_could_reach() -> None:
    """The blocks would do the last layer in 16 cycles; the convolution beside it takes its time, blocks or not."""
    graph = khot(small(), KHot(8, 1))
    bound = lower(graph, dsps=10_000, style="lut").cycles
    mixed = lower(graph, dsps=10_000, styles={"first": "khot", "depthwise": "khot"})
    assert styles(mixed) == {"first": "khot", "depthwise": "khot", "head": "dsp"}
    assert mixed.cycles == bound


def test_style_khot_takes_digits_where_they_are_smaller() -> None:
    """Weights with many digits stay bit planes; nothing is a multiplier."""
    graph = khot(small(), KHot(8, 1))
    assert set(styles(lower(graph, cycles=1500, style="khot")).values()) == {"khot"}
    assert set(styles(lower(small(), cycles=1500, style="khot")).values()) == {"lut"}
    many = khot(small(), KHot(8, 3))
    assert set(styles(lower(many, cycles=1500, style="khot")).values()) == {"lut"}, "three shifters are larger"
    kept = lower(graph, cycles=1500, style="khot", styles={"head": "dsp"})
    assert styles(kept)["head"] == "dsp"


def test_products_of_two_streams_stay_bit_planes() -> None:
    net = Net()
    x = net.input((3, 4))
    turned = net.b.node("transpose", "t", [x], U8, permutation=(1, 0))
    graph = net.b.build([net.b.node("matmul", "y", [x, turned], FixedPoint(16, 4))])
    assert styles(lower(graph, style="khot")) == {"y": "lut"}
    with pytest.raises(UnsupportedError, match="has no weights, which style khot is about"):
        lower(graph, styles={"y": "khot"})


def test_weights_of_many_digits_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"head.*more than 3 digits; use style dsp or lut, or train it K-hot"):
        lower(small(), styles={"head": "khot"})


def work_of(fmt: KHot, family: str, x_bits: int = 8) -> Work:
    places = find_places(fmt.levels, x_bits)
    return on_family(Work("layer", 64, 16, 16, 9, bits=(x_bits, fmt.bits), places=places), family)


#: benchmarks/khot.py: look-up tables of a product in a sum of 8, of weights and elements of so many bits
MEASURED = {
    ("ecp5", 4, 4, 1): 16,
    ("ecp5", 4, 8, 2): 39,
    ("ecp5", 8, 8, 1): 41,
    ("ecp5", 8, 8, 2): 80,
    ("ecp5", 8, 8, 3): 89,
    ("ice40", 8, 8, 1): 55,
    ("ice40", 8, 8, 3): 121,
    ("gowin", 4, 8, 2): 56,
}


@pytest.mark.parametrize("case", MEASURED)
def test_costs_of_a_product_are_those_that_were_measured(case: tuple[str, int, int, int]) -> None:
    family, w_bits, x_bits, count = case
    assert work_of(KHot(w_bits, count), family, x_bits).digit_luts == pytest.approx(MEASURED[case], rel=0.07)


def test_one_and_two_digits_are_smaller_and_three_hardly() -> None:
    """What docs/fpga.md says of weights of 8 bits."""
    for family in ("ecp5", "ice40", "gowin"):
        assert in_logic(work_of(KHot(8, 1), family))[0] == "khot"
        assert in_logic(work_of(KHot(8, 2), family))[0] == "khot"
    assert in_logic(work_of(KHot(8, 3), "ecp5"))[0] == "lut"
    assert in_logic(work_of(KHot(8, 3), "ice40"))[0] == "khot"


def test_without_blocks_the_smaller_is_chosen() -> None:
    hot = work_of(KHot(8, 1), "ecp5")
    assert choose({"a": hot, "b": replace(hot, places=())}, 4000, 0) == {"a": "khot", "b": "lut"}


def tiny() -> Graph:
    """Two linear layers."""
    net = Net(2, "tiny")
    x = net.linear("first", net.input((4,), FixedPoint(8, 4)), 4, FixedPoint(8, 3))
    return net.b.build([net.linear("second", x, 3, FixedPoint(16, 6))])


@pytest.mark.heavy
def test_synthesis_finds_no_multiplier(tmp_path: Path) -> None:
    """yosys counts none in a K-hot network, and finds those of the same in multiplier blocks."""
    graph = khot(tiny(), KHot(4, 1))
    for style, wanted in (("khot", False), ("dsp", True)):
        flow = lower(graph, load_board("ulx3s-85f"), cycles=16, style=style)
        assert (multipliers(flow, "ulx3s-85f", tmp_path / style) > 0) is wanted


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("board", "fmt"),
    [
        ("ulx3s-85f", KHot(8, 2)),
        ("icebreaker", KHot(8, 2, "binary")),
        ("tang-nano-20k", KHot(8, 1, "binary")),
        ("pynq-z2", KHot(8, 1)),
        ("pynq-z2", KHot(8, 3, "binary")),
    ],
    ids=str,
)
def test_synthesis_finds_no_multiplier_in_any_layer(board: str, fmt: KHot, tmp_path: Path) -> None:
    names = ("first", "depthwise", "head")
    flow = lower(khot(small(), fmt), load_board(board), cycles=2000, styles=dict.fromkeys(names, "khot"))
    assert multipliers(flow, board, tmp_path / "khot") == 0


@pytest.mark.heavy
def test_synthesis_for_amd_would_find_them(tmp_path: Path) -> None:
    flow = lower(small(), load_board("pynq-z2"), cycles=2000, style="dsp")
    assert multipliers(flow, "pynq-z2", tmp_path / "dsp") > 0


def multipliers(flow: Dataflow, board: str, folder: Path) -> int:
    """Blocks that synthesis of the Verilog takes; for AMD's boards that of yosys for 7 series."""
    target = load_board(board)
    fpga = target.fpga
    if not available_toolsets(fpga.family if fpga else "ecp5"):
        pytest.skip("needs pip install edgeq[fpga]")
    rendered = write(flow, folder)
    macro = f"-DEQ_{fpga.family.upper()} " if fpga else ""
    synthesis = family_of(target).synth(fpga, rendered.top) if fpga else [f"synth_xilinx -abc9 -top {rendered.top}"]
    commands = [
        f"read_verilog {macro}-defer {' '.join(path.name for path in rendered.files)}",
        f"hierarchy -top {rendered.top}",
        *synthesis,
        "tee -o stat.json stat -json",
    ]
    (folder / "synth.ys").write_text("\n".join(commands) + "\n", "utf-8")
    yosys = find_toolset(fpga.family if fpga else "ecp5").yosys  # the same program for all families
    run_logged([yosys, "-s", "synth.ys"], folder, folder / "yosys.log", "synthesis")
    cells = json.loads((folder / "stat.json").read_text("utf-8"))["design"]["num_cells_by_type"]
    assert any("LUT" in cell for cell in cells)
    return sum(n for cell, n in cells.items() if "MUL" in cell or "MAC16" in cell or "DSP" in cell)


def test_the_estimate_knows_digits() -> None:
    """Shifters and adders are counted, and fewer digits cost less."""
    found = []
    for count in (1, 2):
        graph = khot(small(), KHot(8, count))
        flow = lower(graph, cycles=1500, styles={"first": "khot"})
        stage = next(s for s in flow.stages if s.node == "first" and s.module == "eq_mvu")
        found.append(stage_usage(flow, stage, "ecp5"))
    bare = replace(stage, params={**stage.params, "STYLE": "none"})
    assert found[1].luts > found[0].luts > stage_usage(flow, bare, "ecp5").luts
    assert found[1].dsps == 0


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(16))
def test_random_graphs_of_digits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = ["conv", "linear", "conv_transpose", "add", "max_pool", "requantise", "reshape"]
    graph = khot(random_graph(rng, ops=kept, max_nodes=6), KHot(8, 1 + seed % 3))
    inputs = random_inputs(graph, rng, 2)
    flow = lower(graph, dsps=16, style="khot")
    trace, wanted = simulate(flow, inputs, tool="iverilog", stalls=0.4).trace, executor(graph).trace(inputs)
    assert all(np.array_equal(trace[v], wanted[v]) for node in graph.nodes for v in node.outputs)
