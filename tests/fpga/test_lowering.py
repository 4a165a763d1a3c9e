"""Lowering and simulation: every operator that has hardware computes what the emulator computes, stalls or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pytest

from edgeq.emulator import executor
from edgeq.errors import BudgetError, UnsupportedError
from edgeq.formats import Affine, FixedPoint
from edgeq.fpga import lower
from edgeq.fpga.ops import LOWERINGS, REFUSED, products
from edgeq.fpga.simulate import simulate
from edgeq.ir import OPERATORS, Graph
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.fpga.networks import U8, Net, digits, residual
from tests.scaled_graphs import MAKERS as SCALED
from tests.scaled_graphs import scaled_case

needs_iverilog = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")


def assert_equal(graph: Graph, count: int = 2, seed: int = 0, dsps: int = 8, **how: object) -> None:
    """Every value of the simulated Verilog has the emulator's codes."""
    inputs = random_inputs(graph, np.random.default_rng(seed), count)
    expected = executor(graph).trace(inputs)
    shown = simulate(lower(graph, dsps=dsps), inputs, tool="iverilog", seed=seed, **how).trace  # type: ignore[arg-type]
    for node in graph.nodes:
        for name in node.outputs:
            assert np.array_equal(shown[name], expected[name]), f"{node.label}: {name}"


def one(build: Callable[[Net], str]) -> Graph:
    net = Net()
    return net.b.build([build(net)])


def affine_add(net: Net) -> str:
    a, b = Affine(8, True, -128, 0.03), Affine(8, True, 4, 0.1)
    x = net.input((3, 3, 4), a)
    w = net.b.constant("w", net.rng.integers(-128, 128, (4, 1, 1, 4)), Affine(8, True, 0, 0.01))
    attrs = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1), "groups": 1, "rounding": "tflite"}
    y = net.b.node("conv", "c", [x, w], b, multiplier=(1459272781,), shift=(37,), **attrs)
    z = net.b.node("slice", "s", [y], b, begin=(0, 1, 0), end=(3, 3, 4), step=(1, 1, 1))
    z = net.b.node("pad", "p", [z], b, padding=(0, 0, 0, 1, 0, 0), mode="constant", value=0)
    return net.b.node(
        "add",
        "y",
        [x, z],
        Affine(8, True, -128, 0.05),
        left=20,
        a_multiplier=1623821475,
        a_shift=33,
        b_multiplier=1073741824,
        b_shift=31,
        rounding="tflite",
        multiplier=(1098017566,),
        shift=(48,),
        lo=0,
    )


def lines(net: Net, op: str, axis: int = 1) -> str:
    """A function of 16-bit codes by lines, with the tables of imported networks."""
    steps, out = np.arange(513), FixedPoint(16, 15)
    x = net.input((3, 5), Affine(16, True, 0, 2.0**-12))
    if op in ("sigmoid", "tanh"):
        table = net.b.constant("t", np.rint(65535 / (1 + np.exp(-steps[:256] / 24))), FixedPoint(16, 16, False))
        attrs = {"function": op, "argument_multiplier": 11, "argument_shift": 1}
        return net.b.node("sigmoid_lines", "y", [x, table], out, **attrs)
    exp = np.rint(np.exp(-10 * (512 - steps) / 512) * 32768).clip(0, 32767)
    tables = [exp, np.rint(32768 / (1 + steps / 512)).clip(0, 32767)]
    names = [net.b.constant(n, t.astype(np.int64), FixedPoint(16, 15)) for n, t in zip("er", tables, strict=True)]
    attrs = {"axis": axis, "distance_multiplier": 1759218604, "distance_shift": 32}
    return net.b.node("softmax_lines", "y", [x, *names], out, **attrs)


