"""K-hot weights on cores without a multiplier: equal to the meaning of their layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.formats import FixedPoint, Format, KHot
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import lower
from edgeq.mcu.ops._khot import lists
from edgeq.mcu.step import Blob, Step
from tests.mcu import tiny
from tests.mcu.kernel_cases import codes
from tests.mcu.kernel_checks import wrong, wrong_in_c
from tests.mcu.kernel_driver import compilers

KERNEL, CORE = "conv_khot", ("rv32i",)
INPUTS = (FixedPoint(8, 4), FixedPoint(8, 4, False), FixedPoint(16, 9), FixedPoint(4, 2), FixedPoint(16, 5, False))
#: input, weights, groups, stride, padding, dilation; a linear layer: input, weights
LAYERS = (
    ((7, 6, 4), (5, 3, 3, 4), 1, (1, 2), (1, 1, 1, 1), (1, 1)),
    ((6, 5, 6), (6, 3, 3, 1), 6, (1, 1), (1, 1, 0, 2), (1, 1)),
    ((5, 7, 6), (9, 2, 3, 2), 3, (2, 1), (0, 1, 2, 0), (2, 1)),
    ((4, 4, 5), (7, 1, 1, 5), 1, (1, 1), (0, 0, 0, 0), (1, 1)),
    ((4, 5, 8), (8, 1, 1, 2), 4, (2, 2), (0, 0, 0, 0), (1, 1)),
    ((9, 3), (4, 5, 3), 1, (1,), (2, 2), (1,)),
    ((4, 4, 30), (3, 3, 3, 30), 1, (1, 1), (1, 1, 1, 1), (1, 1)),
    ((1, 1, 3), (2, 3, 3, 3), 1, (1, 1), (1, 1, 1, 1), (1, 1)),
    ((33,), (10, 33)),
    ((3, 17), (5, 17)),
    ((300,), (4, 300)),
)  # fmt: skip


def network(count: int, seed: int = 0) -> tuple[Graph, dict[str, np.ndarray]]:
    """So many layers side by side, each with an input of its own; formats, rules and digits by turns."""
    rng, builder = np.random.default_rng(seed), GraphBuilder("khot")
    inputs, outs = dict[str, np.ndarray](), list[str]()
    for i in range(count):
        shape, weights, *window = LAYERS[i % len(LAYERS)]
        x, kind = INPUTS[(i + i // len(LAYERS)) % len(INPUTS)], KHot(8, 1 + i % 3, ("signed", "binary")[i % 2])
        inputs[f"x{i}"] = codes(x, (2, *shape), rng)
        points = tuple(int(p) for p in rng.integers(4, 8, weights[0]))
        values = rng.choice(np.append(kind.levels, [0, kind.top, -kind.top]), weights)
        operands = [
            builder.input(f"x{i}", shape, x),
            builder.constant(f"w{i}", values, FixedPoint(8, points, True, 0) if i % 3 else FixedPoint(8, 6)),
        ]
        if i % 4:
            operands.append(builder.constant(f"b{i}", rng.integers(-9000, 9000, weights[0]), FixedPoint(16, 6)))
        out: Format = (FixedPoint(8, 2), FixedPoint(8, 3, False), FixedPoint(16, 9))[i % 3]
        attrs = {"rounding": ("half_up", "half_even", "floor")[i % 3]} | ({"lo": 0} if i % 2 else {})
        if window:
            attrs |= dict(zip(("groups", "stride", "padding", "dilation"), window, strict=True))
        outs.append(builder.node("conv" if window else "linear", f"y{i}", operands, out, **attrs))
    return builder.build(outs), inputs


def layer(levels: np.ndarray, weights: tuple[int, ...], *, bits: int = 8, signed: bool = True) -> Graph:
    """A convolution of bytes without padding."""
    rng, builder = np.random.default_rng(3), GraphBuilder("layer")
    x = builder.input("x", (6, 6, weights[-1]), FixedPoint(8, 4, signed))
    w = builder.constant("w", rng.choice(levels, weights), FixedPoint(bits, bits - 2))
    window = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    return builder.build([builder.node("conv", "y", [x, w], FixedPoint(8, 3), **window)])


@pytest.mark.parametrize(
    ("cc", "count"), [("gcc", 11), *(pytest.param(cc, 22, marks=pytest.mark.heavy) for cc in compilers())]
)
def test_in_c_under_sanitizers(cc: str, count: int, tmp_path: Path) -> None:
    graph, data = network(count)
    steps = [lower(graph, node, analyse(graph), CORE) for node in graph.nodes]
    assert {s.kernel for s in steps if s is not None} == {KERNEL}
    assert {s.fixed[1] for s in steps if s is not None} == {"EQ_U(8)", "EQ_U(16)"}
    assert {s.fixed[-1] for s in steps if s is not None} == {"true", "false"}
    assert wrong_in_c([(graph, data)], tmp_path, CORE, cc=cc) == [[]]


@pytest.mark.parametrize(
    ("toolchain", "optimize"),
    [
        ("gcc", "-O2"),
        *(pytest.param(t, o, marks=pytest.mark.heavy) for t, o in [("gcc", "-Os"), ("zig", "-O2"), ("zig", "-O0")]),
    ],
)
def test_on_a_core_without_a_multiplier(toolchain: str, optimize: str, tmp_path: Path) -> None:
    """QEMU's core has none either: a product is an illegal instruction there."""
    board = load_board("riscv32e")
    tiny.toolchain(board, toolchain)
    tiny.runner(board, "qemu")
    graph, data = network(11, seed=1)
    made = build(graph, board, tmp_path / "out", optimize=optimize, toolchain=toolchain)
    assert made.warnings == ()
    assert {row["kernel"] for row in made.variants} == {KERNEL}
    assert wrong(graph, data, trace(made, data), board.isa) == []


def test_a_corrupted_digit_is_found(tmp_path: Path) -> None:
    """One number in the lists of each layer: another element is added."""

    def spoiled(step: Step) -> Step:
        blob = step.params["digits"]
        assert isinstance(blob, Blob)
        at = int(np.flatnonzero(blob.data)[0])  # how many, and then the first element
        data = blob.data.copy()
        data[at + 1] = data[at + 1] ^ 1 if data[at + 1] else 1
        return replace(step, params={**step.params, "digits": replace(blob, data=data)})

    graphs = [layer(KHot(8, k).levels, shape) for k, shape in ((1, (4, 1, 1, 6)), (2, (3, 3, 3, 2)))]
    cases = [(g, {"x": codes(FixedPoint(8, 4), (2, *g.values["x"].shape), np.random.default_rng(1))}) for g in graphs]
    assert wrong_in_c(cases, tmp_path / "good", CORE) == [[], []]
    assert all(wrong_in_c(cases, tmp_path / "bad", CORE, mutate=spoiled))


def test_lists_are_the_weights() -> None:
    """Read back as the kernel reads them; two groups, whose elements are numbered through both."""
    grid = np.random.default_rng(2).choice(KHot(8, 3).levels, (4, 3, 2))
    stream, found = iter(lists(grid, 2).tolist()), np.zeros((4, 3, 4), dtype=np.int64)
    places = 8
    for channel in found.reshape(4, -1):
        for place in reversed(range(places)):
            for sign in (1, -1):
                for _ in range(next(stream)):
                    channel[next(stream)] += sign << place
    assert next(stream, None) is None
    assert np.array_equal(found[:2, :, :2], grid[:2])
    assert np.array_equal(found[2:, :, 2:], grid[2:])
    assert not found[:2, :, 2:].any()
    assert not found[2:, :, :2].any()
