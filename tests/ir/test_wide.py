"""Sums beyond 63 bits: the reference and the fast emulator against plain Python integers, and how they fail."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeq.emulator import executor, reference
from edgeq.formats import NAMED, FixedPoint, encode_scalar, minifloat, overflow_scalar, round_scalar
from edgeq.ir import Graph, GraphBuilder, Node, analyse
from edgeq.passes import optimise
from tests.wide_sums import E5M2, PLACES, operators, rounding


def plain(graph: Graph, node: Node, x: list[int], row: list[int]) -> int:
    """The code of one output of a linear layer, one step after the other as docs/arithmetic.md has them."""
    fmt = graph.outs(node)[0].format
    assert isinstance(fmt.frac, int)
    number, rule = Fraction(sum(a * b for a, b in zip(x, row, strict=True)), 1 << PLACES), node.text("rounding")
    lo, hi = node.attrs.get("lo"), node.attrs.get("hi")
    if "overflow" in node.attrs:
        assert isinstance(fmt, FixedPoint)
        rounded = round_scalar(number * Fraction(2) ** fmt.frac, rule)
        return overflow_scalar(rounded, fmt, node.text("overflow"), (lo, hi))  # type: ignore[arg-type]
    grid = encode_scalar(number, fmt, rule)
    grid = grid if lo is None else max(grid, lo)  # type: ignore[type-var,assignment]
    return int(fmt.from_grid(np.array([grid]))[0])


def test_the_reference_is_plain_integer_arithmetic() -> None:
    graph, inputs = rounding()
    found, ranges = reference(graph, inputs), analyse(graph)
    weight = graph.values["w"]
    assert weight.data is not None
    rows = weight.format.to_grid(weight.data).tolist()
    samples = E5M2.to_grid(inputs["x"]).tolist()
    for node in graph.nodes:
        accumulator = ranges.accumulators[node.name]
        assert accumulator is not None
        assert accumulator.wide
        want = [[plain(graph, node, x, row) for row in rows] for x in samples]
        assert found[node.name].tolist() == want, node.name


def test_the_samples_aim_at_ties_and_at_what_nearly_is_one() -> None:
    """Of each rule some sums are ties at 2^62, and some would be but for the least bit of the products' grid."""
    graph, inputs = rounding()
    weight = graph.values["w"]
    assert weight.data is not None
    sums = [
        sum(a * b for a, b in zip(x, row, strict=True))
        for x in E5M2.to_grid(inputs["x"]).tolist()
        for row in weight.format.to_grid(weight.data).tolist()
    ]
    for down in (62, 63):
        half = 1 << down - 1
        assert sum(s % (1 << down) == half for s in sums) > 10
        assert sum(s % (1 << down) == half + 1 for s in sums) > 3
        assert sum(s % (1 << down) == half - 1 for s in sums) > 3


@pytest.mark.parametrize("make", [rounding, operators])
def test_the_fast_emulator_is_the_reference(make) -> None:  # type: ignore[no-untyped-def]
    graph, inputs = make()
    want, found = reference(graph, inputs), executor(graph).trace(inputs)
    assert all(np.array_equal(want[name], found[name]) for name in want)


def test_passes_keep_wide_sums() -> None:
    for graph, inputs in (rounding(), operators()):
        want, found = reference(graph, inputs), reference(optimise(graph), inputs)
        assert all(np.array_equal(want[name], found[name]) for name in graph.outputs)


def test_a_constant_channel_of_large_numbers_stays() -> None:
    """What it adds to the sums after it has no room in a bias: dead channels are found in whole integers."""
    b = GraphBuilder("dead")
    x = b.input("x", (2,), E5M2)
    first = b.node("linear", "first", (x, b.constant("w", [[60, 0], [0, 0]], E5M2),
                                       b.constant("b", [0, 120], FixedPoint(8, -8))), E5M2)  # fmt: skip
    graph = b.build([b.node("linear", "y", (first, b.constant("v", [[123, 123]], E5M2)), FixedPoint(16, -20))])
    inputs = {"x": np.array([[0, 0], [60, 188], [123, 251]])}
    assert np.array_equal(reference(optimise(graph), inputs)["y"], reference(graph, inputs)["y"])


@pytest.mark.parametrize("name", ["e5m2", "e5m2fnuz", "e5m2-none"])
@pytest.mark.parametrize("op", ["mul", "matmul"])
def test_products_of_all_codes(name: str, op: str) -> None:
    """Every product of two numbers of a format, into itself."""
    fmt = minifloat(name)
    assert isinstance(fmt.frac, int)
    top = int(fmt.from_grid(np.array([fmt.max_magnitude]))[0])
    codes = np.concatenate([np.arange(top + 1), np.arange(1, top + 1) | 128])
    b = GraphBuilder("all")
    shapes = ((codes.size, 1), (1, codes.size))
    x, y = (b.input(n, shape, fmt) for n, shape in zip("xy", shapes, strict=True))
    graph = b.build([b.node(op, "z", (x, y), fmt.per_tensor(fmt.frac - 9), rounding="half_even")])
    found = reference(graph, {"x": codes.reshape(1, -1, 1), "y": codes.reshape(1, 1, -1)})["z"][0]
    grid, rng = fmt.to_grid(codes).tolist(), np.random.default_rng(0)
    for i, j in rng.integers(0, codes.size, (3000, 2)):
        want = encode_scalar(Fraction(grid[i] * grid[j]) / 4**fmt.frac, fmt.per_tensor(fmt.frac - 9), "half_even")
        assert fmt.to_grid_scalar(int(found[i, j])) == want


def test_formats_that_fit_stay_in_64_bits() -> None:
    """E4M3, and E5M2 with weights of few bits: nothing but what needs it takes the wide accumulator."""
    for weight in (NAMED["e4m3"], FixedPoint(8, 4)):
        b = GraphBuilder("narrow")
        x, w = b.input("x", (4,), E5M2), b.constant("w", [[100, 1, 2, 3]], weight)
        accumulator = analyse(b.build([b.node("linear", "y", (x, w), E5M2)])).accumulators["y"]
        assert accumulator is not None
        assert not accumulator.wide
