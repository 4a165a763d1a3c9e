"""Executing builds: the codes of every value equal the emulator's, on this computer and on emulated boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import FormatError, InputError, ToolError
from edgeq.ir import Graph, check
from edgeq.mcu.bench import bench, measured
from edgeq.mcu.build import BuildResult, build
from edgeq.mcu.execute import measure, run, trace
from edgeq.mcu.runners import available_runners
from edgeq.schedule import check_plan, simulate
from tests.mcu.kernel_driver import sanitizes
from tests.mcu.nets import ALL, classifier, codes, minifloat
from tests.strategies import Case, cases

Build = Callable[..., BuildResult]
M4 = load_board("cortex-m4")
RUNNERS = [runner.name for runner in available_runners(M4)]
SANITIZER = next((cc for cc in ("clang", "gcc") if sanitizes(cc)), None)


def differing(made: BuildResult, inputs: dict[str, np.ndarray], **how: object) -> list[str]:
    """Names of the values that differ, in the order of the graph."""
    want = reference(made.graph, inputs)
    have = trace(made, inputs, **how)  # type: ignore[arg-type]
    assert set(have) == set(want)
    assert all(have[n].dtype == np.int64 and have[n].shape == want[n].shape for n in want)
    return [n for n in want if not np.array_equal(want[n], have[n])]


@pytest.mark.parametrize("net", ALL)
def test_host_equals_the_emulator(net: str, built: Build) -> None:
    made, graph = built(net, "host"), ALL[net]()
    inputs = codes(graph, 17)
    assert differing(made, inputs) == []
    answers = run(made, inputs)
    want = reference(graph, inputs)
    assert set(answers) == set(graph.outputs)
    assert all(np.array_equal(answers[n], want[n]) for n in answers)


@pytest.mark.skipif(SANITIZER is None, reason="needs gcc or clang")
@pytest.mark.parametrize("net", ["classifier", "residual"])
def test_sanitizer_build_equals_the_emulator(net: str, built: Build) -> None:
    made = built(net, "host", SANITIZER)
    assert differing(made, codes(made.graph, 5), sanitize=True) == []


@pytest.mark.skipif(SANITIZER is None, reason="needs gcc or clang")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("#define AT_fc 16u", "#define AT_fc 24u"),  # beyond the arena
        ("#define AT_fc 16u", "#define AT_fc 8u"),  # over the end of the input
        (".inputs = 12", ".inputs = 13"),  # reads one byte more of the arena than its input has
        (".outputs = 6", ".outputs = 7"),  # writes one byte more than its output has
    ],
)
def test_the_sanitizers_see_a_step_that_leaves_its_operands(old: str, new: str, tmp_path: Path) -> None:
    made = build(minifloat(), "host", tmp_path / "out", toolchain=SANITIZER, optimize="-O1")
    source = made.path / "tiny_float.c"
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))
    with pytest.raises(ToolError, match="AddressSanitizer"):
        trace(made, codes(made.graph, 1), sanitize=True)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("net", ["classifier", "residual", "minifloat"])
def test_emulated_m4_equals_the_emulator(net: str, runner: str, built: Build) -> None:
    made = built(net, "cortex-m4")
    inputs = codes(made.graph, 3)
    assert differing(made, inputs, runner=runner) == []
    answers, want = run(made, inputs, runner=runner), reference(made.graph, inputs)
    assert all(np.array_equal(answers[n], want[n]) for n in made.graph.outputs)


@pytest.mark.skipif(not RUNNERS, reason="needs QEMU or unicorn")
def test_measured_stack_and_layers_add_up(built: Build) -> None:
    made = built("classifier", "cortex-m4")
    inputs = codes(made.graph, 2)
    whole, split = measure(made, inputs).counts, measure(made, inputs, profile=True).counts
    assert whole is not None
    assert split is not None
    assert whole.regions[0] > 0
    assert len(whole.regions) == 2
    assert set(split.per_layer) == {-1, 0, 1, 2}
    # The hook's call costs a few instructions a step, no more.
    assert 0 <= split.total - whole.total <= 2 * 3 * 10
    found = measured(made, inputs)
    assert found["instructions"] == whole.regions[0]
    assert found["ram"] == made.ram + found["stack"]
    assert [row["source"] for row in found["layers"]] == ["features.0", "relu", "classifier"]
    assert sum(row["macs"] for row in found["layers"]) == found["macs"] == 9 * 64 * 16 + 10240
    assert 0.99 < sum(row["share"] for row in found["layers"]) <= 1


def test_the_host_counts_no_instructions(tmp_path: Path, built: Build) -> None:
    found = bench(minifloat(), "host", tmp_path / "out")
    assert found["instructions"] is None
    assert found["ram"] == 24
    made = built("minifloat", "host")
    with pytest.raises(InputError, match="nothing can be measured"):
        measure(made, codes(made.graph, 1))


def mutated(graph: Graph, constant: str, index: tuple[int, ...]) -> Graph:
    """The graph with the lowest bit of one code of a constant flipped."""
    value = graph.values[constant]
    assert value.data is not None
    data = value.data.copy()
    data[index] ^= 1
    changed = graph.replace(values={**graph.values, constant: replace(value, data=data)})
    check(changed)
    return changed


@pytest.mark.parametrize(("constant", "index", "layer"), [("w1", (3, 1, 1, 0), "conv1"), ("w2", (9, 1000), "fc")])
def test_one_weight_bit_turns_red_and_the_right_layer_is_first(
    constant: str, index: tuple[int, ...], layer: str, tmp_path: Path
) -> None:
    graph = classifier()
    made = build(mutated(graph, constant, index), "host", tmp_path / "out", optimize="-O1")
    inputs = codes(graph, 20)
    want, have = reference(graph, inputs), trace(made, inputs)
    assert next(n for n in want if not np.array_equal(want[n], have[n])) == layer


@pytest.mark.skipif(not RUNNERS, reason="needs QEMU or unicorn")
def test_a_weight_changed_in_the_generated_source_is_found(tmp_path: Path) -> None:
    made = build(classifier(), "cortex-m0", tmp_path / "out", optimize="-O1")
    source = made.path / "digits_weights.c"
    head, body = source.read_text().split("digits_conv1_weight[", 1)
    size, numbers = body.split("{", 1)
    first = numbers.split(",")[0]
    source.write_text(f"{head}digits_conv1_weight[{size}{{{int(first) ^ 7}{numbers[len(first) :]}")
    wrong = differing(made, codes(made.graph, 3))
    assert wrong[0] == "conv1"


def test_batches_larger_than_a_chunk_are_put_together(built: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    import edgeq.mcu.execute as execute

    monkeypatch.setattr(execute, "CHUNK_BYTES", 5000)
    made = built("classifier", "host")
    assert differing(made, codes(made.graph, 11)) == []


def test_wrong_inputs_are_refused(built: Build) -> None:
    made = built("residual", "host")
    good = codes(made.graph, 2)
    with pytest.raises(InputError, match="takes inputs x, y"):
        run(made, {"x": good["x"]})
    with pytest.raises(InputError, match="input x: codes of shape"):
        run(made, {**good, "x": good["x"][:, :-1]})
    with pytest.raises(InputError, match="different batch sizes"):
        run(made, {**good, "x": good["x"][:1]})
    with pytest.raises(FormatError, match="code 200"):
        run(made, {**good, "x": np.full_like(good["x"], 200)})


@settings(max_examples=8, deadline=None)
@given(cases(max_nodes=8))
def test_random_graphs_on_the_host(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    graph, inputs = case
    made = build(graph, "host", tmp_path_factory.mktemp("random") / "out", optimize="-O1", toolchain=SANITIZER)
    assert made.warnings == ()
    check_plan(made.plan, graph)
    stored = {name: slot.stored for name, slot in made.program.slots.items()}
    simulated = simulate(graph, made.plan, stored, inputs)
    want = reference(graph, inputs)
    assert [n for n in want if not np.array_equal(want[n], simulated[n])] == []
    assert differing(made, inputs) == []
