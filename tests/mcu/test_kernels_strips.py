"""Kernels for bytes on codes that share bytes, in strips: every kernel, many strips, y over x, whatever channels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.ops import _packed, overwritten
from edgeq.mcu.step import Step
from edgeq.mcu.storage import packed
from tests.mcu import dsp_cases, packed_cases
from tests.mcu.kernel_cases import Case
from tests.mcu.kernel_checks import DSP, steps_of, wrong_in_c, wrong_on_core
from tests.mcu.kernel_driver import compilers

HEAVY = pytest.mark.heavy
#: features of cores -> kernels that the batches run, in strips
KERNELS = {
    DSP: {
        "conv_dsp", "conv_first_dsp", "conv_narrow_dsp", "conv_depthwise_dsp", "conv_depthwise_narrow_dsp",
        "linear_dsp", "add_dsp", "requantise_dsp", "max_pool_dsp", "average_pool_dsp", "mean_dsp",
    },
    ("dsp", "mve"): {
        "conv_scaled_mve", "conv_narrow_mve", "conv_depthwise_scaled_mve", "conv_depthwise_narrow_mve", "add_dsp",
    },
    ("thumb1",): {"conv_scalar", "conv_depthwise_scalar"},
    ("thumb2",): {"conv_scalar", "conv_narrow_scalar", "conv_depthwise_scalar"},
    ("rv32m",): {"conv_scalar", "conv_narrow_scalar", "conv_depthwise_scalar"},
}  # fmt: skip


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a row or few, so that small maps have many."""
    monkeypatch.setattr(_packed, "ROOM", 16)
    monkeypatch.setattr(_packed, "CODES", 8)


def strips(step: Step) -> int:
    """How many strips a step runs in; 0: none."""
    rows = step.params.get("strips.rows", 0)
    height = step.params.get("strips.out_h", 0)
    assert isinstance(rows, int)
    assert isinstance(height, int)
    return -(-height // rows) if rows else 0


@pytest.mark.parametrize("features", KERNELS)
def test_the_batches_run_every_kernel(features: tuple[str, ...], short: None) -> None:
    """Each in several strips, but for those of vectors and means, which run once."""
    found: Counter[str] = Counter()
    for make in (packed_cases.layers, packed_cases.elements):
        for step in steps_of(make(1, 150).graph(), features):
            found[step.kernel] += strips(step) > (not step.kernel.endswith(("linear_dsp", "mean_dsp")))
    assert KERNELS[features] <= {name.removeprefix("packed_") for name, count in found.items() if count > 0}


@pytest.mark.parametrize("kind", ["layers", "elements"])
@pytest.mark.parametrize(
    ("features", "cc", "count"),
    [
        (DSP, "gcc", 8),
        (("rv32m",), "gcc", 4),
        *(pytest.param(f, cc, 40, marks=HEAVY) for f in KERNELS for cc in compilers()),
    ],
)
def test_in_c_under_sanitizers(
    kind: str, features: tuple[str, ...], cc: str, count: int, short: None, tmp_path: Path
) -> None:
    """Apart from the input, and over it where the kernel allows it."""
    cases = dsp_cases.single(packed_cases.BATCHES[kind](7, count))
    assert not any(wrong_in_c(cases, tmp_path / "apart", features=features, cc=cc))
    over = [(graph, data) for graph, data in cases if rolls(graph, features)]
    assert not any(wrong_in_c(over, tmp_path / "over", features=features, cc=cc, in_place=True))


def rolls(graph: Graph, features: tuple[str, ...] = DSP) -> bool:
    """Whether the output may lie over the input."""
    (step,) = steps_of(graph, features)
    return strips(step) > 0 and bool(overwritten(graph, graph.nodes[0], step))


def depthwise(x: FixedPoint, out: FixedPoint, channels: int = 8) -> Case:
    """A depthwise layer of 3 by 3 on 12 by 5 pixels."""
    b, rng = GraphBuilder("depthwise"), np.random.default_rng(3)
    place = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": channels}
    weight = b.constant("w", rng.integers(-7, 8, (channels, 3, 3, 1)), FixedPoint(4, 2))
    graph = b.build([b.node("conv", "y", [b.input("x", (12, 5, channels), x), weight], out, **place)])
    return graph, {"x": rng.integers(*x.code_range, (2, 12, 5, channels), endpoint=True)}


FOUR, TWO, BYTE = packed(FixedPoint(4, 2)), packed(FixedPoint(2, 0)), FixedPoint(8, 4)


def test_rows_that_are_still_needed_are_not_overwritten(
    short: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Packed maps roll, and bytes under packed ones from strips of two rows on; with one, what is computed is wrong."""
    cases = [depthwise(FOUR, FOUR), depthwise(FOUR, TWO), depthwise(BYTE, FOUR)]
    assert [rolls(graph) for graph, _ in cases] == [True] * 3
    assert steps_of(cases[2][0])[0].params["strips.rows"] == 2
    assert not rolls(depthwise(TWO, FOUR)[0])
    assert not any(wrong_in_c(cases, tmp_path / "right", in_place=True))
    assert steps_of(cases[0][0])[0].params["strips.rows"] == 1
    # The rows in scratch are what keeps it right: without them the next strip would read what y has become.
    monkeypatch.setattr(_packed, "_rolls", lambda ctx, strips, rows: True)
    hasty = depthwise(BYTE, FOUR)
    assert steps_of(hasty[0])[0].params["strips.rows"] == 1
    assert any(wrong_in_c([hasty], tmp_path / "hasty", in_place=True))


@pytest.mark.parametrize(("field", "by"), [("reach", -1), ("pad", 1), ("in_h", -1)])
def test_a_wrong_strip_shows(field: str, by: int, short: None, tmp_path: Path) -> None:
    """A row too few, or one of another place."""

    def other(step: Step) -> Step:
        size = step.params[f"strips.{field}"]
        assert isinstance(size, int)
        return replace(step, params={**step.params, f"strips.{field}": size + by})

    assert any(wrong_in_c([depthwise(FOUR, FOUR)], tmp_path, mutate=other))


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("kind", "board", "toolchain", "runner", "count"),
    [
        ("layers", "cortex-m4", "gcc", "qemu", 6),
        ("elements", "cortex-m4", "gcc", "qemu", 6),
        *(
            pytest.param(kind, board, toolchain, "qemu", 50, marks=HEAVY)
            for board, toolchain in (
                ("cortex-m55", "gcc"),
                ("cortex-m4", "gcc"), ("cortex-m7", "gcc"), ("cortex-m33", "gcc"), ("cortex-m3", "gcc"),
                ("cortex-m0", "gcc"), ("riscv32", "gcc"), ("cortex-m4", "zig"),
            )
            for kind in ("layers", "elements")
        ),
    ],
)  # fmt: skip
def test_on_cores(kind: str, board: str, toolchain: str, runner: str, count: int, short: None, tmp_path: Path) -> None:
    """The same networks as firmware, as emulated cores run it."""
    batch = packed_cases.BATCHES[kind](9, count)
    assert wrong_on_core(batch, board, toolchain, runner, "-O2", tmp_path) == []
