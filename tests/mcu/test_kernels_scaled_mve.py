"""Kernels for Helium and scales that are no power of two against the meaning, bit for bit, in C and on the core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.formats import Affine
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import _mve_scaled
from edgeq.mcu.ops._fit import Line, every_code, fit, outputs
from edgeq.mcu.select import Context
from edgeq.mcu.step import Blob, Step
from tests.mcu import tiny
from tests.mcu.dsp_cases import single
from tests.mcu.kernel_checks import steps_of, wrong, wrong_on_core
from tests.mcu.kernel_driver import run_graphs
from tests.mcu.scaled_mve_cases import BATCHES, Batch

OPS = sorted(BATCHES)
FEATURES = ("dsp", "mve")
BOOL = ("true", "false")
RULES = ("EQ_MVE_AWAY", "EQ_MVE_UP", "EQ_MVE_ONCE")
KERNELS = {
    "add": "add_scaled_mve",
    "average_pool": "average_pool_scaled_mve",
    "conv": "conv_scaled_mve",
    "depthwise": "conv_depthwise_scaled_mve",
    "first": "conv_first_mve",
    "fixed": "add_scaled_mve",
    "linear": "linear_scaled_mve",
    "mul": "mul_scaled_mve",
    "pointwise": "conv_pointwise_scaled_mve",
    "requantise": "look_up_mve",
    "sub": "add_scaled_mve",
}
#: kernel -> place of a fixed argument -> values that must occur
ARGUMENTS = {
    "add": {0: ("20", "21", "22", "23"), 1: BOOL, 2: BOOL},
    "average_pool": {0: BOOL, 1: BOOL},
    "conv": {0: BOOL, 1: RULES},
    "depthwise": {0: BOOL, 1: RULES},
    "first": {0: BOOL, 1: RULES, 2: ("1", "2", "3", "4"), 3: ("EQ_MVE_CLAMP", "EQ_MVE_S8", "EQ_MVE_U8")},
    "fixed": {1: BOOL, 2: BOOL},
    "linear": {0: BOOL, 1: BOOL, 2: BOOL, 3: RULES},
    "mul": {0: BOOL, 1: RULES},
    "pointwise": {0: RULES},
    "sub": {0: ("20", "21", "22", "23"), 1: BOOL, 2: BOOL},
}


@pytest.fixture(params=[256, pytest.param(_mve_scaled.SCRATCH, marks=pytest.mark.heavy)], ids=["tight", "roomy"])
def scratch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows in pieces, and rows in one strip."""
    monkeypatch.setattr(_mve_scaled, "SCRATCH", request.param)
    return int(request.param)


def merged(seed: int, count: int) -> Batch:
    """One network of `count` nodes of each kind, so that one build tests them all."""
    whole = Batch("whole", seed)
    for op in OPS:
        part = BATCHES[op](seed, count)
        values, names = part.builder.values, {}
        for name, value in values.items():
            if value.data is not None:
                names[name] = whole.builder.constant(f"{op}_{name}", value.data, value.format)
            elif name in part.inputs:
                names[name] = whole.builder.input(f"{op}_{name}", value.shape, value.format)
                whole.inputs[names[name]] = part.inputs[name]
        for node in part.graph().nodes:
            out = values[node.outputs[0]].format
            inputs = [names[name] for name in node.inputs]
            whole.outputs.append(whole.builder.node(node.op, f"{op}_{node.name}", inputs, out, **node.attrs))
    return whole


@pytest.mark.sample(6)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("cc", ["gcc", pytest.param("clang", marks=pytest.mark.heavy)])
def test_in_c_under_sanitizers(op: str, cc: str, tmp_path: Path) -> None:
    """The drivers and the C meaning of the assembler; every buffer has its exact size."""
    cases = single(BATCHES[op](1, 9))
    found = run_graphs(cases, tmp_path, cc=cc, features=FEATURES)
    results = [wrong(graph, data, f, FEATURES) for (graph, data), f in zip(cases, found, strict=True)]
    assert [line for lines in results for line in lines] == []


@pytest.mark.parametrize("op", ["add", "fixed", "mul", "requantise"])
def test_in_place_gives_the_same(op: str, tmp_path: Path) -> None:
    cases = single(BATCHES[op](2, 8))
    found = run_graphs(cases, tmp_path, flags=["-O1"], features=FEATURES, in_place=True)
    for (graph, data), trace_ in zip(cases, found, strict=True):
        assert np.array_equal(trace_[graph.outputs[0]], reference(graph, data)[graph.outputs[0]])


@pytest.mark.heavy
@pytest.mark.parametrize("op", OPS)
def test_in_c_under_sanitizers_often(op: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mve_scaled, "SCRATCH", 256)
    cases = single(BATCHES[op](7, 16))
    found = run_graphs(cases, tmp_path, features=FEATURES)
    results = [wrong(graph, data, f, FEATURES) for (graph, data), f in zip(cases, found, strict=True)]
    assert [line for lines in results for line in lines] == []


