"""Random graphs with the modes of ap_fixed: emulator, host C, firmware on a Cortex-M4 and simulated Verilog are one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import RangeError, UnsupportedError
from edgeq.formats import DEFAULT_OVERFLOW, RULES
from edgeq.fpga import lower
from edgeq.fpga.ops import products
from edgeq.fpga.simulate import simulate
from edgeq.ir import Graph, Node
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.runners import available_runners
from edgeq.mcu.toolchains import available_toolchains
from edgeq.verify.random_graphs import random_graph, random_inputs

#: operators whose output stage every backend has; sums that divide only saturate in hardware
OPS = ["add", "concat", "conv", "linear", "matmul", "mul", "requantise", "requantise", "sub"]
Codes = dict[str, npt.NDArray[np.int64]]


def has_modes(graph: Graph) -> bool:
    """Whether some node rounds by a rule of fixed point only, and some node does not saturate."""
    rules = {n.attrs.get("rounding") for n in graph.nodes} - {*RULES, None}
    return bool(rules) and any(n.attrs.get("overflow", DEFAULT_OVERFLOW) != DEFAULT_OVERFLOW for n in graph.nodes)


def cases(first: int, count: int) -> list[tuple[Graph, Codes]]:
    """The first graphs from a seed on that have modes and that hardware takes."""
    found: list[tuple[Graph, Codes]] = []
    seed = first
    while len(found) < count:
        seed += 1
        graph = random_graph(np.random.default_rng([seed, 11]), ops=OPS, max_nodes=5, modes=True)
        if len(graph.nodes) < 3 or not has_modes(graph):
            continue
        try:
            flow(graph)
        except (UnsupportedError, RangeError):
            continue
        found.append((graph, random_inputs(graph, np.random.default_rng(seed), 3)))
    return found


def flow(graph: Graph):  # type: ignore[no-untyped-def]
    return lower(graph, dsps=8 + sum(products(graph, node) for node in graph.nodes))


def first_difference(graph: Graph, want: Codes, found: Codes) -> str | None:
    names = (name for node in graph.nodes for name in node.outputs)
    return next((n for n in names if not np.array_equal(want[n], found[n])), None)


def check_all(graph: Graph, inputs: Codes, folder: Path) -> None:
    """Every machine that is here gives every value that the golden execution gives."""
    want = reference(graph, inputs)
    board = load_board("cortex-m4")
    made = {"host": build(graph, "host", folder / "host")}
    if available_toolchains(board) and available_runners(board):
        made["cortex-m4"] = build(graph, board, folder / "m4")
    for name, result in made.items():
        assert first_difference(graph, want, trace(result, inputs)) is None, name
    if shutil.which("iverilog"):
        shown = simulate(flow(graph), inputs, tool="iverilog", stalls=0.3, inner_stalls=True).trace
        assert first_difference(graph, want, shown) is None, "rtl"


@pytest.mark.parametrize("number", range(2))
def test_all_machines(number: int, tmp_path: Path) -> None:
    check_all(*cases(0, 2)[number], tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(8))
def test_all_machines_on_more_graphs(number: int, tmp_path: Path) -> None:
    check_all(*cases(1000, 8)[number], tmp_path)


def test_a_changed_mode_is_found(tmp_path: Path) -> None:
    """A build of the graph with one node's overflow mode taken out differs at that node first."""
    graph, inputs = next(c for c in cases(0, 8) if first_difference(c[0], reference(*c), reference(plain(c[0]), c[1])))
    changed = plain(graph)
    want = reference(graph, inputs)
    expected = first_difference(graph, want, reference(changed, inputs))
    made = build(changed, "host", tmp_path / "host")
    assert expected is not None
    assert first_difference(graph, want, trace(made, inputs)) == expected
    producer = graph.producer(expected)
    assert producer is not None
    assert producer.attrs.get("overflow", DEFAULT_OVERFLOW) != DEFAULT_OVERFLOW


def plain(graph: Graph) -> Graph:
    """The graph where every node saturates."""
    nodes = []
    for n in graph.nodes:
        attrs = {key: value for key, value in n.attrs.items() if key != "overflow"}
        nodes.append(Node(n.op, n.name, n.inputs, n.outputs, attrs, n.source))
    return graph.replace(nodes=tuple(nodes))
