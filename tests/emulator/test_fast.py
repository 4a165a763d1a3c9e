"""The fast emulator equals the reference on every tensor of random graphs, and where float types end."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import Case, cases

from edgeq.emulator import Executor, executor, reference, run, trace
from edgeq.emulator.carrier import code_type
from edgeq.emulator.ops import FAST, REFERENCE
from edgeq.formats import FixedPoint
from edgeq.ir import OPERATORS, Graph, GraphBuilder, analyse
from edgeq.verify.random_graphs import random_graph, random_inputs


def assert_equal(graph: Graph, inputs: dict[str, np.ndarray]) -> None:
    """Every tensor of both, codes and names."""
    want, got = reference(graph, inputs), Executor(graph).trace(inputs)
    assert want.keys() == got.keys()
    for name in want:
        assert np.array_equal(want[name], got[name]), f"{name} of {graph.producer(name)}"
        assert got[name].dtype == code_type(graph.values[name].format)


def assert_within_ranges(graph: Graph, inputs: dict[str, np.ndarray]) -> None:
    """What the range analysis promises of every value holds."""
    ranges = analyse(graph).values
    for name, codes in reference(graph, inputs).items():
        grid = graph.values[name].format.to_grid(codes)
        assert ranges[name].lo <= int(grid.min()), name
        assert int(grid.max()) <= ranges[name].hi, name


@settings(max_examples=300, deadline=None)
@given(cases())
def test_every_tensor_of_random_graphs(case: Case) -> None:
    assert_equal(*case)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_values_stay_within_their_ranges(case: Case) -> None:
    assert_within_ranges(*case)


@pytest.mark.heavy
@settings(max_examples=5000, deadline=None)
@given(cases(samples=5))
def test_every_tensor_of_many_random_graphs(case: Case) -> None:
    assert_equal(*case)
    assert_within_ranges(*case)


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_every_tensor_of_graphs_of_one_operator(op: str) -> None:
    """Few kinds of node in one graph: chains of one operator go deeper than mixtures do."""
    for seed in range(12):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), ops=[op, "requantise"], max_nodes=5, formats=kind)
        assert_equal(graph, random_inputs(graph, np.random.default_rng(seed), 4))


def test_registry_says_of_every_operator_which_path_it_takes() -> None:
    assert FAST.keys() | REFERENCE == OPERATORS.keys()
    assert not FAST.keys() & REFERENCE


def linear(terms: int, x: FixedPoint, w: int, out: FixedPoint, **attrs: str) -> Graph:
    """One output: `terms` inputs times the weight `w`, and the same times 1 - w for odd sums."""
    b = GraphBuilder("edge")
    name = b.input("x", (terms,), x)
    weight = b.constant("w", np.array([[w] * (terms - 1) + [1]]), FixedPoint(32, 0))
    return b.build([b.node("linear", "y", [name, weight], out, **attrs)])


@pytest.mark.parametrize(
    ("terms", "x_bits", "w", "arithmetic"),
    [
        # 255 * (256 * 257 + 1) and such: worst cases just below and above 2**24 and 2**53.
        (2, 8, (1 << 24) // 255 - 1, "float32"),
        (2, 8, (1 << 24) // 255, "float64"),
        (2, 8, (1 << 24) // 255 + 1, "float64"),
        (3, 31, 1 << 20, "float64"),
        (3, 31, (1 << 21) - 1, "float64"),
        (3, 31, 1 << 21, "int64"),
        (3, 30, (1 << 31) - 1, "int64"),
    ],
)
def test_sums_at_the_ends_of_float_types(terms: int, x_bits: int, w: int, arithmetic: str) -> None:
    graph = linear(terms, FixedPoint(x_bits, 0, False), w, FixedPoint(32, 0))
    worst = ((1 << x_bits) - 1) * (w * (terms - 1) + 1)
    assert (worst <= 1 << 24, worst <= 1 << 53) == (arithmetic == "float32", arithmetic != "int64")
    fast = Executor(graph)
    assert fast.arithmetic == {"y": arithmetic}
    top = (1 << x_bits) - 1
    rng = np.random.default_rng(0)
    x = np.concatenate([np.full((1, terms), top), top - rng.integers(0, 4, (200, terms))])
    assert np.array_equal(fast.trace({"x": x})["y"], reference(graph, {"x": x})["y"])


def test_float32_would_fail_just_above_its_end() -> None:
    """The aim is true: with one type narrower the boundary case comes out wrong, so a test on it can fail."""
    b = GraphBuilder("edge")
    x = b.input("x", (3,), FixedPoint(16, 0, False))
    w = b.constant("w", np.array([[255, 1, 1]]), FixedPoint(16, 0))
    graph = b.build([b.node("linear", "y", [x, w], FixedPoint(32, 0))])
    codes = np.array([[65535, 65535, 257], [65535, 65535, 2], [65535, 65534, 3]])
    want = reference(graph, {"x": codes})["y"]
    assert want[0, 0] == (1 << 24) + 1
    assert Executor(graph).arithmetic["y"] == "float64"
    assert np.array_equal(Executor(graph).trace({"x": codes})["y"], want)
    narrow = codes.astype(np.float32) @ np.array([[255], [1], [1]], np.float32)
    assert not np.array_equal(narrow.astype(np.int64), want)


def test_half_counts_against_the_float() -> None:
    """A sum below 2**24 whose rounding constant is not: float32 would round the constant away."""
    graph = linear(2, FixedPoint(8, 0, False), 65792 - 2, FixedPoint(8, -2))
    assert ((1 << 8) - 1) * (65792 - 1) < 1 << 24
    assert Executor(graph).arithmetic["y"] == "float32"
    graph = linear(2, FixedPoint(8, 0, False), 65792 - 2, FixedPoint(8, -14))
    assert Executor(graph).arithmetic["y"] == "float64"


def test_batches_larger_than_a_slice() -> None:
    rng = np.random.default_rng(3)
    b = GraphBuilder("big")
    x = b.input("x", (24, 24, 8), FixedPoint(8, 4))
    for i, groups in enumerate((1, 8, 2)):
        w = b.constant("w", rng.integers(-9, 9, (16 if groups == 1 else b.values[x].shape[-1], 3, 3,
                                                 b.values[x].shape[-1] // groups)), FixedPoint(8, 6))  # fmt: skip
        x = b.node("conv", f"conv{i}", [x, w], FixedPoint(8, 4), stride=(1, 1), padding=(1, 1, 1, 1),
                   dilation=(1, 1), groups=groups)  # fmt: skip
    graph = b.build([x])
    codes = rng.integers(-128, 128, (37, 24, 24, 8))
    fast = Executor(graph)
    assert fast._slice < 37
    assert all(np.array_equal(fast.trace({"x": codes})[n], a) for n, a in reference(graph, {"x": codes}).items())
    assert np.array_equal(fast.outputs({"x": codes})[x], reference(graph, {"x": codes})[x])


@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (1, 1, 1, 1)), ((2, 3), (0, 2, 1, 0))])
def test_samples_larger_than_a_slice(stride: tuple[int, int], padding: tuple[int, ...]) -> None:
    """One sample's windows do not fit: the output is made in strips of rows."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("tall")
    x = b.input("x", (150, 40, 8), FixedPoint(8, 4))
    w = b.constant("w", rng.integers(-9, 9, (5, 3, 3, 8)), FixedPoint(8, 6))
    bias = b.constant("b", rng.integers(-900, 900, 5), FixedPoint(16, 10))
    window = {"stride": stride, "padding": padding, "dilation": (1, 1), "groups": 1}
    graph = b.build([b.node("conv", "y", [x, w, bias], FixedPoint(8, 4), **window)])  # type: ignore[arg-type]
    codes = rng.integers(-128, 128, (3, 150, 40, 8))
    assert np.array_equal(Executor(graph).trace({"x": codes})["y"], reference(graph, {"x": codes})["y"])