@pytest.mark.parametrize(
    ("toolchain", "optimize", "count"),
    [
        ("gcc", "-O2", 12),
        pytest.param("zig", "-O2", 6, marks=pytest.mark.heavy),
        pytest.param("gcc", "-O0", 6, marks=pytest.mark.heavy),
        pytest.param("gcc", "-O3", 6, marks=pytest.mark.heavy),
        pytest.param("gcc", "-Os", 6, marks=pytest.mark.heavy),
        pytest.param("zig", "-O0", 6, marks=pytest.mark.heavy),
        pytest.param("zig", "-Os", 6, marks=pytest.mark.heavy),
    ],
)
def test_on_the_core(toolchain: str, optimize: str, count: int, scratch: int, tmp_path: Path) -> None:
    seed = {"-O0": 2, "-O2": 3, "-O3": 4, "-Os": 5}[optimize] + 10 * len(toolchain) + scratch
    assert wrong_on_core(merged(seed, count), "cortex-m55", toolchain, "qemu", optimize, tmp_path) == []


@pytest.mark.parametrize("op", OPS)
def test_cases_run_on_these_kernels_and_reach_every_path(op: str) -> None:
    steps = [s for seed in (1, 3) for s in steps_of(BATCHES[op](seed, 60).graph(), FEATURES)]
    fast = [s for s in steps if s.kernel == KERNELS[op]]
    assert len(fast) > 0.9 * len(steps), [s.why for s in steps if s.kernel != KERNELS[op]]
    seen = {(i, argument) for s in fast for i, argument in enumerate(s.fixed)}
    assert {(i, v) for i, values in ARGUMENTS.get(op, {}).items() for v in values} <= seen


def test_strips_hold_one_row_two_and_four_and_pieces_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mve_scaled, "SCRATCH", 256)
    rows = {s.params["rows"] for s in steps_of(BATCHES["depthwise"](3, 60).graph(), FEATURES)}
    assert rows == {1, 2, 4}
    steps = [s for s in steps_of(BATCHES["conv"](3, 60).graph(), FEATURES) if s.kernel == "conv_scaled_mve"]
    assert any(s.params["chunk"] < s.params["out_w"] for s in steps)  # type: ignore[operator]


@pytest.mark.parametrize("op", OPS)
def test_cores_without_helium_never_get_these_kernels(op: str) -> None:
    for features in ((), ("dsp",)):
        steps = steps_of(BATCHES[op](1, 10).graph(), features)
        assert all(s.variant != "mve" for s in steps)


def spoiled(step: Step) -> Step:
    """The step with one bit changed in a stream or a table, or another start value or zero point."""
    for name in ("stream", "layer.stream", "table"):
        blob = step.params.get(name)
        if isinstance(blob, Blob):
            data = blob.data.copy()
            data[: 16 if "stream" in name else 256] ^= data.dtype.type(0x40404040 & np.iinfo(data.dtype).max)
            return replace(step, params={**step.params, name: replace(blob, data=data)})
    name = next(key for key in ("start", "a_zero", "x_zero") if key in step.params)
    by = 1 << 22 if name == "start" else 40
    return replace(step, params={**step.params, name: int(step.params[name]) + by})  # type: ignore[call-overload]


@pytest.mark.parametrize("op", OPS)
def test_faults_are_found(op: str, tmp_path: Path) -> None:
    cases = single(BATCHES[op](1, 12))
    found = run_graphs(cases, tmp_path, flags=["-O1"], features=FEATURES, mutate=spoiled)
    bad = sum(bool(wrong(graph, data, f, FEATURES)) for (graph, data), f in zip(cases, found, strict=True))
    assert bad > len(cases) // 2


