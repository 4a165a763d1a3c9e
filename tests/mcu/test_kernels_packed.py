"""Codes of 4 and 2 bits, packed in memory, against the meaning of operators: portable kernels and fields with DSP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import overwritten
from edgeq.mcu.ops._dsp_fields import BLOCK
from edgeq.mcu.step import Blob, Step
from edgeq.mcu.storage import packed
from tests.mcu import dsp_cases, packed_cases
from tests.mcu.kernel_checks import steps_of, wrong_in_c
from tests.mcu.kernel_driver import compilers

FIELDS = "conv_fields_dsp"
SATURATIONS = ("S8", "U8", "U7", "S4", "U4", "U3", "S2", "U2", "S4_8", "U4_8", "U3_8", "S2_8", "U2_8")
HEAVY = pytest.mark.heavy


@pytest.mark.parametrize("kind", sorted(packed_cases.BATCHES))
@pytest.mark.parametrize(("cc", "count"), [("gcc", 6), *(pytest.param(c, 24, marks=HEAVY) for c in compilers())])
def test_in_c_under_sanitizers(kind: str, cc: str, count: int, tmp_path: Path) -> None:
    """Every buffer has its exact size, to the last half of a byte."""
    cases = dsp_cases.single(packed_cases.BATCHES[kind](1, count))
    assert not any(wrong_in_c(cases, tmp_path, cc=cc))


def test_in_c_over_the_input(tmp_path: Path) -> None:
    """y rolls over x where the kernel allows it; where none wait that have to, results are wrong."""
    cases = [c for c in dsp_cases.single(packed_cases.fields(4, 60, most=14)) if rolls(c[0])]
    waiting = [c for c in cases if steps_of(c[0])[0].params["hold"]]
    assert len(waiting) > 5
    chosen = [*waiting[:3], *(c for c in cases if c not in waiting)][:5]
    assert not any(wrong_in_c(chosen, tmp_path / "right", in_place=True))

    def hasty(step: Step) -> Step:
        return replace(step, params={**step.params, "hold": 0})

    assert any(wrong_in_c(waiting[:3], tmp_path / "hasty", in_place=True, mutate=hasty))


def rolls(graph: Graph) -> bool:
    """Whether fields run it and the output may lie over the input."""
    (step,) = steps_of(graph)
    return step.kernel == FIELDS and bool(overwritten(graph, graph.nodes[0], step))


def test_fields_are_what_the_cases_run() -> None:
    """Nearly all of them, with both widths of codes and weights and every saturation but that of one bit."""
    steps = steps_of(packed_cases.fields(2, 150).graph())
    fixed = [step.fixed for step in steps if step.kernel == FIELDS]
    assert len(fixed) > 120
    assert {f[0] for f in fixed} == {"EQ_SP(4)", "EQ_UP(4)", "EQ_SP(2)", "EQ_UP(2)", "EQ_S(8)", "EQ_U(8)"}
    assert {f[1] for f in fixed} == {"4", "2"}
    assert {f"EQ_FIELDS_{s}" for s in SATURATIONS} <= {f[2] for f in fixed}


def full(weight: int, channels: int = 96, even: int | None = None) -> tuple[Graph, dict[str, np.ndarray]]:
    """A pixel of greatest codes under weights all alike, but for one that is the least; and its input.

    even: all weights of the even channel.
    """
    b = GraphBuilder("full")
    data = np.full((2, 1, 1, channels), weight)
    data[:, 0, 0, 0] = -8
    data[0] = data[0] if even is None else even
    geometry = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    operands = [
        b.input("x", (2, 2, channels), packed(FixedPoint(4, 0, False))),
        b.constant("w", data, FixedPoint(4, 0)),
    ]
    graph = b.build([b.node("conv", "y", operands, FixedPoint(8, -7), **geometry)])
    return graph, {"x": np.full((1, 2, 2, channels), 15)}


@pytest.mark.parametrize(("weight", "blocks"), [(7, 1), (0, 2), (-6, 8)])
def test_drains_come_before_the_field_runs_over(weight: int, blocks: int, tmp_path: Path) -> None:
    """The longest chunk is right with the worst codes; with chunks twice as long the sums are wrong."""
    graph, inputs = full(weight, 128)
    (step,) = steps_of(graph)
    assert (step.kernel, step.params["chunk"]) == (FIELDS, blocks * BLOCK)
    assert wrong_in_c([(graph, inputs)], tmp_path / "right") == [[]]

    def late(step: Step) -> Step:
        return replace(step, params={**step.params, "chunk": 2 * blocks * BLOCK, "first": 2 * blocks * BLOCK})

    if 2 * blocks <= 8:
        (bad,) = wrong_in_c([(graph, inputs)], tmp_path / "late", mutate=late)
        assert len(bad) == 1


def test_sums_that_could_run_over_are_refused() -> None:
    """An even channel beyond 16 bits, an odd one beyond 20, and codes whose own sum passes a lane."""
    assert "even" in refusal(full(7, 512)[0])
    assert "odd" in refusal(full(7, 8192, even=0)[0])
    assert "windows" in refusal(full(0, 8768)[0])


def refusal(graph: Graph) -> str:
    """Why the first layer is not run in fields."""
    (step,) = steps_of(graph)
    assert step.kernel != FIELDS
    return step.why.partition(f"not {FIELDS}: ")[2].partition("; not")[0]


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("kind", "board", "count"),
    [
        ("fields", "cortex-m4", 8),
        ("layers", "cortex-m55", 4),
        ("elements", "riscv32", 6),
        *(
            pytest.param(kind, board, 60, marks=HEAVY)
            for board in ("cortex-m4", "cortex-m33", "cortex-m55", "riscv32")
            for kind in ("fields", "layers", "elements")
        ),
    ],
)
def test_on_cores(kind: str, board: str, count: int, tmp_path: Path) -> None:
    """The same networks as firmware; one bit of one constant turned over, and an answer is wrong."""
    batch = packed_cases.BATCHES[kind](5, count)
    graph = batch.graph()
    made = build(graph, board, tmp_path / "out", packing="none")  # none but those of the cases
    found, want = trace(made, batch.inputs), reference(graph, batch.inputs)
    assert [name for name in want if not np.array_equal(found[name], want[name])] == []
    assert made.plan.arena_bytes <= made.ram
    assert all(slot.bytes == -(-slot.value.size * slot.stored.bits // 8) for slot in made.program.slots.values())


def test_a_bit_turned_over_shows(tmp_path: Path) -> None:
    """In a word of weights and in a start value."""
    cases = [c for c in dsp_cases.single(packed_cases.fields(3, 12)) if steps_of(c[0])[0].kernel == FIELDS][:5]

    def turned(step: Step) -> Step:
        stream = step.params["stream"]
        assert isinstance(stream, Blob)
        data = stream.data.copy()
        data[0] ^= np.uint32(0x80)
        data[-3] ^= np.uint32(1 << 8)
        return replace(step, params={**step.params, "stream": replace(stream, data=data)})

    assert sum(map(bool, wrong_in_c(cases, tmp_path, mutate=turned))) > 2
