"""Rounding rules and overflow modes of fixed point in C: every tensor is the emulator's; what falls back says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.formats import FIXED_RULES, OVERFLOWS, RULES, FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder, analyse
from edgeq.mcu.ops import lower
from edgeq.mcu.step import Step
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.mcu.kernel_cases import Case
from tests.mcu.kernel_checks import differs
from tests.mcu.kernel_driver import compilers

WIDTHS = (FixedPoint(4, 1), FixedPoint(5, -1, False), FixedPoint(8, 5))


def every_mode(rule: str) -> Case:
    """All codes of 8 bits through every overflow mode, each with and without a bound; a mean that divides by three."""
    b = GraphBuilder("modes")
    x = b.input("x", (256, 3), FixedPoint(8, 3))
    nodes = []
    for mode in OVERFLOWS:
        for i, fmt in enumerate(WIDTHS):
            bounds: dict[str, Attr] = ({}, {"lo": 0}, {"hi": 3})[i]  # type: ignore[assignment]
            attrs = {"rounding": rule, "overflow": mode, **bounds}
            nodes.append(b.node("requantise", f"{mode}_{i}", [x], fmt, **attrs))
            nodes.append(b.node("mean", f"{mode}_{i}_mean", [x], fmt, axes=(1,), keep_axes=0, **attrs))
        wide = b.node("mul", f"{mode}_wide", [x, x], FixedPoint(32, 36), rounding=rule, overflow=mode)
        nodes.append(b.node("mul", f"{mode}_back", [wide, x], FixedPoint(32, 31), rounding=rule, overflow=mode))
    column = np.arange(-128, 128)
    codes = np.stack([column, np.roll(column, 7), column[::-1]], axis=1)
    return b.build(nodes), {"x": codes[None]}


#: a quick build; the heavy tests watch every shift and product
QUICK = ("-O1",)


def test_every_mode(tmp_path: Path) -> None:
    assert not differs([every_mode(rule) for rule in FIXED_RULES], tmp_path, flags=QUICK)


def random_cases(first: int, count: int) -> list[Case]:
    graphs = [
        random_graph(np.random.default_rng([seed, 9]), max_nodes=5, formats=("fixed", "mixed")[seed % 2], modes=True)
        for seed in range(first, first + count)
    ]
    return [(g, random_inputs(g, np.random.default_rng(first), 3)) for g in graphs]


def test_random_graphs_with_modes(tmp_path: Path) -> None:
    assert not differs(random_cases(0, 4), tmp_path, flags=QUICK)


@pytest.mark.heavy
@pytest.mark.parametrize("cc", compilers())
def test_many_random_graphs_with_modes(cc: str, tmp_path: Path) -> None:
    assert not differs(random_cases(100, 20), tmp_path, cc=cc)


def test_a_wrong_mode_is_found(tmp_path: Path) -> None:
    """Each part of the word that tells a kernel how to round and overflow, changed at one node."""
    b = GraphBuilder("wrong")
    x = b.input("x", (256,), FixedPoint(8, 3))
    fmt, wrong = FixedPoint(4, 1), {}
    for name, old, attrs in (
        ("rule", "EQ_HALF_AWAY", {"rounding": "half_away"}),
        ("zero", "EQ_OVER_ZERO", {"overflow": "zero"}),
        ("wrap", "EQ_WRAP_S(4)", {"overflow": "wrap"}),
        ("clamp", "EQ_CLAMP_LO", {"overflow": "wrap", "lo": 0}),
    ):
        wrong[b.node("requantise", name, [x], fmt, **attrs)] = old
    graph = b.build(list(wrong))
    case: Case = (graph, {"x": np.arange(-128, 128)[None]})

    def mutate(step: Step) -> Step:
        new = "EQ_HALF_DOWN" if step.node == "rule" else "0"
        return replace(step, fixed=tuple(f.replace(wrong[step.node], new) for f in step.fixed))

    assert not differs([case], tmp_path / "right", flags=QUICK)
    assert differs([case], tmp_path / "wrong", flags=QUICK, mutate=mutate) == [f"wrong {name}" for name in wrong]


def linear(**attrs: Attr) -> Graph:
    b = GraphBuilder("linear")
    x = b.input("x", (16,), FixedPoint(8, 4))
    w = b.constant("w", np.ones((8, 16), np.int64), FixedPoint(8, 4))
    return b.build([b.node("linear", "fc", [x, w], FixedPoint(8, 4), "head", **attrs)])


def test_specialised_kernels_say_why_they_do_not_run() -> None:
    """Saturation and the rules of every format keep the fast kernel; the rest falls back to the portable one."""

    def step(**attrs: Attr) -> Step:
        graph = linear(**attrs)
        found = lower(graph, graph.nodes[0], analyse(graph), ["dsp"])
        assert found is not None
        return found

    assert step().variant == step(overflow="saturate").variant == "dsp"
    assert step().fixed == step(overflow="saturate").fixed == step(rounding="half_up").fixed
    for mode in ("wrap", "zero"):
        made = step(overflow=mode)
        assert made.variant == "portable"
        assert f"not linear_dsp: overflows by {mode}; it only saturates" in made.why
    for rule in sorted(FIXED_RULES.keys() - RULES.keys()):
        made = step(rounding=rule)
        assert made.variant == "portable"
        assert f"not linear_dsp: rounds {rule}; it has none of the rules that only fixed point has" in made.why