def small() -> Graph:
    b = GraphBuilder("small")
    x = b.input("x", (4, 4, 2), FixedPoint(8, 4), (1, 2, 0))
    w = b.constant("w", np.arange(-9, 9).reshape(1, 3, 3, 2), FixedPoint(8, 4))
    y = b.node("conv", "y", [x, w], FixedPoint(8, 4, False), stride=(1, 1), padding=(1, 1, 1, 1),
               dilation=(1, 1), groups=1, lo=0)  # fmt: skip
    return b.build([y], {y: (1, 2, 0)})


def test_executor_is_compiled_once_and_dies_with_its_graph() -> None:
    graph = small()
    first = executor(graph)
    assert executor(graph) is first
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None
    again = small()
    assert executor(again) is not first


def test_threads_share_an_executor() -> None:
    graph = small()
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, (50, 4, 4, 2)) for _ in range(4)]
    want = [reference(graph, {"x": x})["y"] for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(20):
            if not np.array_equal(executor(graph).outputs({"x": inputs[i]})["y"], want[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_run_and_trace_speak_the_users_layout() -> None:
    graph = small()
    rng = np.random.default_rng(1)
    codes = rng.integers(-128, 128, (5, 2, 4, 4))
    want = reference(graph, {"x": codes.transpose(0, 2, 3, 1)})["y"]
    got = run(graph, codes)
    assert got.shape == (5, 1, 4, 4)
    assert got.dtype == np.int64
    assert np.array_equal(got, want.transpose(0, 3, 1, 2))
    assert np.array_equal(run(graph, codes / 16.0), got / 16.0)
    assert np.array_equal(trace(graph, codes)["y"], want)