CASES: dict[str, Callable[[Net], str]] = {
    "conv, dilated": lambda n: n.conv("y", n.input((6, 5, 3)), 5, dilation=2),
    "conv, stride and uneven padding": lambda n: n.conv("y", n.input((7, 6, 2)), 4, stride=2, padding=(0, 1, 2, 0)),
    "conv, 1-D": lambda n: n.conv("y", n.input((11, 3)), 4, stride=2),
    "conv, groups": lambda n: n.conv("y", n.input((4, 4, 6)), 4, groups=2),
    "conv, depthwise": lambda n: n.conv("y", n.input((5, 5, 6)), 6, groups=6),
    "linear, rows": lambda n: n.linear("y", n.input((3, 7)), 5, FixedPoint(12, 6)),
    "affine add": affine_add,
    "average_pool": lambda n: n.b.node(
        "average_pool", "y", [n.input((5, 5, 3))], U8, kernel=(3, 3), stride=(2, 2), padding=(1,) * 4, include_pad=0
    ),
    "mean over the image": lambda n: n.b.node("mean", "y", [n.input((5, 3, 4))], U8, axes=(0, 1), keep_axes=0),
    "sum over channels": lambda n: n.b.node("sum", "y", [n.input((5, 4))], FixedPoint(12, 4), axes=(1,), keep_axes=1),
    "multiply by a gate for each channel": lambda n: n.b.node(
        "mul", "y", [x := n.input((4, 4, 4)), n.b.node("mean", "g", [x], U8, axes=(0, 1), keep_axes=1)], U8
    ),
    "concat of formats": lambda n: n.b.node(
        "concat", "y", [x := n.input((3, 3, 2)), n.conv("c", x, 3, fmt=FixedPoint(8, 5))], U8, axis=2
    ),
    "concat of rows": lambda n: n.b.node("concat", "y", [x := n.input((3, 2)), x], U8, axis=0),
    "constant operand": lambda n: n.b.node("add", "y", [n.input((3, 4)), n.constant("k", (4,))], FixedPoint(9, 3)),
    "wide requantise": lambda n: n.b.node("requantise", "y", [n.input((6,), FixedPoint(16, 8))], FixedPoint(8, 2)),
    "prelu, a slope for each channel": lambda n: n.b.node(
        "prelu", "y", [n.input((3, 4), FixedPoint(8, 4)), n.constant("slope", (4,))], FixedPoint(8, 4)
    ),
    "transpose": lambda n: n.b.node("transpose", "y", [n.input((3, 4, 2))], U8, permutation=(2, 0, 1)),
    "conv_transpose": lambda n: n.b.node(
        "conv_transpose",
        "y",
        [n.input((3, 4, 2)), n.constant("w", (4, 3, 3, 1))],
        FixedPoint(8, 3),
        stride=(2, 2),
        dilation=(1, 1),
        padding=(1, 1, 0, 1),
        output_padding=(1, 0),
        groups=2,
    ),
    "resize_bilinear": lambda n: n.b.node(
        "resize_bilinear",
        "y",
        [n.input((3, 2, 2))],
        U8,
        size=(5, 2),
        low=(0, 0, 1, 1, 2, 0, 0),
        high=(0, 1, 2, 2, 2, 1, 1),
        weight=(0, 12, 4, 8, 0, 0, 16),
        bits=4,
        rounding="half_even",
    ),
    "matmul, both from one value": lambda n: n.b.node(
        "matmul",
        "y",
        [x := n.input((5, 4)), n.b.node("transpose", "t", [x], U8, permutation=(1, 0))],
        FixedPoint(16, 4),
    ),
    "matmul, batch and a constant": lambda n: n.b.node(
        "matmul", "y", [n.input((2, 3, 5)), n.constant("k", (2, 5, 4))], FixedPoint(12, 4)
    ),
    "matmul, a constant in front": lambda n: n.b.node(
        "matmul", "y", [n.constant("k", (3, 5)), n.input((5, 4))], FixedPoint(12, 4)
    ),
    "sigmoid_lines": lambda n: lines(n, "sigmoid"),
    "sigmoid_lines, tanh": lambda n: lines(n, "tanh"),
    "softmax_lines": lambda n: lines(n, "softmax"),
    "softmax_lines, first axis": lambda n: lines(n, "softmax", axis=0),
    "resize_bilinear, 1-D": lambda n: n.b.node(
        "resize_bilinear", "y", [n.input((3, 2))], U8, size=(2,), low=(0, 1), high=(1, 2), weight=(3, 1), bits=2
    ),
    "resize_nearest": lambda n: n.b.node("resize_nearest", "y", [n.input((3, 2, 2))], U8, size=(5, 4)),
}


@needs_iverilog
@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    assert_equal(one(CASES[name]))


@needs_iverilog
@pytest.mark.parametrize("how", [{}, {"stalls": 0.5, "inner_stalls": True}], ids=["free", "stalled"])
def test_network(how: dict[str, object]) -> None:
    assert_equal(digits(), 2, dsps=24, **how)


@needs_iverilog
def test_cycles_are_those_of_the_slowest_stage() -> None:
    flow = lower(digits(), dsps=24)
    found = simulate(flow, random_inputs(flow.graph, np.random.default_rng(0), 4), tool="iverilog")
    assert abs(found.cycles - flow.cycles) <= flow.cycles // 100
    assert found.latency > found.cycles


def pool(net: Net, kernel: tuple[int, int], padding: int = 0) -> str:
    attrs = {"kernel": kernel, "stride": (2, 2), "padding": (padding,) * 4, "include_pad": 0}
    return net.b.node("average_pool", "y", [net.input((6, 6, 3))], U8, **attrs)


def softmax(net: Net, op: str) -> str:
    """Rows of seven, codes all alike: the greatest sum there is."""
    steps = np.arange(256)
    x = net.input((2, 7), FixedPoint(8, 4) if op == "softmax" else Affine(8, True, 0, 0.1))
    if op == "softmax":
        table = net.b.constant("t", np.rint(32767 * np.exp(-steps / 16)), FixedPoint(16, 0))
        return net.b.node(op, "y", [x, table], FixedPoint(8, 8, False), axis=1)
    table = net.b.constant("t", np.rint(((1 << 31) - 1) * np.exp(-steps / 50)), FixedPoint(32, 31))
    return net.b.node(op, "y", [x, table], Affine(8, True, -128, 1 / 256), axis=1)


