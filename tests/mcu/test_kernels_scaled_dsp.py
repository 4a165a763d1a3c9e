"""Kernels with DSP for scales that are no power of two against the meaning of their operators, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.formats import Affine
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.ops import lower, overwritten
from edgeq.mcu.step import Blob, Step
from tests.mcu import scaled_dsp_cases
from tests.mcu.dsp_cases import single
from tests.mcu.kernel_checks import steps_of, wrong, wrong_on_core
from tests.mcu.kernel_driver import compilers, run_graphs

OPS = sorted(scaled_dsp_cases.BATCHES)
#: operators whose faults the default tests look for
QUICK = ("add", "linear", "mul")
BOOL = ("true", "false")
SATURATIONS = ("EQ_SAT_S8", "EQ_SAT_U8")
STAGES = ("EQ_STAGE_RELU", "EQ_STAGE_ANY", "EQ_STAGE_ONCE")
KERNELS = {
    "conv": {"conv_scaled_dsp", "conv_first_dsp"},
    "first": {"conv_first_dsp", "conv_scaled_dsp"},
    "depthwise": {"conv_depthwise_scaled_dsp"},
    "linear": {"linear_scaled_dsp", "conv_scaled_dsp"},
    "add": {"add_scaled_dsp", "add_table_dsp"},
    "sub": {"add_scaled_dsp", "add_table_dsp"},
    "mul": {"mul_scaled_dsp"},
    "requantise": {"table"},
    "average_pool": {"average_pool_scaled_dsp"},
    "max_pool": {"max_pool_dsp"},
}
#: kernel -> place of a fixed argument -> values that must occur
ARGUMENTS = {
    "conv_scaled_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL, 4: STAGES},
    "conv_first_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL, 4: STAGES, 5: ("1", "2", "3")},
    "conv_depthwise_scaled_dsp": {0: BOOL, 1: SATURATIONS, 2: BOOL, 3: STAGES},
    "linear_scaled_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL, 4: STAGES, 5: BOOL},
    "add_scaled_dsp": {0: BOOL, 1: BOOL, 3: SATURATIONS, 4: BOOL},
    "add_table_dsp": {0: SATURATIONS, 1: BOOL},
    "mul_scaled_dsp": {0: BOOL, 1: BOOL, 2: SATURATIONS, 3: BOOL, 4: STAGES},
    "table": {0: ("EQ_S(8)", "EQ_U(8)"), 1: ("EQ_S(8)", "EQ_U(8)")},
    "average_pool_scaled_dsp": {0: BOOL, 1: BOOL},
    "max_pool_dsp": {0: BOOL},
}


def differences(op: str, count: int, folder: Path, cc: str, in_place: bool) -> list[str]:
    cases = single(scaled_dsp_cases.BATCHES[op](1, count))
    found = run_graphs(cases, folder, cc=cc, features=("dsp",), in_place=in_place)
    return [line for (graph, data), f in zip(cases, found, strict=True) for line in wrong(graph, data, f)]


@pytest.mark.sample(5)
@pytest.mark.parametrize("op", OPS)
def test_in_c_over_the_input(op: str, tmp_path: Path) -> None:
    """The drivers and the C meaning of the assembler under sanitizers; y lies over x where the kernel allows it."""
    assert differences(op, 6, tmp_path, "gcc", True) == []


@pytest.mark.heavy
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("cc", compilers())
def test_in_c_often(op: str, in_place: bool, cc: str, tmp_path: Path) -> None:
    """The same for more cases; or every buffer has its exact size."""
    assert differences(op, 24, tmp_path, cc, in_place) == []


@pytest.mark.sample(3)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("board", "toolchain", "runner", "optimize"),
    [
        ("cortex-m4", "gcc", "unicorn", "-O2"),
        pytest.param("cortex-m4", "zig", "unicorn", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "gcc", "qemu", "-O3", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "gcc", "qemu", "-O0", marks=pytest.mark.heavy),
        pytest.param("cortex-m4", "zig", "qemu", "-Os", marks=pytest.mark.heavy),
        pytest.param("cortex-m7", "gcc", "qemu", "-O2", marks=pytest.mark.heavy),
        pytest.param("cortex-m33", "gcc", "qemu", "-O2", marks=pytest.mark.heavy),
    ],
)
def test_on_cores(op: str, board: str, toolchain: str, runner: str, optimize: str, tmp_path: Path) -> None:
    seed = {"-O0": 2, "-O2": 3, "-O3": 4, "-Os": 5}[optimize] + 10 * len(toolchain) + 100 * len(runner)
    batch = scaled_dsp_cases.BATCHES[op](seed, 24 if runner == "unicorn" else 60)
    assert wrong_on_core(batch, board, toolchain, runner, optimize, tmp_path) == []


@pytest.mark.parametrize("op", OPS)
def test_cases_run_on_fast_kernels_and_reach_every_path(op: str) -> None:
    steps = [step for seed in range(1, 5) for step in steps_of(scaled_dsp_cases.BATCHES[op](seed, 40).graph())]
    fast = [s for s in steps if s.variant == "dsp"]
    assert len(fast) > 0.7 * len(steps), [s.why for s in steps if s.variant != "dsp"]
    seen = {(s.kernel, i, argument) for s in fast for i, argument in enumerate(s.fixed)}
    assert {s.kernel for s in fast} == KERNELS[op]
    for kernel in KERNELS[op]:
        for i, values in ARGUMENTS[kernel].items():
            assert {(kernel, i, v) for v in values} <= seen


@pytest.mark.parametrize("op", ["conv", "depthwise"])
def test_windows_roll_over_their_input(op: str) -> None:
    """Some wait for a few pixels, and some need not wait at all."""
    waits = []
    for graph, _ in single(scaled_dsp_cases.BATCHES[op](1, 60)):
        (step,) = steps_of(graph)
        if overwritten(graph, graph.nodes[0], step):
            waits.append(step.params["conv.hold"])
    assert len(waits) > 8
    assert max(waits) > 2
    assert op == "depthwise" or min(waits) == 0


@pytest.mark.parametrize("op", OPS)
def test_cores_without_dsp_never_get_these_kernels(op: str) -> None:
    for step in steps_of(scaled_dsp_cases.BATCHES[op](1, 20).graph(), ("fpu",)):
        assert step.variant != "dsp"


def spoiled(step: Step) -> Step:
    """The step with one weight, table or factor changed."""
    params = dict(step.params)
    for key in ("conv.stream", "stream", "table", "a_table"):
        blob = params.get(key)
        if isinstance(blob, Blob):
            data = blob.data.copy()
            if data.dtype == np.uint32:
                data[4:8] ^= np.uint32(0x40404040)
            else:
                data ^= np.array(1 << (4 if data.itemsize == 1 else 22), data.dtype)
            return replace(step, params={**params, key: replace(blob, data=data)})
    for key in ("start", "a_zero", "y_zero"):
        if key in params:
            value = params[key]
            assert isinstance(value, int)
            return replace(step, params={**params, key: value + (1 << 25 if key == "start" else 40)})
    return replace(step, fixed=("false" if step.fixed[0] == "true" else "true", *step.fixed[1:]))


@pytest.mark.parametrize("op", [o if o in QUICK else pytest.param(o, marks=pytest.mark.heavy) for o in OPS])
def test_faults_are_found(op: str, tmp_path: Path) -> None:
    cases = [case for case in single(scaled_dsp_cases.BATCHES[op](1, 6)) if steps_of(case[0])[0].variant == "dsp"]
    found = run_graphs(cases, tmp_path, features=("dsp",), mutate=spoiled)
    bad = sum(bool(wrong(graph, data, f)) for (graph, data), f in zip(cases, found, strict=True))
    assert bad >= len(cases) // 2


def _linear(
    multiplier: int, shift: int, zero: int, bias: int, rounding: str = "tflite", x_zero: int = -128
) -> tuple[Graph, str]:
    """One linear layer of 4 inputs, and why its kernel was chosen."""
    b = GraphBuilder("net")
    x = b.input("x", (4,), Affine(8, True, x_zero, 0.1))
    w = b.constant("w", np.full((4, 4), 127), Affine(8, True, 0, 0.1))
    c = b.constant("b", np.full(4, bias), Affine(32, True, 0, 0.1))
    attrs = {"multiplier": (multiplier,), "shift": (shift,), "rounding": rounding}
    graph = b.build([b.node("linear", "y", [x, w, c], Affine(8, True, zero, 0.1), **attrs)])
    step = lower(graph, graph.nodes[0], analyse(graph), ("dsp",))
    assert step is not None
    return graph, f"{step.kernel}: {step.why}"


@pytest.mark.parametrize(
    ("arguments", "kernel", "why"),
    [
        ((1 << 30, 40, 0, 0), "linear_scaled_dsp", ""),
        (((1 << 30) - 1, 40, 0, 0), "linear_scaled", "a multiplier of 1073741823"),
        ((1 << 30, 30, 0, 0), "linear_scaled", "a shift of 30"),
        ((1 << 30, 31, 0, 0), "linear_scaled", "a shift of 31 without a clip at zero"),
        ((1 << 30, 53, 127, 0), "linear_scaled_dsp", ""),
        ((1 << 30, 56, 127, 0), "linear_scaled", "need more than 32 bits"),
        ((1 << 30, 40, 0, (1 << 31) - 1 - 4 * 255 * 127), "linear_scaled_dsp", ""),
        ((1 << 30, 40, 0, (1 << 31) - 4 * 255 * 127), "linear_scaled", "the sum needs 33 bits"),
        (((1 << 30) + 1, 40, 0, 0, "half_even"), "linear_scaled_dsp", ""),
        ((1 << 30, 40, 0, 0, "half_even"), "linear_scaled", "a sum may be a tie"),
        # 4 * 255 * 127 has 17 bits.
        ((1 << 16, 34, 0, 0, "half_even"), "linear_scaled_dsp", ""),
        ((1 << 17, 34, 0, 0, "half_even"), "linear_scaled", "a sum may be a tie"),
        ((1 << 30, 40, 0, 0, "half_up"), "linear_scaled_dsp", ""),
        ((12345, 33, 0, 0, "half_up"), "linear_scaled_dsp", ""),
        ((12345, 32, 0, 0, "half_up"), "linear_scaled", "a shift of 32"),
        ((1 << 30, 47, 127, 0, "floor"), "linear_scaled_dsp", ""),
        ((1 << 30, 48, 127, 0, "floor"), "linear_scaled", "a shift of 48 with a zero point of 127"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple[Any, ...], kernel: str, why: str) -> None:
    _, found = _linear(*arguments)
    assert found.startswith(f"{kernel}: ")
    assert why in found


@pytest.mark.parametrize("bias", [(1 << 31) - 1 - 4 * 255 * 127, -(1 << 31)])
def test_sums_at_the_ends_of_32_bits(bias: int, tmp_path: Path) -> None:
    graph, found = _linear(1 << 30, 47, 0, bias)
    assert found.startswith("linear_scaled_dsp: ")
    inputs = {"x": np.array([[127, 127, 127, 127], [-128, -128, -128, -128], [5, -7, 100, -100]])}
    (got,) = run_graphs([(graph, inputs)], tmp_path, features=("dsp",))
    assert np.array_equal(got["y"], reference(graph, inputs)["y"])
