"""Kernels for DSP and Helium against the meaning of their operators, bit for bit, in C and as cores run them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import overwritten
from edgeq.mcu.step import Blob, Step
from tests.mcu import dsp_cases, tiny
from tests.mcu.kernel_checks import steps_of, wrong_in_c, wrong_on_core
from tests.mcu.kernel_driver import compilers

OPS = sorted(dsp_cases.BATCHES)
BOOL = ("true", "false")
#: operators whose output may roll over their input
ROLLING = ("conv", "depthwise", "linear")
SATURATIONS = ("EQ_SAT_S8", "EQ_SAT_U8", "EQ_SAT_U7")
ROUNDING = ("EQ_FLOOR", "EQ_HALF_UP", "EQ_HALF_EVEN")
#: kernels of an operator, where they are not one of its name
KERNELS_MVE = {
    "conv": {"conv_scaled_mve", "conv_pointwise_scaled_mve", "conv_first_mve"},
    "first": {"conv_first_mve"},
    "depthwise": {"conv_depthwise_scaled_mve"},
    "linear": {"linear_scaled_mve", "conv_scaled_mve"},
    "max_pool": {"max_pool_mve"},
    "requantise": {"look_up_mve"},
}
KERNELS = {
    "conv": {"conv_dsp", "conv_first_dsp"},
    "first": {"conv_first_dsp", "conv_dsp"},
    "depthwise": {"conv_depthwise_dsp"},
    "linear": {"linear_dsp", "conv_dsp"},
    "sub": {"add_dsp"},
}
#: kernel -> place of a fixed argument -> values that must occur
ARGUMENTS = {
    "conv_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL},
    "conv_first_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL, 5: ("1", "2", "3")},
    "conv_depthwise_dsp": {0: BOOL, 1: SATURATIONS, 2: BOOL},
    "conv_scaled_mve": {0: BOOL},
    "conv_first_mve": {0: BOOL, 2: ("1", "2")},
    "conv_depthwise_scaled_mve": {0: BOOL},
    "conv_pointwise_scaled_mve": {},
    "linear_scaled_mve": {0: BOOL, 1: BOOL, 2: BOOL},
    "look_up_mve": {},
    "max_pool_mve": {0: BOOL},
    "linear_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL},
    "add_dsp": {0: BOOL, 1: BOOL, 2: ("0", "1", "3"), 3: SATURATIONS, 4: BOOL},
    "requantise_dsp": {0: BOOL, 1: ("0", "1", "5"), 2: SATURATIONS, 3: BOOL},
    "mean_dsp": {0: BOOL, 1: BOOL, 2: ROUNDING, 3: SATURATIONS, 4: BOOL},
    "average_pool_dsp": {0: BOOL, 1: BOOL, 2: ROUNDING, 3: SATURATIONS, 4: BOOL},
    "max_pool_dsp": {0: BOOL},
}


#: operator and features of a core
TARGETS = [*((op, ("dsp",)) for op in OPS), *((op, ("dsp", "mve")) for op in KERNELS_MVE)]


@pytest.mark.sample(8)
@pytest.mark.parametrize(("op", "features"), TARGETS)
@pytest.mark.parametrize("cc", [pytest.param(c, marks=[pytest.mark.heavy] if c != "gcc" else []) for c in compilers()])
def test_in_c_under_sanitizers(op: str, features: tuple[str, ...], cc: str, tmp_path: Path) -> None:
    """The drivers and the C meaning of the assembler; every buffer has its exact size."""
    cases = dsp_cases.single(dsp_cases.BATCHES[op](1, 8 if op == "first" else 30))
    assert not any(wrong_in_c(cases, tmp_path, features, cc=cc))


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("op", "count"),
    [*((o, 4) for o in ROLLING), *(pytest.param(o, 60, marks=pytest.mark.heavy) for o in ROLLING)],
)
def test_in_c_over_the_input(op: str, count: int, tmp_path: Path) -> None:
    """y rolls over x where the kernel allows it: every pixel of a window is read before its bytes are written."""
    cases = [c for c in dsp_cases.single(dsp_cases.BATCHES[op](7, 8 * count)) if rolls(c[0])][:count]
    assert len(cases) == count
    assert not any(wrong_in_c(cases, tmp_path, in_place=True))


def rolls(graph: Graph) -> bool:
    """Whether the output may lie over the input."""
    (step,) = steps_of(graph)
    return bool(overwritten(graph, graph.nodes[0], step))


@pytest.mark.parametrize("op", ["conv", "depthwise"])
def test_windows_roll_over_their_input(op: str, tmp_path: Path) -> None:
    """Some wait for a few pixels, some need not wait at all; with one pair of pixels less a result is wrong."""
    cases = [c for c in dsp_cases.single(dsp_cases.BATCHES[op](1, 60)) if rolls(c[0])]
    waits = [steps_of(graph)[0].params["hold"] for graph, _ in cases]
    assert len(waits) > 8
    assert max(waits) > 2
    assert op == "depthwise" or min(waits) == 0
    least = 4 if op == "conv" else 2
    few = [c for c, w in zip(cases, waits, strict=True) if w >= least][:6]

    def hasty(step: Step) -> Step:
        return replace(step, params={**step.params, "hold": step.params["hold"] - least // 2})

    assert any(wrong_in_c(few, tmp_path, in_place=True, mutate=hasty))


def test_a_chain_of_windows_needs_one_map(tmp_path: Path) -> None:
    """Fixed-point layers over their inputs, on a core: the arena is one map and what waits, far from two maps."""
    rng, b, fmt = np.random.default_rng(3), GraphBuilder("chain"), FixedPoint(8, 4)
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    name = b.input("x", (20, 20, 8), fmt)
    for i, groups in enumerate((1, 8, 1)):
        w = b.constant(f"w{i}", rng.integers(-128, 128, (8, 3, 3, 8 // groups)), FixedPoint(8, 7))
        name = b.node("conv", f"c{i}", [name, w], fmt, groups=groups, **window)
    graph = b.build([name])
    made = build(graph, "cortex-m4", tmp_path / "out")
    assert made.program.plan.in_place == {"c0": "x", "c1": "c0", "c2": "c1"}
    assert made.arena < 3200 * 5 // 4
    tiny.runner(load_board("cortex-m4"), "unicorn")
    inputs = {"x": rng.integers(-128, 128, (2, 20, 20, 8))}
    found, want = trace(made, inputs, runner="unicorn"), reference(graph, inputs)
    np.testing.assert_array_equal(found["c2"], want["c2"])


@pytest.mark.sample(8)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("board", "toolchain", "runner", "optimize"),
    [
        ("cortex-m4", "gcc", "unicorn", "-O2"),
        ("cortex-m4", "zig", "unicorn", "-O2"),
        pytest.param("cortex-m4", "gcc", "qemu", "-O3", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "gcc", "qemu", "-O0", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "gcc", "qemu", "-Os", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "zig", "qemu", "-O0", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "zig", "qemu", "-Os", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "zig", "qemu", "-O3", marks=pytest.mark.heavy),
        pytest.param("cortex-m7", "gcc", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m7", "zig", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m33", "gcc", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m33", "zig", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m55", "gcc", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m55", "zig", "qemu", "-O2", marks=pytest.mark.heavy),
    ],
)
def test_on_cores(op: str, board: str, toolchain: str, runner: str, optimize: str, tmp_path: Path) -> None:
    seed = {"-O0": 2, "-O2": 3, "-O3": 4, "-Os": 5}[optimize] + 10 * len(toolchain)
    batch = dsp_cases.BATCHES[op](seed, 60)
    assert wrong_on_core(batch, board, toolchain, runner, optimize, tmp_path) == []


@pytest.mark.parametrize(("op", "features"), TARGETS)
def test_cases_run_on_fast_kernels_and_reach_every_path(op: str, features: tuple[str, ...]) -> None:
    steps = steps_of(dsp_cases.BATCHES[op](1, 120).graph(), features)
    fast = [s for s in steps if s.variant == features[-1]]
    assert len(fast) > 0.9 * len(steps), [s.why for s in steps if s.variant != features[-1]]
    seen = {(s.kernel, i, argument) for s in fast for i, argument in enumerate(s.fixed)}
    want = KERNELS_MVE[op] if "mve" in features else KERNELS.get(op, {f"{op}_dsp"})
    assert {s.kernel for s in fast} == want
    for kernel in want:
        for i, values in ARGUMENTS[kernel].items():
            assert {(kernel, i, v) for v in values} <= seen


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("features", [(), ("fpu",)])
def test_cores_without_dsp_never_get_these_kernels(op: str, features: tuple[str, ...]) -> None:
    for step in steps_of(dsp_cases.BATCHES[op](1, 20).graph(), features):
        assert step.variant == "portable"
        assert "the core has no DSP instructions" in step.why


def spoiled(step: Step) -> Step:
    """The step with one bit changed in a stream, another rounding constant, or the other sign of its input."""
    stream, start = step.params.get("stream"), step.params.get("start")
    if isinstance(stream, Blob):
        data = stream.data.copy()
        data[:4] ^= np.uint32(0x40000)
        return replace(step, params={**step.params, "stream": replace(stream, data=data)})
    if isinstance(start, int):
        return replace(step, params={**step.params, "start": start + 1000})
    return replace(step, fixed=("false" if step.fixed[0] == "true" else "true", *step.fixed[1:]))


@pytest.mark.sample(6)
@pytest.mark.parametrize("op", [pytest.param(o, marks=[pytest.mark.heavy] if o == "first" else []) for o in OPS])
def test_faults_are_found(op: str, tmp_path: Path) -> None:
    cases = dsp_cases.single(dsp_cases.BATCHES[op](1, 12))
    bad = sum(map(bool, wrong_in_c(cases, tmp_path, mutate=spoiled)))
    assert bad > len(cases) // 2