SLOW: dict[str, Callable[[Net], str]] = {
    "pool, 2x2": lambda n: pool(n, (2, 2)),
    "pool, 3x3 with padding": lambda n: pool(n, (3, 3), 1),
    "pool, 2x1": lambda n: pool(n, (2, 1)),
    "softmax": lambda n: softmax(n, "softmax"),
    "softmax_reciprocal": lambda n: softmax(n, "softmax_reciprocal"),
    "resize_bilinear": lambda n: CASES["resize_bilinear"](n),
    "matmul": lambda n: CASES["matmul, batch and a constant"](n),
}


@needs_iverilog
@pytest.mark.parametrize("name", SLOW)
def test_cycles_of_stages_that_are_slower_than_their_beats(name: str) -> None:
    """What is predicted is what is simulated, divisions and repeated reads included."""
    flow = lower(one(SLOW[name]), cycles=4096)
    codes = np.zeros((4, *flow.graph.values["x"].shape), dtype=np.int64)
    found = simulate(flow, {"x": codes}, tool="iverilog").cycles
    assert found - 4 <= flow.cycles <= found * 1.02 + 4


def test_a_pool_inside_the_image_needs_no_divider() -> None:
    """Without a tap in the padding the divisor is a constant, here a power of two."""
    divisors = [
        next(s.integer("COUNT_PAD") for s in lower(one(build)).stages if s.module == "eq_average_pool")
        for build in (SLOW["pool, 2x2"], SLOW["pool, 3x3 with padding"])
    ]
    assert divisors == [1, 0]


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(40))
def test_random_graph(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, ops=sorted(LOWERINGS), max_nodes=6)
    stalled = {"stalls": 0.4, "inner_stalls": True} if seed % 2 else {}
    try:
        beside = sum(products(graph, node) for node in graph.nodes)
        assert_equal(graph, 2, seed, (8, 16, 64)[seed % 3] + beside, **stalled)
    except UnsupportedError as error:
        pytest.skip(str(error))


def test_what_has_no_hardware_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LOWERINGS, "matmul")
    net = Net()
    x = net.input((3, 4))
    y = net.b.node("matmul", "head.scores", [x, net.b.node("transpose", "t", [x], U8, permutation=(1, 0))], U8)
    with pytest.raises(UnsupportedError, match=r"head\.scores.*operator matmul has no hardware.*microcontroller"):
        lower(net.b.build([y]))


def test_every_operator_has_hardware() -> None:
    assert LOWERINGS.keys() | REFUSED.keys() == OPERATORS.keys()
    assert not LOWERINGS.keys() & REFUSED.keys()


def test_branches_chosen_at_run_time_are_refused() -> None:
    net = Net()
    x = net.input((3, 4), U8)
    bit = net.b.node("within", "patch", [x], FixedPoint(1, 0, False), least=0, most=9)
    graph = net.b.build([net.b.node("select", "chosen", [bit, x, x], U8)])
    with pytest.raises(
        UnsupportedError, match=r"patch.*no hardware: it would build all branches.*without --at-run-time"
    ):
        lower(graph)


def test_products_outside_of_engines_are_taken_from_the_budget() -> None:
    def behind(op: str) -> int:
        def build(net: Net) -> str:
            x = lines(net, op) if op else net.input((3, 5), FixedPoint(16, 15))
            return net.linear("head", x, 8, FixedPoint(16, 4))

        return lower(one(build), dsps=9).multipliers

    spent = {op: behind(op) for op in ("", "sigmoid", "softmax")}
    assert spent[""] > spent["softmax"]
    assert spent["sigmoid"] <= 8
    assert spent["softmax"] <= 6


@needs_iverilog
def test_matrix_products_in_logic() -> None:
    graph = one(CASES["matmul, both from one value"])
    inputs = random_inputs(graph, np.random.default_rng(0), 2)
    shown = simulate(lower(graph, style="lut"), inputs, tool="iverilog", stalls=0.4, inner_stalls=True).trace
    assert np.array_equal(shown["y"], executor(graph).trace(inputs)["y"])


def test_targets_out_of_reach_are_named() -> None:
    with pytest.raises(BudgetError, match=r"stem.*cannot be done in 2 cycles; ask for at least"):
        lower(residual(1), cycles=2)
    with pytest.raises(BudgetError, match="needs at least one"):
        lower(residual(3), dsps=2)
    net = Net()
    head = net.linear("head", lines(net, "softmax"), 8, FixedPoint(16, 4))
    with pytest.raises(BudgetError, match="3 multipliers, of which stages beside engines take 3: with 0 multipliers"):
        lower(net.b.build([head]), dsps=3)


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("op", sorted(SCALED))
def test_operators_of_imported_networks(op: str) -> None:
    for seed in range(4):
        graph, inputs = scaled_case(op, seed, 3)
        try:
            flow = lower(graph, dsps=8)
        except UnsupportedError:
            assert op == "prelu"  # a slope for each element
            continue
        shown, expected = simulate(flow, inputs, tool="iverilog").trace, executor(graph).trace(inputs)
        assert all(np.array_equal(shown[v], expected[v]) for node in graph.nodes for v in node.outputs)
