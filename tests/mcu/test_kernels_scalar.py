"""Kernels for cores that make one product at a time against the meaning of their operators, in C and on the cores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.formats import Affine, FixedPoint
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import lower
from edgeq.mcu.step import Blob, Step
from tests.mcu import dsp_cases, scalar_cases, tiny
from tests.mcu.kernel_checks import steps_of, wrong, wrong_in_c, wrong_on_core
from tests.mcu.kernel_driver import compilers, run_graphs

OPS = sorted(scalar_cases.BATCHES)
CORES = ("thumb1", "thumb2", "rv32m")
BOOL = ("true", "false")
#: core -> place of a fixed argument of conv_scalar -> values that must occur
ARGUMENTS = {
    "thumb1": {0: ("EQ_SCALAR_EIGHT", "EQ_SCALAR_PAIRS"), 1: BOOL, 2: ("false",), 3: BOOL},
    "thumb2": {0: ("EQ_SCALAR_EIGHT", "EQ_SCALAR_FOUR"), 1: BOOL, 2: BOOL, 3: BOOL},
    "rv32m": {0: ("EQ_SCALAR_EIGHT", "EQ_SCALAR_FOUR"), 1: BOOL, 2: BOOL, 3: BOOL},
}


HEAVY = pytest.mark.heavy
#: what is always tested in C, and on cores at -O2; the rest is heavy
ALWAYS_IN_C = {("conv", "rv32m"), *((op, "thumb1") for op in ("conv", "depthwise", "linear", "sums"))}
ALWAYS_ON_CORES = {
    *((op, "cortex-m0") for op in ("conv", "depthwise", "linear", "fixed conv")),
    *((op, "riscv32") for op in ("conv", "depthwise")),
    ("conv", "cortex-m3"),
}
#: what other compilers and optimisation levels are tried with
OFTEN = ("conv", "depthwise", "linear")
IN_C = [
    pytest.param(op, core, cc, marks=[] if cc == "gcc" and (op, core) in ALWAYS_IN_C else [HEAVY])
    for op in OPS
    for core in CORES
    for cc in compilers()
    if cc == "gcc" or (op in OFTEN and core != "thumb2")
]
BUILDS = (
    ("cortex-m0", "gcc", "unicorn", "-O2"),
    ("riscv32", "gcc", "qemu", "-O2"),
    ("cortex-m3", "gcc", "unicorn", "-O2"),
    ("cortex-m0", "gcc", "qemu", "-O3"),
    ("cortex-m0", "gcc", "qemu", "-O0"),
    ("cortex-m0", "zig", "unicorn", "-Os"),
    ("cortex-m0", "zig", "qemu", "-O0"),
    ("riscv32", "gcc", "qemu", "-O0"),
    ("riscv32", "gcc", "qemu", "-Os"),
    ("riscv32", "zig", "qemu", "-O2"),
    ("riscv32", "zig", "qemu", "-O0"),
    ("cortex-m3", "gcc", "qemu", "-O0"),
    ("cortex-m3", "zig", "qemu", "-O3"),
)
#: builds that every operator is tried with
COMMON = BUILDS[:3]
ON_CORES = [
    pytest.param(op, *made, marks=[] if made in COMMON and (op, made[0]) in ALWAYS_ON_CORES else [HEAVY])
    for op in OPS
    for made in (BUILDS if op in OFTEN else COMMON)
]
#: finding the line through two operands takes as long as many other nodes
COUNTS = {"sums": 20}


def cases_of(op: str, seed: int, count: int) -> scalar_cases.Scaled | dsp_cases.Batch:
    return scalar_cases.BATCHES[op](seed, min(count, COUNTS.get(op, count)))


@pytest.mark.sample(2)
@pytest.mark.parametrize(("op", "core", "cc"), IN_C)
def test_in_c_under_sanitizers(op: str, core: str, cc: str, tmp_path: Path) -> None:
    """The drivers and the C meaning of the assembler; every buffer has its exact size."""
    cases = dsp_cases.single(cases_of(op, 1, 30))
    assert not any(wrong_in_c(cases, tmp_path, (core,), cc=cc))


@pytest.mark.sample(3)
@pytest.mark.parametrize(("op", "board", "toolchain", "runner", "optimize"), ON_CORES)
def test_on_cores(op: str, board: str, toolchain: str, runner: str, optimize: str, tmp_path: Path) -> None:
    seed = {"-O0": 2, "-O2": 3, "-O3": 4, "-Os": 5}[optimize] + 10 * len(toolchain)
    assert wrong_on_core(cases_of(op, seed, 45), board, toolchain, runner, optimize, tmp_path) == []


@pytest.mark.parametrize("core", [pytest.param(core, marks=[HEAVY] if core == "thumb2" else []) for core in CORES])
@pytest.mark.parametrize("op", OPS)
def test_cases_run_on_these_kernels(op: str, core: str) -> None:
    steps = steps_of(cases_of(op, 1, 120).graph(), (core,))
    fast = [s for s in steps if s.variant == "scalar"]
    # Windows with dilation are among the cases of fixed point.
    assert len(fast) > (0.5 if op == "fixed depthwise" else 0.9) * len(steps), {s.why for s in steps if s not in fast}
    if "conv" in op:
        for i, values in ARGUMENTS[core].items():
            assert {s.fixed[i] for s in fast if s.kernel == "conv_scalar"} >= set(values)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("features", [(), ("fpu",), ("dsp",), ("dsp", "mve")])
def test_other_cores_never_get_these_kernels(op: str, features: tuple[str, ...]) -> None:
    assert {s.variant for s in steps_of(cases_of(op, 1, 20).graph(), features)} <= {"portable", *features}


def spoiled(step: Step) -> Step:
    """The step with one bit changed in a weight that each window meets."""
    weight = step.params["weight"]
    assert isinstance(weight, Blob)
    data = weight.data.copy()
    data[0] ^= np.asarray(0x40, dtype=data.dtype)
    return replace(step, params={**step.params, "weight": replace(weight, data=data)})


@pytest.mark.parametrize("op", ["conv", "depthwise", "linear"])
def test_a_changed_weight_is_found(op: str, tmp_path: Path) -> None:
    """Where no bias drowns the products."""
    cases = [case for case in dsp_cases.single(scalar_cases.BATCHES[op](1, 40)) if len(case[0].nodes[0].inputs) == 2]
    bad = sum(map(bool, wrong_in_c(cases, tmp_path, ("thumb1",), mutate=spoiled)))
    assert bad > len(cases) // 2


def one(bias: int, shift: int = 40, rounding: str = "tflite", weight: int = 100) -> Graph:
    """One product and a bias before a multiplier."""
    b = GraphBuilder("one")
    x, w = b.input("x", (1,), Affine(8, True, 0, 0.5)), b.constant("w", np.array([[weight]]), Affine(8, True, 0, 0.5))
    c = b.constant("c", np.array([bias]), Affine(32, True, 0, 0.25))
    stage = {"multiplier": (1 << 30,), "shift": (shift,), "rounding": rounding}
    return b.build([b.node("linear", "y", [x, w, c], Affine(8, True, 0, 1.0), **stage)])


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (one(scalar_cases.MOST_SUM - 12801), None),
        (one(scalar_cases.MOST_SUM - 12700), "bits; it has 30"),
        (one(-scalar_cases.MOST_SUM + 12600), "bits; it has 30"),
        (one(0, shift=31), "its shifts begin at 32"),
        (one(0, rounding="half_up"), "it rounds as TensorFlow Lite does"),
    ],
)
def test_what_does_not_fit_is_refused(graph: Graph, reason: str | None) -> None:
    step = lower(graph, graph.nodes[0], analyse(graph), ("thumb1",))
    assert step is not None
    assert step.variant == ("scalar" if reason is None else "portable")
    assert reason is None or reason in step.why


def test_ties_and_edges_of_the_output_stage(tmp_path: Path) -> None:
    """Sums at both ends of what is allowed and around ties, in C and on a Cortex-M0."""
    edge = scalar_cases.MOST_SUM - 1
    ties = [k * 1024 + d for k in (-3, -1, 0, 1, 2) for d in (-513, -512, -511, -1, 0, 1, 511, 512, 513)]
    values = np.array([*ties, edge, -edge, edge - 1, -edge + 1])
    b = GraphBuilder("ties")
    x = b.input("x", (1,), Affine(8, True, 0, 0.5))
    w = b.constant("w", np.zeros((len(values), 1), np.int64), Affine(8, True, 0, 0.5))
    c = b.constant("c", values, Affine(32, True, 0, 0.25))
    names = []
    for m, shift in ((1 << 30, 40), ((1 << 31) - 1, 41), ((1 << 31) - 1, 62), (1, 32), (0xFFFF8000, 41)):
        stage = {"multiplier": (m & 0x7FFFFFFF,), "shift": (shift,), "rounding": "tflite"}
        names.append(b.node("linear", f"y{len(names)}", [x, w, c], Affine(8, True, 3, 1.0), **stage))
    graph, data = b.build(names), {"x": np.array([[5]])}
    assert {s.variant for s in steps_of(graph, ("thumb1",))} == {"scalar"}
    for core in CORES:
        (found,) = run_graphs([(graph, data)], tmp_path / core, features=(core,))
        assert wrong(graph, data, found, (core,)) == []
    tiny.toolchain(load_board("cortex-m0"), "gcc")
    made = build(graph, "cortex-m0", tmp_path / "out")
    assert wrong(graph, data, trace(made, data, runner="unicorn"), ("thumb1",)) == []
    assert len(np.unique(reference(graph, data)["y0"])) > 3


@pytest.mark.parametrize("code", [127, -128])
def test_long_pixels_of_one_code(code: int, tmp_path: Path) -> None:
    """What is summed in parts of a word holds the greatest sums that there are."""
    n = 1100
    b = GraphBuilder("long")
    x = b.input("x", (2, n), Affine(8, True, -128, 0.5))
    w = b.constant("w", np.tile(np.array([[1], [-1], [0]]), (1, n)), Affine(8, True, 0, 0.5))
    stage = {"multiplier": (1 << 30,), "shift": (42,), "rounding": "tflite"}
    graph = b.build([b.node("linear", "y", [x, w], Affine(8, True, 0, 1.0), **stage)])
    data = {"x": np.full((1, 2, n), code)}
    for core in CORES:
        (found,) = run_graphs([(graph, data)], tmp_path / core, features=(core,))
        assert steps_of(graph, (core,))[0].variant == "scalar"
        assert wrong(graph, data, found, (core,)) == []


@pytest.mark.parametrize(
    ("bias", "variant"), [((1 << 31) - 1 - 16384 - 128, "scalar"), ((1 << 31) - 16384 - 128, "portable")]
)
def test_sums_of_fixed_point_up_to_the_edge(bias: int, variant: str, tmp_path: Path) -> None:
    """A sum that is only clamped may be as great as leaves room for the least code."""
    b = GraphBuilder("edge")
    x, w = b.input("x", (1,), FixedPoint(8, 0)), b.constant("w", np.array([[-128]]), FixedPoint(8, 0))
    c = b.constant("c", np.array([bias]), FixedPoint(32, 0))
    graph, data = b.build([b.node("linear", "y", [x, w, c], FixedPoint(8, 0))]), {"x": np.array([[-128], [127]])}
    assert {s.variant for s in steps_of(graph, ("thumb1",))} == {variant}
    tiny.toolchain(load_board("cortex-m0"), "gcc")
    made = build(graph, "cortex-m0", tmp_path / "out")
    assert wrong(graph, data, trace(made, data, runner="unicorn"), ("thumb1",)) == []
