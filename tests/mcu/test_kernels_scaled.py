"""C kernels for scales that are no power of two against the meaning, bit for bit, under sanitizers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scaled_graphs import MAKERS, scaled_case

from edgeq.emulator import reference
from edgeq.errors import UnsupportedError
from edgeq.formats import Affine
from edgeq.ir import GraphBuilder, analyse
from edgeq.mcu.ops import SCALED, inplace_candidates, lower
from edgeq.mcu.select import PORTABLE
from edgeq.mcu.step import Blob, Step
from tests.mcu.kernel_driver import Mutation, run_graphs

SEEDS = 12


def differences(
    op: str, folder: Path, seeds: range, mutate: Mutation | None = None, in_place: bool = False
) -> list[str]:
    found = [scaled_case(op, seed) for seed in seeds]
    lines = []
    traces = run_graphs(found, folder, mutate=mutate)
    for seed, (graph, inputs), trace in zip(seeds, found, traces, strict=True):
        for name, want in reference(graph, inputs).items():
            if not np.array_equal(want, trace[name]):
                lines.append(f"{op} {seed} {name} {dict(graph.nodes[-1].attrs)}")
    return lines


@pytest.mark.sample(3)
@pytest.mark.parametrize("op", MAKERS)
def test_equals_reference(op: str, tmp_path: Path) -> None:
    assert differences(op, tmp_path, range(SEEDS)) == []


@pytest.mark.heavy
@pytest.mark.parametrize("op", MAKERS)
def test_equals_reference_often(op: str, tmp_path: Path) -> None:
    assert differences(op, tmp_path, range(SEEDS, SEEDS + 150)) == []


@pytest.mark.sample(2)
@pytest.mark.parametrize("op", ["add", "maximum", "mul", "prelu", "requantise", "sub"])
def test_in_place_gives_the_same(op: str, tmp_path: Path) -> None:
    seeds = [s for s in range(60) if inplace_candidates(*_graph_and_node(op, s))][:SEEDS]
    assert len(seeds) == SEEDS
    found = [scaled_case(op, seed) for seed in seeds]
    for (graph, inputs), trace in zip(found, run_graphs(found, tmp_path, in_place=True), strict=True):
        assert np.array_equal(trace["y"], reference(graph, inputs)["y"])


def _graph_and_node(op: str, seed: int):  # type: ignore[no-untyped-def]
    graph, _ = scaled_case(op, seed)
    return graph, graph.nodes[0]


def test_the_cases_reach_every_kernel_and_rule() -> None:
    seen: set[str] = set()
    for op in SCALED:
        for seed in range(SEEDS):
            graph, _ = scaled_case(op, seed)
            step = lower(graph, graph.nodes[0], analyse(graph))
            assert step is not None
            seen |= {step.kernel, *step.fixed, "many" if step.params.get("scale.channels", 1) != 1 else "one"}
            if op == "conv":
                seen.add("folded" if step.params["x_zero"] == 0 else "taken off")
    assert {v.kernel for variants in SCALED.values() for v in variants if v.name == PORTABLE} <= seen
    assert {"EQ_TFLITE", "EQ_HALF_UP", "EQ_HALF_EVEN", "EQ_FLOOR", "EQ_S(16)", "many", "one"} <= seen
    assert {"folded", "taken off", "EQ_U(8)", "EQ_S(8)"} <= seen


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("op", "field"),
    [
        ("linear", "weight"),
        ("conv", "bias"),
        ("conv", "scale.shift"),
        ("linear", "scale.multiplier"),
        ("add", "a_zero"),
        ("concat", "zero"),
        ("mean", "zero"),
        ("prelu", "scale.multiplier"),
        ("sum", "reduce.start"),
    ],
)
def test_a_fault_is_found(op: str, field: str, tmp_path: Path) -> None:
    def mutate(step: Step) -> Step:
        value = step.params[field]
        if isinstance(value, Blob):
            data = value.data.copy()
            data.reshape(-1)[0] ^= np.array({"scale.multiplier": 1 << 20, "bias": 1 << 12}.get(field, 1), data.dtype)
            return replace(step, params={**step.params, field: replace(value, data=data)})
        assert isinstance(value, int)
        return replace(step, params={**step.params, field: value ^ 1})

    assert differences(op, tmp_path, range(SEEDS), mutate) != []


def test_what_has_no_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SCALED, "mean")
    b = GraphBuilder("net")
    x = b.input("x", (4,), Affine(8, True, 0, 0.3))
    graph = b.build([b.node("mean", "pool", [x], Affine(8, True, 0, 0.3), axes=(0,), keep_axes=0)])
    with pytest.raises(UnsupportedError, match=r"mean pool \(layer pool\): has no C kernel for scales"):
        lower(graph, graph.nodes[0], analyse(graph))