def test_a_fault_in_flash_is_found_on_the_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight of the first block of a linear layer."""
    board = load_board("cortex-m55")
    tiny.toolchain(board, "gcc")
    tiny.runner(board, "qemu")
    batch = BATCHES["linear"](4, 3)
    graph = batch.graph()
    made_of = _mve_scaled.stream

    def other(*args: Any) -> Any:
        words = made_of(*args)
        words[0] ^= 0x40
        return words

    monkeypatch.setattr(_mve_scaled, "stream", other)
    made = build(graph, board, tmp_path / "out", toolchain="gcc")
    monkeypatch.undo()
    assert wrong(graph, batch.inputs, trace(made, batch.inputs, runner="qemu"), board.isa)


def why(graph: Graph) -> str:
    return steps_of(graph, FEATURES)[0].why


def conv_graph(
    weight: np.ndarray, bias: int = 0, zero: int = 0, shift: tuple[int, ...] = (40,), channels: int = 4, **attrs: Any
) -> Graph:
    b = GraphBuilder("one")
    names = [b.input("x", (6, 6, channels), Affine(8, True, zero, 0.5))]
    names.append(b.constant("w", weight, Affine(8, True, 0, 0.5)))
    names.append(b.constant("b", np.full(len(weight), bias), Affine(32, True, 0, 0.25)))
    fixed = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1, "rounding": "tflite"} | attrs
    multiplier = (1 << 30,) * len(shift)
    out = Affine(8, True, 0, 0.5)
    return b.build([b.node("conv", "y", names, out, multiplier=multiplier, shift=shift, **fixed)])


ONES = np.ones((2, 1, 1, 4), dtype=np.int64)


@pytest.mark.parametrize(
    ("graph", "kernel", "reason"),
    [
        (conv_graph(ONES, bias=(1 << 31) - 1 - 4 * 127), "conv_scaled_mve", ""),
        (conv_graph(ONES, bias=(1 << 31) - 4 * 127), "", "the sum needs 33 bits; it has 32"),
        (conv_graph(ONES, bias=-(1 << 31) + 4 * 128), "conv_scaled_mve", ""),
        (conv_graph(ONES, bias=-(1 << 31) + 4 * 128 - 1), "", "the sum needs 33 bits; it has 32"),
        (conv_graph(ONES, shift=(30,)), "", "rounds tflite by shifts [30]"),
        (conv_graph(ONES, shift=(31, 31)), "conv_scaled_mve", ""),
        (conv_graph(ONES, shift=(31, 40)), "", "rounds tflite by shifts [31, 40]"),
        (conv_graph(ONES, shift=(31, 40), lo=0), "conv_scaled_mve", ""),
        (conv_graph(ONES, rounding="half_up", shift=(31, 40)), "", "rounds half_up by shifts [31, 40]"),
        (conv_graph(ONES, rounding="half_even"), "", "rounds half_even by shifts [40]"),
        (conv_graph(np.ones((2, 1, 2, 4), np.int64), dilation=(1, 2)), "", "its columns lie side by side"),
        (conv_graph(np.ones((2, 2, 1, 4), np.int64), dilation=(2, 2)), "conv_scaled_mve", ""),
        (conv_graph(np.ones((4, 3, 3, 1), np.int64), groups=4), "conv_depthwise_scaled_mve", ""),
        (conv_graph(np.ones((4, 5, 4, 1), np.int64), groups=4), "", "kernel (5, 4); it has 16 taps"),
        (conv_graph(np.ones((3, 3, 3, 1), np.int64), groups=3, channels=3), "", "3 channels; it takes 4 or more"),
        (conv_graph(np.ones((2, 1, 1, 2), np.int64), groups=2), "", "2 groups; it has one"),
    ],
)
def test_what_they_take_and_refuse(graph: Graph, kernel: str, reason: str, tmp_path: Path) -> None:
    """The ends of what is proved, each side of them; and what is taken is right with all inputs at an end."""
    found = why(graph)
    assert (found.split(":")[0] == kernel) if kernel else (reason in found and "_mve:" not in found.split(";")[0])
    if kernel:
        inputs = {"x": np.stack([np.full((6, 6, graph.values["x"].shape[-1]), code) for code in (-128, 127)])}
        assert wrong(graph, inputs, run_graphs([(graph, inputs)], tmp_path, features=FEATURES)[0], FEATURES) == []


def context(graph: Graph) -> Context:
    return Context(graph, graph.nodes[0], analyse(graph), frozenset(FEATURES))


@pytest.mark.parametrize("op", ["add", "fixed", "sub"])
def test_a_line_gives_the_sum_of_every_pair_of_codes(op: str) -> None:
    for graph, _ in single(BATCHES[op](5, 8)):
        ctx = context(graph)
        line = fit(ctx, (23, 22, 21, 20)) if len(ctx.ins) == 2 else None
        if line is None:
            continue
        formats = [v.format for v in (*ctx.ins, ctx.out)]
        a, b = (grid.reshape(-1) for grid in np.meshgrid(*(every_code(f) for f in formats[:2]), indexing="ij"))
        want = outputs(ctx.node, formats, (a, b))
        lo, hi = formats[2].code_range
        bounds = want.min(), want.max()
        assert lo <= bounds[0] <= bounds[1] <= hi

        def codes(made: Line, x: np.ndarray = a, z: np.ndarray = b, ends: Any = bounds) -> np.ndarray:
            return np.clip((made.a * x + made.b * z + made.start) >> made.shift, *ends)

        assert np.array_equal(codes(line), want)
        if bounds[0] < bounds[1]:
            assert not np.array_equal(codes(replace(line, start=line.start + (1 << line.shift))), want)


def test_a_sum_without_a_line_is_left_to_other_kernels() -> None:
    """Operands rounded so coarsely that no line of 32 bits does the same."""
    b = GraphBuilder("coarse")
    names = [b.input(name, (9,), Affine(8, True, 0, 0.5)) for name in "xz"]
    own = {"left": 0, "a_multiplier": 1 << 30, "a_shift": 32, "b_multiplier": 1 << 30, "b_shift": 32}
    attrs = {"multiplier": (1 << 30,), "shift": (30,), "rounding": "tflite", **own}
    graph = b.build([b.node("add", "y", names, Affine(8, True, 0, 0.5), **attrs)])
    assert "no line of 32 bits gives its codes" in why(graph)
