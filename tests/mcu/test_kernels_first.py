"""Kernels of first layers: when they are chosen and why not, their order of weights, strips in pieces, every window."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.formats import Affine, FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops._dsp import window_order
from edgeq.mcu.ops._dsp_first import column_order
from edgeq.mcu.step import Step
from tests.mcu import dsp_cases, scaled_dsp_cases, scaled_mve_cases, tiny
from tests.mcu.kernel_checks import steps_of, wrong

MVE = ("dsp", "mve")


def layer(size: tuple[int, int, int], filters: int, kernel: tuple[int, int], features: tuple[str, ...]) -> Step:
    """How one layer of fixed point is lowered."""
    b = GraphBuilder("net")
    w = b.constant("w", np.ones((filters, *kernel, size[-1]), dtype=np.int64), FixedPoint(8, 7))
    attrs = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    x = b.input("x", size, FixedPoint(8, 4))
    (step,) = steps_of(b.build([b.node("conv", "y", [x, w], FixedPoint(8, 4), **attrs)]), features)
    return step


@pytest.mark.parametrize(("features", "kernel"), [(("dsp",), "conv_first_dsp"), (MVE, "conv_first_mve")])
@pytest.mark.parametrize("size", [(32, 32, 3), (49, 10, 1), (20, 20, 2)])
def test_first_layers_have_their_own_kernel(size: tuple[int, int, int], features: tuple[str, ...], kernel: str) -> None:
    step = layer(size, 16, (3, 3), features)
    assert step.kernel == kernel
    assert "instructions)" in step.why  # of the cost model


@pytest.mark.parametrize(
    ("size", "window", "features", "kernel", "why"),
    [
        ((9, 9, 4), (3, 3), ("dsp",), "conv_dsp", "not conv_first_dsp: 4 channels; it takes up to 3"),
        ((9, 9, 1), (1, 4), ("dsp",), "conv_dsp", "not conv_first_dsp: 4 pairs of taps column by column, 2 row by row"),
        ((9, 9, 4), (3, 3), MVE, "conv_scaled_mve", "not conv_first_mve: 4 channels; it takes up to 3"),
        ((20, 9, 1), (18, 2), MVE, "conv_scaled_mve", "not conv_first_mve: columns of 18 codes; 16 codes reach 270"),
    ],
)
def test_what_they_cannot_do_is_said(
    size: tuple[int, int, int], window: tuple[int, int], features: tuple[str, ...], kernel: str, why: str
) -> None:
    step = layer(size, 16, window, features)
    assert step.kernel == kernel
    assert why in step.why


@pytest.mark.parametrize(("rows", "columns", "channels"), [*product((1, 2, 3, 5, 10), (1, 3, 4), (1, 2, 3))])
def test_columns_hold_every_tap_once(rows: int, columns: int, channels: int) -> None:
    order = column_order(rows, columns, channels)
    taps = order[order >= 0]
    assert sorted(taps.tolist()) == list(range(rows * columns * channels))
    assert len(order) % columns == 0
    # As many units as rows need for 3 by 3 by 3, and none wasted where rows are even in number.
    assert rows % 2 or 2 * len(order) == rows * columns * channels
    if (rows, columns, channels) == (3, 3, 3):
        assert len(order) == len(window_order(3, 9))


def test_strips_hold_rows_and_pieces_of_rows_odd_and_even() -> None:
    batches = [
        (dsp_cases.first(1, 60), ("dsp",)),
        (scaled_dsp_cases.first(1, 60), ("dsp",)),
        (scaled_mve_cases.first(1, 60), MVE),
    ]
    for batch, features in batches:
        steps = [s for s in steps_of(batch.graph(), features) if s.kernel.startswith("conv_first")]
        sizes = [{k: v for k, v in s.params.items() if isinstance(v, int)} for s in steps]
        assert {s["chunk"] < s["out_w"] for s in sizes} == {False, True}
        assert {(s["out_h"] % 2, s["out_w"] % 2) for s in sizes} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def every_window(scaled: bool) -> dsp_cases.Batch:
    """Each number of channels by each small kernel; sizes, strides, paddings and filters in turns."""
    batch = scaled_dsp_cases.ScaledBatch("all", 5) if scaled else dsp_cases.Batch("all", 5)
    windows = product((1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 3, 4))
    for i, (channels, rows, columns) in enumerate(windows):
        pad = (i % rows, (i // 2) % rows, (i // 3) % columns, (i // 5) % columns)
        size = (rows + i % 4, columns + (i // 4) % 5)
        attrs = {"stride": (1 + i % 2, 1 + i // 7 % 3), "padding": pad, "dilation": (1, 1), "groups": 1}
        x = scaled_dsp_cases.affine(batch.rng) if scaled else FixedPoint(8, 4, bool(i % 2))
        batch.matrix("conv", (*size, channels), (1 + i % 9, rows, columns, channels), x, **attrs)  # type: ignore[arg-type]
    return batch


@pytest.mark.heavy
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("board", "runner"), [("cortex-m4", "unicorn"), ("cortex-m33", "qemu"), ("cortex-m55", "qemu")]
)
def test_every_window_on_cores(scaled: bool, board: str, runner: str, tmp_path: Path) -> None:
    tiny.toolchain(load_board(board), "gcc")
    tiny.runner(load_board(board), runner)
    batch = every_window(scaled)
    made = build(batch.graph(), board, tmp_path / "out", toolchain="gcc")
    steps = steps_of(batch.graph(), load_board(board).isa)
    assert sum(step.kernel.startswith("conv_first") for step in steps) > 20
    assert wrong(batch.graph(), batch.inputs, trace(made, batch.inputs, runner=runner), load_board(board).isa) == []


@pytest.mark.parametrize("zero", [-128, 127])
@pytest.mark.parametrize("features", [("dsp",), MVE])
def test_zero_points_at_both_ends_are_padding(zero: int, features: tuple[str, ...]) -> None:
    """What lies around x is its zero point, which no start value may count twice."""
    graph = padded(zero)
    (step,) = steps_of(graph, features)
    assert step.kernel.startswith("conv_first")
    assert step.params["x_zero"] == zero


def padded(zero: int) -> Graph:
    b = GraphBuilder("net")
    x = b.input("x", (3, 3, 1), Affine(8, True, zero, 0.5))
    w = b.constant("w", np.full((4, 3, 3, 1), 127), Affine(8, True, 0, 0.5))
    attrs = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1, "rounding": "tflite"}
    attrs |= {"multiplier": (1 << 30,), "shift": (42,)}
    return b.build([b.node("conv", "y", [x, w], Affine(8, True, 3, 0.5), **attrs)])
