"""Means and average pools of fixed-point bytes with Helium against their meaning, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import lower
from edgeq.mcu.step import Step
from tests.mcu import tiny
from tests.mcu.kernel_driver import run_graphs

FEATURES = ("dsp", "mve")
KERNEL = "average_pool_scaled_mve"
Case = tuple[Graph, dict[str, np.ndarray]]


def case(op: str, seed: int) -> Case:
    """One node that the kernel takes: bytes of one sign, 8 channels and more, steps that grow by 1 to 16."""
    rng, b = np.random.default_rng([seed, len(op)]), GraphBuilder("means")
    sign = bool(rng.integers(2))
    x, y = FixedPoint(int(rng.integers(4, 9)), 4, sign), FixedPoint(int(rng.integers(3, 9)), 4, sign)
    shape = (*(int(n) for n in rng.integers(2, 8, 2)), int(rng.choice([8, 9, 15, 16, 24])))
    finer = int(rng.integers(5))
    if op == "mean":
        shape = (16, 16, shape[2]) if rng.integers(4) == 0 else shape
        attrs = {"axes": ((0,), (0, 1))[int(rng.integers(2))], "keep_axes": int(rng.integers(2))}
    else:
        padding = tuple(int(rng.integers(2)) for _ in range(4))
        attrs = {"kernel": (2, 2), "stride": tuple(int(n) for n in rng.integers(1, 3, 2)), "padding": padding}
        attrs["include_pad"] = int(rng.integers(2))
        finer = finer if attrs["include_pad"] or not any(padding) else 0
    if rng.integers(3) == 0:
        attrs["lo"] = 0
    name = b.node(op, "y", [b.input("x", shape, x)], y.per_tensor(4 - finer), **attrs)
    codes = rng.integers(x.code_range[0], x.code_range[1] + 1, (3, *shape))
    codes[0] = rng.choice(x.code_range, shape)
    return b.build([name]), {"x": codes}


def step_of(graph: Graph) -> Step:
    step = lower(graph, graph.nodes[0], analyse(graph), FEATURES)
    assert step is not None
    return step


@pytest.mark.parametrize("op", ["mean", "average_pool"])
def test_in_c_under_sanitizers(op: str, tmp_path: Path) -> None:
    cases = [case(op, seed) for seed in range(16)]
    assert {step_of(graph).kernel for graph, _ in cases} == {KERNEL}
    for (graph, data), found in zip(cases, run_graphs(cases, tmp_path, features=FEATURES), strict=True):
        np.testing.assert_array_equal(found["y"], reference(graph, data)["y"], err_msg=str(graph.nodes[0]))


def test_a_wrong_divisor_is_found(tmp_path: Path) -> None:
    cases = [case("mean", seed) for seed in range(6)]

    def wrong(step: Step) -> Step:
        return replace(step, params={**step.params, "divisor": step.params["divisor"] + 1})

    found = run_graphs(cases, tmp_path, features=FEATURES, mutate=wrong)
    differ = [not np.array_equal(f["y"], reference(g, d)["y"]) for (g, d), f in zip(cases, found, strict=True)]
    assert sum(differ) > 3


@pytest.mark.parametrize("op", ["mean", "average_pool"])
def test_on_a_core(op: str, tmp_path: Path) -> None:
    board = load_board("cortex-m55")
    tiny.toolchain(board, "gcc")
    tiny.runner(board, "qemu")
    graph, data = case(op, 3)
    made = build(graph, board, tmp_path / "out", toolchain="gcc")
    np.testing.assert_array_equal(trace(made, data, runner="qemu")["y"], reference(graph, data)["y"])


def test_other_rules_and_signs_are_left_to_other_kernels() -> None:
    b = GraphBuilder("others")
    x, u = FixedPoint(8, 4), FixedPoint(8, 4, False)
    ins = [b.input(f"x{i}", (3, 3, 8), x) for i in range(4)]
    mean = {"axes": (0, 1), "keep_axes": 0}
    names = [
        b.node("mean", "even", [ins[0]], x, rounding="half_even", **mean),
        b.node("mean", "sign", [ins[1]], u, **mean),
        b.node("mean", "finer", [ins[2]], FixedPoint(8, 5), **mean),
        b.node("mean", "last", [ins[3]], x, axes=(1, 2), keep_axes=0),
    ]
    graph = b.build(names)
    for node in graph.nodes:
        step = lower(graph, node, analyse(graph), FEATURES)
        assert step is not None
        assert step.kernel != KERNEL
        assert f"not {KERNEL}" in step.why
