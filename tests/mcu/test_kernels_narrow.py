"""Kernels of packed weights and minifloats against the meaning of their operators, in C and as cores run them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edgeq.formats import NAMED, FixedPoint, Format, Minifloat
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.ops import overwritten
from edgeq.mcu.ops._dsp_narrow import EXPANDED
from edgeq.mcu.ops._narrow import HALVES, half_exact, half_steps
from edgeq.mcu.step import Blob, Step
from tests.mcu import narrow_cases
from tests.mcu.dsp_cases import single
from tests.mcu.kernel_checks import steps_of, wrong_in_c, wrong_on_core
from tests.mcu.kernel_driver import compilers

KERNEL = "conv_narrow_dsp"
OPS = sorted(narrow_cases.BATCHES)
DSP, MVE, RV32 = ("dsp",), ("dsp", "mve"), ("rv32m",)
#: features of a core -> the kernels that the cases have to reach there
KERNELS = {
    DSP: {"conv_narrow_dsp", "conv_depthwise_narrow_dsp"},
    MVE: {"conv_narrow_mve", "conv_depthwise_narrow_mve"},
    RV32: {"conv_narrow_scalar"},
}
STAGES = {"EQ_STAGE_SHIFT", "EQ_STAGE_MAP", "EQ_STAGE_EXACT"}
WINDOW = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1}


def one(x: Format, weight: Format, out: Format, shape: tuple[int, ...], filters: int, kernel: int = 3) -> Graph:
    """A convolution with weights of every code."""
    rng, b = np.random.default_rng(5), GraphBuilder("one")
    codes = narrow_cases.finite(weight, (filters, kernel, kernel, shape[-1]), rng)
    operands = [b.input("x", shape, x), b.constant("w", codes, weight)]
    pad = (kernel // 2,) * 4
    return b.build([b.node("conv", "y", operands, out, **{**WINDOW, "padding": pad})])


@pytest.mark.parametrize(
    ("op", "cc", "features", "count"),
    [
        ("conv", "gcc", DSP, 2),
        *(
            pytest.param(op, cc, features, 12, marks=pytest.mark.heavy)
            for op in OPS
            for cc in compilers()
            for features in KERNELS
        ),
    ],
)
def test_in_c_under_sanitizers(op: str, cc: str, features: tuple[str, ...], count: int, tmp_path: Path) -> None:
    """The driver and the C meaning of the assembler; every buffer has its exact size."""
    cases = single(narrow_cases.BATCHES[op](5, count))
    assert not any(wrong_in_c(cases, tmp_path, features, cc=cc))


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("op", "board", "toolchain", "runner", "optimize", "count"),
    [
        *((op, "cortex-m4", "gcc", "unicorn", "-O2", 8) for op in OPS),
        ("conv", "cortex-m55", "gcc", "qemu", "-O2", 5),
        ("conv", "riscv32", "gcc", "qemu", "-O2", 5),
        *(
            pytest.param(op, board, toolchain, "qemu", optimize, 24, marks=pytest.mark.heavy)
            for op in OPS
            for board, toolchain, optimize in [
                ("cortex-m4", "gcc", "-O3"),
                ("cortex-m4", "zig", "-Os"),
                ("cortex-m7", "gcc", "-O2"),
                ("cortex-m33", "gcc", "-O2"),
                ("cortex-m55", "gcc", "-O3"),
                ("cortex-m3", "gcc", "-O2"),
                ("riscv32", "gcc", "-Os"),
            ]
        ),
    ],
)
def test_on_cores(op: str, board: str, toolchain: str, runner: str, optimize: str, count: int, tmp_path: Path) -> None:
    batch = narrow_cases.BATCHES[op](3 + len(optimize + board), count)
    assert wrong_on_core(batch, board, toolchain, runner, optimize, tmp_path) == []


@pytest.mark.parametrize("op", OPS)
def test_cases_run_on_the_kernel_and_reach_every_path(op: str) -> None:
    steps = steps_of(narrow_cases.BATCHES[op](1, 120).graph())
    fast = [s for s in steps if s.kernel in KERNELS[DSP]]
    assert len(fast) > 0.8 * len(steps), [s.why for s in steps if s.kernel not in KERNELS[DSP]]
    inputs, weights, *_ = zip(*(s.fixed for s in fast), strict=True)
    assert {"EQ_S(8)", "EQ_U(8)", "EQ_F(2, 1)", "EQ_F(2, 3)"} <= set(inputs)
    assert {*(f"EQ_SP({b})" for b in range(2, 8)), "EQ_UP(4)", "EQ_FP(2, 1)", "EQ_FP(2, 3)"} <= set(weights)
    arguments = {a for s in fast for a in s.fixed}
    assert {"EQ_SAT_S8", "EQ_SAT_U8", "EQ_SAT_U7", "true", "false"} <= arguments
    if op != "depthwise":
        _, _, _, clamps, stages, whole = zip(*(s.fixed for s in fast), strict=True)
        assert {"true", "false"} == set(clamps) == set(whole)
        assert set(stages) == STAGES
    else:
        assert {s.fixed[2] for s in fast} == STAGES


def test_every_kernel_is_reached() -> None:
    for features, want in KERNELS.items():
        steps = [s for op in OPS for s in steps_of(narrow_cases.BATCHES[op](1, 16).graph(), features)]
        fast = [s for s in steps if s.kernel in want]
        assert {s.kernel for s in fast} == want
        assert len(fast) > len(steps) // 4
        assert features != MVE or {"EQ_MVE_EXACT", "EQ_MVE_UP"} <= {a for s in fast for a in s.fixed}


def test_weights_in_chunks_and_rows_in_strips(tmp_path: Path) -> None:
    """Layers whose weights, or decoded rows, exceed what scratch holds; what is left over in both."""
    s8, e2m1, e2m3 = FixedPoint(8, 4), NAMED["e2m1"], NAMED["e2m3"]
    graphs = [
        one(s8, FixedPoint(4, 3), FixedPoint(8, 0), (5, 5, 64), 75),
        one(e2m1, FixedPoint(2, 1), FixedPoint(8, -2), (9, 40, 20), 6),
        one(e2m3, e2m3, e2m3.per_tensor(-2), (4, 5, 90), 30, 5),
    ]
    steps = [steps_of(g)[0] for g in graphs]
    assert [s.kernel for s in steps] == [KERNEL] * 3
    assert [s.params["chunk"] < g.outs(g.nodes[0])[0].shape[-1] for g, s in zip(graphs, steps, strict=True)] == [
        True,
        False,
        True,
    ]
    assert steps[1].params["strip"] < 9
    assert all(s.scratch < EXPANDED + 16384 for s in steps)
    rng = np.random.default_rng(2)
    cases = [(g, {"x": narrow_cases.codes(g.values["x"].format, (2, *g.values["x"].shape), rng)}) for g in graphs]
    assert not any(wrong_in_c(cases, tmp_path))


def test_rolls_over_its_input(tmp_path: Path) -> None:
    """Where all channels are expanded at once y may lie over x; with a pair of pixels less in waiting it is wrong."""
    graph = one(FixedPoint(8, 4), FixedPoint(4, 3), FixedPoint(8, 2), (12, 6, 8), 8)
    (step,) = steps_of(graph)
    assert overwritten(graph, graph.nodes[0], step) == ["x"]
    data = {"x": narrow_cases.codes(FixedPoint(8, 4), (2, 12, 6, 8), np.random.default_rng(1))}

    def hasty(s: Step) -> Step:
        return replace(s, params={**s.params, "conv.hold": s.params["conv.hold"] - 2})  # type: ignore[operator]

    assert wrong_in_c([(graph, data)], tmp_path / "good", in_place=True) == [[]]
    assert wrong_in_c([(graph, data)], tmp_path / "bad", in_place=True, mutate=hasty) != [[]]


def test_a_corrupted_weight_is_found(tmp_path: Path) -> None:
    """One bit of the packed codes of each layer."""
    cases = [
        (g, {"x": narrow_cases.codes(g.values["x"].format, (2, *g.values["x"].shape), np.random.default_rng(1))})
        for g in (
            one(FixedPoint(8, 4), FixedPoint(4, 3), FixedPoint(8, 4), (6, 6, 5), 4),
            one(NAMED["e2m3"], NAMED["e2m3"], NAMED["e2m3"].per_tensor(3), (6, 6, 5), 4),
        )
    ]

    def spoiled(step: Step) -> Step:
        blob = step.params["conv.stream"]
        assert isinstance(blob, Blob)
        data = blob.data.copy()
        data[4] ^= np.uint32(8)
        return replace(step, params={**step.params, "conv.stream": replace(blob, data=data)})

    assert wrong_in_c(cases, tmp_path / "good") == [[], []]
    assert all(wrong_in_c(cases, tmp_path / "bad", mutate=spoiled))


@pytest.mark.parametrize("rule", ["half_up", "floor"])
def test_halves_of_the_grid_decide_every_rounding(rule: str) -> None:
    """Every eighth of a step over all that the table stands for, and beyond its ends."""
    small = [f for f in narrow_cases.FLOATS if f.max_magnitude <= 63]
    for fmt in small:
        lo, hi = fmt.grid_range
        table = half_steps(fmt, lo, hi, rule)
        assert table is not None
        for eighth in range(8 * HALVES[0] // 2 - 40, 8 * (HALVES[1] + 1) // 2 + 40):
            half = min(max(eighth // 4, HALVES[0]), HALVES[1])
            want = fmt.round_scalar(Fraction(eighth, 8), rule)
            assert fmt.to_grid_scalar(int(table[half - HALVES[0]])) == want, (fmt, eighth)


def test_exact_halves_decide_half_even() -> None:
    """Every eighth of a step, whose ties a table of halves alone cannot tell from what lies above them."""
    for fmt in (f for f in narrow_cases.FLOATS if f.max_magnitude <= 63):
        table = half_exact(fmt, *fmt.grid_range, "half_even")
        assert table is not None
        for eighth in range(8 * HALVES[0] // 2 - 40, 8 * (HALVES[1] + 1) // 2 + 40):
            place = min(max(2 * (eighth // 4) - (eighth % 4 == 0), 2 * HALVES[0]), 2 * HALVES[1] + 1)
            want = fmt.round_scalar(Fraction(eighth, 8), "half_even")
            assert fmt.to_grid_scalar(int(table[place - 2 * HALVES[0]])) == want, (fmt, eighth)
    e2m1 = NAMED["e2m1"]
    assert {e2m1.round_scalar(Fraction(1, 2) + d, "half_even") for d in (Fraction(0), Fraction(1, 8))} == {0, 1}


def test_what_the_table_cannot_hold_is_refused() -> None:
    e2m1, e3m2 = NAMED["e2m1"], NAMED["e3m2"]
    assert half_steps(e3m2, *e3m2.grid_range, "half_up") is None
    assert half_exact(e3m2, *e3m2.grid_range, "half_even") is None
    (step,) = steps_of(one(e2m1, e2m1, e3m2.per_tensor(0), (4, 4, 4), 4))
    assert step.kernel == "conv_lanes"
    assert "not conv_narrow_dsp: output e3m2" in step.brief


@pytest.mark.parametrize(
    ("weight", "bits"), [(FixedPoint(4, 3), 4), (FixedPoint(2, 1), 2), (NAMED["e2m1"], 4), (NAMED["e2m3"], 6)]
)
def test_weights_lie_packed_in_flash(weight: Format, bits: int) -> None:
    x = weight if isinstance(weight, Minifloat) else FixedPoint(8, 4)
    out = x.per_tensor(0)
    (step,) = steps_of(one(x, weight, out, (4, 4, 32), 32))
    blob = step.params["conv.stream"]
    assert isinstance(blob, Blob)
    # Beside the codes a block of four channels has four start values and a word of shifts.
    assert 4 * blob.data.size == 32 * 32 * 9 * bits // 8 + 8 * 20
