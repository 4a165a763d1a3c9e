"""Weights with group scales in C: every tensor is the emulator's, a changed shift is found, codes stay packed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import UnsupportedError
from edgeq.formats import MX, NAMED, FixedPoint, Grouped, Minifloat, grouped
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.ops import lower
from edgeq.mcu.step import Blob, Step
from edgeq.verify.random_graphs import random_inputs
from tests.differential.test_groups import cases
from tests.mcu.kernel_cases import Case
from tests.mcu.kernel_checks import differs
from tests.mcu.kernel_driver import compilers

#: enough for equality; the heavy test has the sanitizers
QUICK = ("-O0",)


def random_cases(first: int, count: int) -> list[Case]:
    """Graphs of which each has group scales."""
    return [(case.graph, dict(case.inputs)) for case in cases(first, count)]


def every_mx_format() -> Graph:
    """A convolution and a linear layer in each MX format, 40 input channels in groups of 32."""
    rng, b = np.random.default_rng(5), GraphBuilder("mx")
    outputs = []
    for number, (name, element) in enumerate(MX.items()):
        x = b.input(f"x_{name}", (3, 4, 40), FixedPoint(8, 4))
        for op, shape in (("conv", (6, 3, 2, 40)), ("linear", (5, 40))):
            fmt = grouped(element, 32, rng.integers(0, 4 if number % 2 else 1, (*shape[:-1], 2)))
            top = int(element.from_grid(np.array([element.grid_range[1]]))[0])
            codes = rng.integers(0, top, shape)
            if isinstance(element, Minifloat):
                codes |= rng.integers(0, 2, shape) << (element.bits - 1)
            w = b.constant(f"w_{op}_{name}", codes, fmt)
            window = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1), "groups": 1}
            outputs.append(b.node(op, f"{op}_{name}", (x, w), FixedPoint(16, 3), **(window if op == "conv" else {})))
    return b.build(outputs)


def test_every_mx_format(tmp_path: Path) -> None:
    graph = every_mx_format()
    assert not differs([(graph, random_inputs(graph, np.random.default_rng(2), 2))], tmp_path, flags=QUICK)


@pytest.mark.heavy
def test_random_graphs_with_groups(tmp_path: Path) -> None:
    assert not differs(random_cases(0, 3), tmp_path, flags=QUICK)


@pytest.mark.heavy
@pytest.mark.parametrize("cc", compilers())
def test_many_random_graphs_with_groups(cc: str, tmp_path: Path) -> None:
    assert not differs(random_cases(1000, 20), tmp_path, cc=cc)


def layer(op: str = "linear", fmt: Grouped | None = None) -> Graph:
    """One layer of 64 inputs, on one pixel where it is linear, and 8 outputs in E2M1, in groups of 16."""
    b, rng = GraphBuilder("one"), np.random.default_rng(1)
    shape = (8, 64) if op == "linear" else (8, 1, 64)
    window = {"stride": (1,), "padding": (0, 0), "dilation": (1,), "groups": 1}
    window |= {"output_padding": (0,)} if op == "conv_transpose" else {}
    x = b.input("x", (64,) if op == "linear" else (3, 64), FixedPoint(8, 4))
    fmt = grouped(NAMED["e2m1"], 16, rng.integers(0, 3, (8, 4))) if fmt is None else fmt
    w = b.constant("w", rng.integers(1, 8, shape), fmt)
    return b.build([b.node(op, "fc", (x, w), FixedPoint(16, 3), "head", **({} if op == "linear" else window))])


def step(graph: Graph, *features: str) -> Step:
    found = lower(graph, graph.nodes[0], analyse(graph), features)
    assert found is not None
    return found


@pytest.mark.parametrize("op", ["linear", "conv"])
@pytest.mark.parametrize("features", [(), ("dsp",), ("dsp", "mve")])
def test_grids_beyond_32_bits_go_group_by_group(op: str, features: tuple[str, ...]) -> None:
    """On every core: kernels that expand weights have no room for them."""
    shifts = np.zeros((8, 4) if op == "linear" else (8, 1, 4), dtype=np.int64)
    shifts[0, ..., 0] = 29
    assert step(layer(op, grouped(NAMED["e2m1"], 16, shifts)), *features).kernel == "conv_groups"


@pytest.mark.sample(2)
@pytest.mark.parametrize(("op", "kernel"), [("linear", "conv_groups"), ("conv", "conv_expanded")])
def test_a_changed_shift_is_found(op: str, kernel: str, tmp_path: Path) -> None:
    graph = layer(op)
    assert step(graph).kernel == kernel
    case: Case = (graph, {"x": np.full((1, *graph.values["x"].shape), 16)})

    def mutate(step: Step) -> Step:
        old = step.params["scale"]
        assert isinstance(old, Blob)
        data = old.data.copy()
        data[3] ^= 0x10
        return replace(step, params={**step.params, "scale": replace(old, data=data)})

    assert not differs([case], tmp_path / "right", flags=QUICK)
    assert differs([case], tmp_path / "wrong", flags=QUICK, mutate=mutate) == ["one fc"]


def test_codes_stay_packed_with_a_nibble_for_each_group() -> None:
    made = step(layer())
    weight, scale = made.params["conv.weight"], made.params["scale"]
    assert isinstance(weight, Blob)
    assert isinstance(scale, Blob)
    # One byte more than the codes fill, because two are read at a time.
    assert weight.data.nbytes == 8 * 64 // 2 + 1
    assert scale.data.nbytes == 8 * 4 // 2 + 1
    assert made.kernel == "conv_groups"
    made = step(layer(), "dsp")
    weight, scale = made.params["weight"], made.params["scale"]
    assert isinstance(weight, Blob)
    assert isinstance(scale, Blob)
    assert (weight.data.nbytes, scale.data.nbytes) == (8 * 64 // 2 + 4, 8 * 4 // 2 + 1)
    assert made.kernel == "conv_lanes"
    assert "not linear_dsp: weights e2m1*2^[0..1] in groups of 16" in made.why


def test_shifts_of_zeros_are_left_out(tmp_path: Path) -> None:
    """A shift as wide as the sum is undefined in C, and of zeros it may be any."""
    fmt, b = Grouped(NAMED["e2m1"], 2, (29, 0)), GraphBuilder("zeros")
    x = b.input("x", (4,), FixedPoint(8, 4))
    graph = b.build([b.node("linear", "fc", (x, b.constant("w", [[0, 8, 7, 3]], fmt)), FixedPoint(16, 3))])
    scale = step(graph).params["scale"]
    assert isinstance(scale, Blob)
    assert scale.data.tolist() == [0, 0]
    assert not differs([(graph, {"x": np.arange(-4, 4).reshape(2, 4)})], tmp_path, flags=QUICK)


def test_what_has_no_kernel_for_groups_expands_or_says_why() -> None:
    made = step(layer("conv_transpose"))
    assert made.fixed[1] == "EQ_S(8)"
    with pytest.raises(UnsupportedError, match=r"conv_transpose fc \(layer head\): its weights .* leave 32 bits"):
        step(layer("conv_transpose", Grouped(NAMED["e2m1"], 64, (29,) * 8)))
