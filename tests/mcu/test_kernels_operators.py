"""Every operator's C kernel against its meaning, bit for bit, on cases that aim at its edges, under sanitizers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.ir import OPERATORS, analyse
from edgeq.mcu.ops import KERNELS, inplace_candidates, lower
from edgeq.mcu.step import Blob, Param, Step
from tests.mcu.kernel_cases import Case, cases
from tests.mcu.kernel_driver import Mutation, run_graphs

#: operators whose output may lie over an input
IN_PLACE = [
    *("add", "maximum", "minimum", "mul", "prelu", "requantise", "select", "sigmoid_lines", "softmax"),
    *("softmax_lines", "softmax_reciprocal", "sub", "table"),
]


def differences(found: list[Case], folder: Path, mutate: Mutation | None = None, in_place: bool = False) -> list[str]:
    """A line for each case whose trace differs."""
    lines = []
    for i, ((graph, inputs), trace) in enumerate(
        zip(found, run_graphs(found, folder, mutate=mutate, in_place=in_place), strict=True)
    ):
        for name, want in reference(graph, inputs).items():
            if not np.array_equal(want, trace[name]):
                node = graph.nodes[0]
                formats = [str(v.format) for v in graph.values.values()]
                lines.append(f"case {i}: {name} of {formats} {dict(node.attrs)}: {trace[name]} for {want}")
    return lines


def test_every_operator_has_kernels() -> None:
    assert set(KERNELS) == set(OPERATORS)


@pytest.mark.sample(3)
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_equals_reference_on_some(op: str, tmp_path: Path) -> None:
    found = cases(op).cases
    # A stride that shares no factor with the lists that the cases walk along.
    assert differences(found[:: 1 + len(found) // 8], tmp_path) == []


@pytest.mark.heavy
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_equals_reference_on_all(op: str, tmp_path: Path) -> None:
    bench = cases(op)
    assert len(bench.cases) > 2 * bench.refused, (len(bench.cases), bench.refused)
    assert differences(bench.cases, tmp_path) == []


@pytest.mark.sample(3)
@pytest.mark.parametrize("op", IN_PLACE)
def test_in_place_gives_the_same(op: str, tmp_path: Path) -> None:
    """Where an operator says that its output may lie over an input, it may; broadcasts and wider outputs never do."""
    found = [c for c in cases(op).cases if inplace_candidates(c[0], c[0].nodes[0])]
    assert 0 < len(found) < len(cases(op).cases)
    assert differences(found[:: 1 + len(found) // 8], tmp_path, in_place=True) == []


@pytest.mark.parametrize("op", sorted(set(OPERATORS) - set(IN_PLACE)))
def test_others_never_lie_over_their_input(op: str) -> None:
    assert all(inplace_candidates(g, g.nodes[0]) == () for g, _ in cases(op).cases)


@pytest.mark.parametrize("op", ["conv", "linear", "conv_transpose"])
def test_cases_reach_every_path(op: str) -> None:
    """Packed widths, wide and narrow accumulators, roundings, left shifts, shifts per channel: all occur."""
    seen: set[str] = set()
    for graph, _ in cases(op).cases:
        step = lower(graph, graph.nodes[0], analyse(graph))
        assert step is not None
        weight, rule, wide = step.fixed[1], step.fixed[3], step.fixed[4]
        seen |= {weight, rule.split(" ")[0], wide, "EQ_LEFT" if "EQ_LEFT" in rule else "right"}
        seen.add("one shift" if step.params["shifts"] == 0 else "shifts")
    packed = {f"EQ_SP({n})" for n in range(1, 8)} | {f"EQ_UP({n})" for n in range(1, 8)}
    want = packed | {"EQ_S(8)", "EQ_S(16)", "EQ_FP(2, 1)", "EQ_F(4, 3)", "EQ_FLOOR", "EQ_HALF_EVEN", "EQ_HALF_UP"}
    assert want | {"true", "false", "EQ_LEFT", "right", "one shift", "shifts"} <= seen


def _flip(value: Param) -> Param:
    """The parameter with its lowest bit changed (of the last element, where it has several)."""
    if isinstance(value, Blob):
        data = value.data.copy()
        data.reshape(-1)[data.size // 2] ^= 1
        return replace(value, data=data)
    return value ^ 1 if isinstance(value, int) else value


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("op", "field"),
    [
        ("conv", "weight"),
        ("conv", "bias"),
        ("conv", "shift"),
        ("linear", "weight"),
        ("linear", "hi"),
        ("requantise", "shift"),
        ("table", "table"),
        ("pad", "fill"),
        ("pad", "mode"),
        ("average_pool", "divisor"),
        ("softmax", "left"),
        ("concat", "shift"),
        ("prelu", "a_shift"),
        ("sum", "start"),
        ("within", "most"),
    ],
)
def test_a_fault_is_found(op: str, field: str, tmp_path: Path) -> None:
    """One changed bit of one parameter makes the comparison fail: the tests above can."""
    found = [c for c in cases(op).cases if op == "within" or c[0].values["layer"].format.bits >= 8][:4]

    def mutate(step: Step) -> Step:
        return replace(step, params={**step.params, field: _flip(step.params[field])})

    assert differences(found, tmp_path, mutate) != []
