"""Minifloats in hardware: decoded to their grid, summed exactly, rounded once; every value equals the emulator."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from fpga.test_hardware_modes import differs, needs_iverilog
from fpga.test_verify_fpga import flipped

from edgeq.errors import FormatError, UnsupportedError
from edgeq.formats import NAMED, FixedPoint, Format, Minifloat
from edgeq.fpga.lower import lower
from edgeq.fpga.ops import LOWERINGS, products
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests import wide_sums

NAMES = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")
#: what hardware lacks whatever the format: slopes for each element, tables of wide codes, weights beyond the engines
REFUSED = (
    "hardware takes constant slopes",
    "bits does not fit; requantise its input",
    "the engines multiply up to",
    "the engine multiplies by up to",
)
#: operators whose sums need more than 63 bits, as `wide_sums.operators` names them
WIDE = (
    *("conv", "pairs", "depthwise", "scaled", "transposed", "linear", "groups", "matmul", "mul"),
    *("square", "add", "sub", "maximum", "minimum", "concat", "requantise", "sum"),
)


def network(weights: Minifloat, activations: Minifloat) -> Graph:
    """Convolution, depthwise, shortcut, pools and a linear layer; weights with a scale for each channel."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("small")
    assert isinstance(activations.frac, int)
    fmt = activations.per_tensor(activations.frac)

    def constant(name: str, shape: tuple[int, ...]) -> str:
        scales = tuple(int(s) for s in rng.integers(-4, -1, shape[0]))
        each = replace(weights, scale=scales, axis=0)
        grid = rng.choice(values_of(weights), shape)
        return b.constant(name, each.from_grid(grid), each)

    def layer(op: str, name: str, x: str, shape: tuple[int, ...], out: Format, **attrs: object) -> str:
        bias = b.constant(f"{name}.b", rng.integers(-3, 4, shape[0]), FixedPoint(4, 1))
        return b.node(op, name, [x, constant(f"{name}.w", shape), bias], out, rounding="half_even", **attrs)  # type: ignore[arg-type]

    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    x = b.input("x", (6, 6, 2), fmt)
    x = layer("conv", "first", x, (4, 3, 3, 2), fmt, groups=1, lo=0, **window)
    y = layer("conv", "each", x, (4, 3, 3, 1), fmt, groups=4, **window)
    y = b.node("add", "shortcut", [x, y], fmt, rounding="half_even")
    y = b.node("max_pool", "greatest", [y], fmt, kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(1, 1))
    y = b.node("concat", "both", [y, y], fmt, axis=2)
    y = b.node("requantise", "narrow", [y], FixedPoint(6, 2))
    y = b.node("requantise", "back", [y], fmt, rounding="half_even")
    y = b.node("average_pool", "mean", [y], fmt, kernel=(2, 2), stride=(1, 1), padding=(0,) * 4,
               include_pad=1, rounding="half_even")  # fmt: skip
    y = b.node("reshape", "flat", [y], fmt, shape=(32,))
    y = layer("linear", "head", y, (3, 32), FixedPoint(16, 4))
    return b.build([y])


def values_of(fmt: Minifloat) -> list[int]:
    """All finite grid integers."""
    found = []
    for code in range(1 << fmt.bits):
        with suppress(FormatError):
            found.append(fmt.to_grid_scalar(code))
    return found


@needs_iverilog
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", ["dsp", "lut"])
def test_a_network_equals_the_emulator(name: str, style: str) -> None:
    graph = network(NAMED[name], NAMED[name])
    inputs = random_inputs(graph, np.random.default_rng(0), 2)
    assert not differs(graph, lower(graph, dsps=16, style=style), inputs)


@needs_iverilog
def test_formats_mix() -> None:
    graph = network(NAMED["e2m1"], NAMED["e4m3"])
    assert not differs(graph, lower(graph, dsps=16), random_inputs(graph, np.random.default_rng(0), 2))


@needs_iverilog
def test_a_changed_weight_is_found() -> None:
    graph = network(NAMED["e2m3"], NAMED["e2m3"])
    inputs = random_inputs(graph, np.random.default_rng(0), 2)
    found = differs(graph, flipped(lower(graph, dsps=16), "each", "WEIGHTS", 3), inputs)
    assert found
    assert found[0] == "each"


def random_case(seed: int, formats: str) -> None:
    graph = random_graph(np.random.default_rng([seed, 7]), ops=sorted(LOWERINGS), max_nodes=5, formats=formats)  # type: ignore[arg-type]
    inputs = random_inputs(graph, np.random.default_rng(seed), 2)
    try:
        flow = lower(graph, dsps=16 + sum(products(graph, node) for node in graph.nodes))
    except UnsupportedError as error:
        if any(words in str(error) for words in REFUSED):
            pytest.skip(str(error))
        raise
    stalled = {"stalls": 0.4, "inner_stalls": True} if seed % 2 else {}
    assert not differs(graph, flow, inputs, seed=seed, **stalled)


@needs_iverilog
@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed: int) -> None:
    random_case(seed, "mixed" if seed % 2 else "minifloat")


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_graphs(seed: int) -> None:
    random_case(seed, "mixed" if seed % 2 else "minifloat")


def wide_case(graph: Graph, inputs: dict[str, np.ndarray], samples: int, style: str = "dsp") -> list[str]:  # type: ignore[type-arg]
    """Values of a network of wide sums that hardware makes otherwise."""
    flow = lower(graph, dsps=512, style=style)
    return differs(graph, flow, {name: codes[:samples] for name, codes in inputs.items()})


@needs_iverilog
@pytest.mark.sample(4)
@pytest.mark.parametrize("style", ["dsp", "lut"])
@pytest.mark.parametrize("name", WIDE)
def test_sums_beyond_63_bits(name: str, style: str) -> None:
    assert not wide_case(*wide_sums.operators([name]), 3, style)


@needs_iverilog
def test_ties_that_the_lowest_bit_decides() -> None:
    graph, inputs = wide_sums.rounding(("half_even",), ("half_even",), overflow=("wrap",))
    assert not wide_case(graph, inputs, 32)


@needs_iverilog
@pytest.mark.heavy
def test_every_rule_of_sums_beyond_63_bits() -> None:
    assert not wide_case(*wide_sums.rounding(), 96)


@needs_iverilog
def test_the_lowest_bit_of_a_wide_sum_counts() -> None:
    """One more on the grid of the products, 2^-63 of a step, makes other codes."""
    graph, inputs = wide_sums.rounding(("half_even",), (), overflow=())
    flow = lower(graph, dsps=512)
    name = f"half_even_{wide_sums.PLACES - wide_sums.POINTS[0]}"
    assert differs(graph, flipped(flow, name, "BIAS", 0), {"x": inputs["x"][:48]}) == [name]
