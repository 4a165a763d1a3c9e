"""Range analysis: never exceeded, reached where it can be, and a network that 64 bits cannot hold is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases

from edgeq.emulator import reference
from edgeq.errors import RangeError
from edgeq.formats import NAMED, FixedPoint, Format
from edgeq.ir import Accumulator, Graph, GraphBuilder, Interval, Node, analyse, operator
from edgeq.ir.operator import Arithmetic
from edgeq.ir.ranges import signed_bits

S8 = FixedPoint(8, 4)


def accumulated(graph: Graph, node: Node, trace: dict[str, np.ndarray]) -> tuple[int, int]:
    """Least and greatest number that this node's accumulator held: aligned, half a step of the output added or not."""
    op, ins, (out,) = operator(node.op), graph.ins(node), graph.outs(node)
    assert isinstance(op, Arithmetic)
    given = [v.data if v.data is not None else trace[v.name] for v in ins]
    exact = op.exact(node, ins, op.grids(node, ins, out, given))
    assert isinstance(out.format.frac, int)
    num, frac, den = np.broadcast_arrays(exact.num, exact.frac, exact.den)
    found, most = [0], 94 if exact.num.dtype == object else 62
    for n, f, d in zip(num.ravel().tolist(), frac.ravel().tolist(), den.ravel().tolist(), strict=True):
        shift = out.format.frac - f
        half = (d << min(max(-shift, 0), most)) >> 1 if d > 1 or shift < 0 else 0
        aligned = n << shift if shift > 0 and n else n
        found += [aligned, aligned + half]
    return min(found), max(found)


def assert_sound(graph: Graph, codes: dict[str, np.ndarray]) -> int:
    """No value and no accumulator leaves its bounds; returns how many numbers were looked at."""
    ranges, trace, looked = analyse(graph), reference(graph, codes), 0
    for name, found in trace.items():
        grid = graph.values[name].format.to_grid(found)
        bound = ranges.values[name]
        assert bound.lo <= grid.min(), f"{name}: {grid.min()} is below {bound}"
        assert grid.max() <= bound.hi, f"{name}: {grid.max()} is above {bound}"
        looked += grid.size
    for node in graph.nodes:
        accumulator = ranges.accumulators[node.name]
        if accumulator is not None:
            least, most = accumulated(graph, node, trace)
            assert accumulator.lo <= least, f"{node}: {least} below {accumulator}"
            assert most <= accumulator.hi, f"{node}: {most} above {accumulator}"
    return looked


@settings(max_examples=150, deadline=None)
@given(cases(max_nodes=10))
def test_random_graphs_stay_within(case: Case) -> None:
    assert assert_sound(*case) > 0


def linear(weights: np.ndarray, bias: list[int] | None, x: Format = S8, w: Format = S8, out: Format = S8) -> Graph:
    b = GraphBuilder("linear")
    names = [b.input("x", (weights.shape[1],), x), b.constant("w", weights, w)]
    if bias is not None:
        names.append(b.constant("b", bias, FixedPoint(32, 8)))
    return b.build([b.node("linear", "y", names, out, "head.fc")])


@pytest.mark.parametrize("bias", [None, [0, 3], [-5, 2]])
def test_every_input_and_every_order_of_small_sums(bias: list[int] | None) -> None:
    """All inputs of 3 bits, all subsets of the terms (so all partial sums of all orders): never out, and reached."""
    weights = np.array([[3, -2, 1], [-7, 5, 0]])
    graph = linear(weights, bias, FixedPoint(3, 4))
    node = graph.nodes[0]
    bounds = operator("linear").bounds(node, graph.ins(node), [Interval(-4, 3)])
    assert bounds is not None
    for channel, row in enumerate(weights.tolist()):
        reached = set()
        for x in product(range(-4, 4), repeat=3):
            terms = [a * b for a, b in zip(row, x, strict=True)] + ([bias[channel]] if bias else [])
            reached |= {sum(t for t, take in zip(terms, taken, strict=True) if take)
                        for taken in product((0, 1), repeat=len(terms))}  # fmt: skip
        assert (min(reached), max(reached)) == (bounds.lo[channel], bounds.hi[channel])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 12), st.integers(2, 8), st.integers(2, 16), st.booleans())
