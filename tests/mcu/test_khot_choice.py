"""When K-hot weights become lists of digits in C: without a multiplier, where that is counted to be cheaper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.formats import FixedPoint, KHot
from edgeq.ir import Graph, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import measure, trace
from edgeq.mcu.ops import lower
from edgeq.mcu.select import chosen_by_rank
from edgeq.mcu.step import Step
from tests.mcu import tiny
from tests.mcu.kernel_cases import codes
from tests.mcu.kernel_checks import wrong
from tests.mcu.test_kernels_khot import CORE, KERNEL, layer


def step_of(graph: Graph, features: tuple[str, ...]) -> Step:
    step = lower(graph, graph.nodes[0], analyse(graph), features)
    assert step is not None
    return step


def test_only_cores_without_a_multiplier_and_few_digits() -> None:
    few, many = layer(KHot(8, 2).levels, (8, 3, 3, 4)), layer(np.arange(-127, 128), (8, 3, 3, 4))
    assert step_of(few, CORE).kernel == KERNEL
    for features in ((), ("rv32m",), ("thumb1",), ("dsp", "fpu")):
        step = step_of(few, features)
        assert step.kernel != KERNEL
        assert KERNEL not in step.brief
    refused = step_of(many, CORE)
    assert refused.kernel == "conv"
    assert "not conv_khot: weights of up to 4 digits; it takes 3" in refused.brief


@pytest.mark.parametrize(
    ("bits", "signed", "weights", "kernel"),
    [
        pytest.param(16, True, (24, 1, 1, 1), "conv", marks=pytest.mark.heavy),
        (8, False, (24, 1, 1, 1), "conv"),
        (8, False, (8, 3, 3, 2), KERNEL),
        pytest.param(8, True, (8, 3, 3, 2), KERNEL, marks=pytest.mark.heavy),
    ],
)
def test_products_where_they_are_cheaper(
    bits: int, signed: bool, weights: tuple[int, ...], kernel: str, tmp_path: Path
) -> None:
    """A binary place costs two lists even if they are empty, too much for one element; products of what has no sign
    take fewer rounds. What the model says of both is what is counted."""
    board = load_board("riscv32e")
    tiny.any_toolchain(board)
    tiny.runner(board, "qemu")
    graph = layer(KHot(bits, 3).levels, weights, bits=bits, signed=signed)
    assert step_of(graph, CORE).kernel == kernel
    x = codes(graph.values["x"].format, (1, *graph.values["x"].shape), np.random.default_rng(1))
    counts = {}
    for rank in (0, 1):
        with chosen_by_rank(rank):
            made = build(graph, board, tmp_path / str(rank))
        counted = measure(made, {"x": x}).counts
        assert counted is not None
        counts[made.variants[0]["kernel"]] = counted.total
    assert min(counts, key=lambda name: counts[name]) == kernel, counts


def test_a_network_on_the_smallest_board(tmp_path: Path) -> None:
    """16 KiB of flash and 2 KiB of RAM: built, equal on every tensor, and with fewer instructions than by products."""
    board = load_board("ch32v003")
    tiny.any_toolchain(board)
    tiny.runner(board, "qemu")
    graph = layer(KHot(8, 1).levels, (8, 3, 3, 4))
    data = {"x": codes(FixedPoint(8, 4), (2, 6, 6, 4), np.random.default_rng(1))}
    counts = {}
    for rank, kernel in enumerate((KERNEL, "conv")):
        with chosen_by_rank(rank):
            made = build(graph, board, tmp_path / kernel)
        assert [row["kernel"] for row in made.variants] == [kernel]
        assert made.flash < board.flash.size
        assert wrong(graph, data, trace(made, data), board.isa) == []
        counted = measure(made, {"x": data["x"][:1]}).counts
        assert counted is not None
        counts[kernel] = counted.total
    assert 4 * counts[KERNEL] < counts["conv"]