def test_the_worst_input_reaches_the_bound(seed: int, terms: int, w_bits: int, x_bits: int, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    fmt = FixedPoint(w_bits, 4)
    weights = rng.integers(*fmt.code_range, (3, terms), endpoint=True)
    graph = linear(weights, None, FixedPoint(x_bits, 4, signed), fmt, FixedPoint(32, 8))
    accumulator = analyse(graph).accumulators["y"]
    assert accumulator is not None
    lo, hi = FixedPoint(x_bits, 4, signed).code_range
    best = np.where(weights > 0, hi, lo)
    worst = np.where(weights > 0, lo, hi)
    codes = np.concatenate([best, worst])
    sums = codes.astype(object) @ weights.T.astype(object)
    # The output has the products' point, so there is nothing to align and no half step.
    assert accumulator == Accumulator(min(0, int(sums.min())), max(0, int(sums.max())))
    assert_sound(graph, {"x": codes})


def test_bounds_of_a_relu_narrow_the_next_layer() -> None:
    weights = np.full((1, 4), 100)
    found = {}
    for hi in (127, 15):
        b = GraphBuilder("relu")
        x = b.node("requantise", "relu", (b.input("x", (4,), S8),), S8, lo=0, hi=hi)
        graph = b.build([b.node("linear", "y", (x, b.constant("w", weights, S8)), FixedPoint(32, 8))])
        ranges = analyse(graph)
        assert ranges.values["relu"] == Interval(0, hi)
        found[hi] = ranges.accumulators["y"]
    assert found == {127: Accumulator(0, 127 * 400), 15: Accumulator(0, 15 * 400)}


def test_alignment_and_half_a_step_are_included() -> None:
    up = analyse(linear(np.array([[100]]), None, out=FixedPoint(32, 20))).accumulators["y"]
    assert up == Accumulator(-12800 << 12, 12700 << 12)
    down = analyse(linear(np.array([[100]]), None, out=S8)).accumulators["y"]
    assert down == Accumulator(-12800 - 8, 12700 + 8)


def test_pad_brings_its_fill_in() -> None:
    b = GraphBuilder("pad")
    x = b.node("requantise", "x1", (b.input("x", (3,), S8),), S8, lo=2, hi=5)
    for value, bound in ((0, Interval(0, 5)), (-9, Interval(-9, 5)), (9, Interval(0, 9))):
        name = b.node("pad", f"p{value}", (x,), S8, padding=(1, 1), mode="constant", value=value)
        graph = b.build([name])
        assert analyse(graph).values[name] == bound
        assert_sound(graph, {"x": np.array([[0, 3, 9]])})


@pytest.mark.parametrize(("op", "sign"), [("add", -1), ("sub", 1)])
def test_aligned_operands_fit_as_well_as_their_sum(op: str, sign: int) -> None:
    """100 + (-100) is small, but both stand in the accumulator before they are added, shifted to the finer grid."""
    b = GraphBuilder(op)
    x = b.node("requantise", "x1", (b.input("x", (1,), S8),), S8, lo=90, hi=100)
    c = b.constant("c", [sign * 100 * 8], FixedPoint(16, 7))
    graph = b.build([b.node(op, "y", (x, c), FixedPoint(32, 7))])
    found = analyse(graph).accumulators["y"]
    assert found == Accumulator(min(-80, sign * 800), 800)


def test_averages_know_both_divisors() -> None:
    b = GraphBuilder("average")
    x = b.input("x", (4, 1), S8)
    y = b.node("average_pool", "y", (x,), FixedPoint(12, 4), kernel=(3,), stride=(1,), padding=(2, 2), include_pad=0)
    graph = b.build([y])
    # A window at the border sees one element and divides by one.
    assert analyse(graph).values["y"].hi >= 127
    assert_sound(graph, {"x": np.array([[[127], [127], [127], [127]], [[-128], [127], [-128], [-128]]])})


def test_rows_are_kept_with_their_constant() -> None:
    graph = linear(np.array([[3, -2, 1], [-7, 5, 0]]), None)
    weight = graph.values["w"]
    assert weight.row_sums == ((4, 5), (-2, -7))
    assert weight.row_sums is weight.row_sums


@pytest.mark.parametrize(
    ("lo", "hi", "bits"),
    [
        (0, 0, 1),
        (0, 1, 2),
        (-1, 0, 1),
        (-128, 127, 8),
        (-129, 0, 9),
        (0, 128, 9),
        (-(1 << 31), 0, 32),
        (0, 1 << 31, 33),
    ],
)
def test_signed_bits(lo: int, hi: int, bits: int) -> None:
    assert signed_bits(lo, hi) == Accumulator(lo, hi).bits == bits


def test_sums_just_within_and_just_beyond_63_bits() -> None:
    """32-bit inputs times 31-bit weights: one term fits 62 bits, four do not, and take the wide accumulator."""
    x, w = FixedPoint(32), FixedPoint(31)
    good = linear(np.array([[(1 << 30) - 1]]), None, x, w, FixedPoint(32))
    assert analyse(good).accumulators["y"].bits == 62
    # No half step is added on the products' own grid; on a coarser one the sum and half a step must fit.
    assert analyse(linear(np.array([[(1 << 30) - 1]]), None, x, w, FixedPoint(32, -30))).accumulators["y"].bits == 62
    narrow = analyse(linear(np.array([[(1 << 30) - 1]]), None, x, w, FixedPoint(32))).accumulators["y"]
    wide = analyse(linear(np.full((1, 4), (1 << 30) - 1), None, x, w, FixedPoint(32))).accumulators["y"]
    assert (narrow.wide, wide.wide, wide.bits) == (False, True, 64)


@pytest.mark.parametrize(("point", "bits"), [(-30, 93), (-31, 94), (-32, 95), (-33, None)])
def test_sums_just_within_and_just_beyond_95_bits(point: int, bits: int | None) -> None:
    """A term of 62 bits and a bias that is shifted to the left by 32 and more."""
    bias = (np.array([-(1 << 31)]), FixedPoint(32, 4 + point))
    graph = GraphBuilder("bias")
    x = graph.input("x", (1,), FixedPoint(32, 4))
    w = graph.constant("w", [[(1 << 30) - 1]], FixedPoint(31, 30))
    y = graph.node("linear", "y", (x, w, graph.constant("b", *bias)), FixedPoint(8), "head.fc")
    if bits is not None:
        assert analyse(graph.build([y])).accumulators["y"].bits == bits
        return
    with pytest.raises(
        RangeError,
        match=r"linear y \(layer head.fc\): its sum needs 96 bits, more than the 95 that the arithmetic holds",
    ):
        graph.build([y])


def test_half_a_step_is_part_of_a_wide_sum() -> None:
    """2^62 · k on the grid of 2^-32: halves of the output's step count up to 2^93."""
    e5m2 = NAMED["e5m2"]
    for down, bits in ((60, 64), (62, 64), (70, 70), (94, 94), (500, 94)):
        b = GraphBuilder("down")
        x, w = b.input("x", (1,), e5m2), b.constant("w", [[120]], e5m2)
        graph = b.build([b.node("linear", "y", (x, w), FixedPoint(8, 32 - down))])
        assert abs(analyse(graph).accumulators["y"].bits - bits) <= 1, down
        assert_sound(graph, {"x": np.array([[0], [1], [123], [251]])})


def test_sums_that_are_divided_have_63_bits() -> None:
    b = GraphBuilder("mean")
    x = b.input("x", (3, 1), NAMED["e5m2"])
    with pytest.raises(RangeError, match=r"its sum, which is divided, needs \d+ bits, more than the 63 that"):
        b.build([b.node("mean", "y", (x,), FixedPoint(8, 50), axes=(0,), keep_axes=0)])


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("far points", lambda b, x: b.node("add", "n", (x, b.constant("c", [1], FixedPoint(8, 110))), S8)),
        ("fine output", lambda b, x: b.node("requantise", "n", (x,), FixedPoint(8, 90))),
        ("far concat", lambda b, x: b.node("concat", "n", (x, b.constant("c", [1], FixedPoint(8, 119))), S8, axis=0)),
    ],
)
def test_what_would_wrap_is_refused(name: str, build: object) -> None:
    b = GraphBuilder(name)
    out = build(b, b.input("x", (1,), NAMED["e5m2"]))  # type: ignore[operator]
    with pytest.raises(RangeError, match=r"n: its sum needs \d+ bits.*narrower formats, closer binary points or fewer"):
        b.build([out])


def test_far_points_of_zeros_are_no_reason_to_refuse() -> None:
    b = GraphBuilder("zeros")
    x = b.input("x", (1,), S8)
    c = b.constant("c", [0], FixedPoint(8, -700))
    graph = b.build([b.node("add", "y", (x, c), S8)])
    assert reference(graph, {"x": np.array([[5], [-3]])})["y"].tolist() == [[5], [-3]]
