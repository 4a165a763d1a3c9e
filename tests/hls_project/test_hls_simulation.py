"""C simulation: what is rendered computes what the emulator computes, and a single bit of a memory turns it red."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeq import verify
from edgeq.emulator import executor
from edgeq.errors import EdgeqError, ToolError, UnsupportedError
from edgeq.formats import Affine, FixedPoint
from edgeq.fpga import lower
from edgeq.fpga.ops import LOWERINGS, products
from edgeq.hls import simulate as module
from edgeq.hls.simulate import find_headers, simulate
from edgeq.ir import Graph
from edgeq.verify import TraceFunction
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.fpga.networks import U8, Net, digits
from tests.fpga.test_lowering import CASES, SLOW
from tests.fpga.test_verify_fpga import flipped
from tests.hls_project.tools import needs_csim


def assert_equal(graph: Graph, count: int = 2, seed: int = 0, dsps: int = 8, width: int = 32) -> None:
    """Every value of the simulated C++ has the emulator's codes."""
    inputs = random_inputs(graph, np.random.default_rng(seed), count)
    expected = executor(graph).trace(inputs)
    shown = simulate(lower(graph, dsps=dsps), inputs, width=width)
    for node in graph.nodes:
        for name in node.outputs:
            assert np.array_equal(shown[name], expected[name]), f"{node.label}: {name}"


@needs_csim
def test_weights_of_few_digits_without_a_product() -> None:
    graph = digits()
    flow = lower(graph, dsps=24, style="khot")
    assert {s.params["STYLE"] for s in flow.stages if s.module == "eq_mvu"} == {"khot"}
    assert verify(graph, TraceFunction("hls", lambda inputs: simulate(flow, inputs, width=64)), random=2).equal


@needs_csim
def test_a_changed_weight_bit_is_found_in_its_layer() -> None:
    graph = digits()
    flow = flipped(lower(graph, dsps=24), "long", "WEIGHTS", 7)
    board = TraceFunction("hls", lambda inputs: simulate(flow, inputs, width=64))
    result = verify(graph, board, random=2)
    assert not result.equal
    assert result.first_divergence is not None
    assert result.first_divergence.value == "long"


def assert_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, ops=sorted(LOWERINGS), max_nodes=6)
    try:
        beside = sum(products(graph, node) for node in graph.nodes)
        assert_equal(graph, 2, seed, (8, 16, 64)[seed % 3] + beside, (32, 64, 128)[seed % 3])
    except UnsupportedError as error:
        pytest.skip(str(error))


@needs_csim
def test_one_random_graph() -> None:
    assert_random(4)


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(10, 18))
def test_random_graph(seed: int) -> None:
    assert_random(seed)


class Several(Net):
    """A network of several parts, each with an input of its own."""

    def input(self, shape: Sequence[int], fmt: FixedPoint | Affine = U8) -> str:
        return self.b.input(self.b.unique("x"), shape, fmt)


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("part", range(2))
def test_operators(part: int) -> None:
    """All operators side by side, in two networks: a compiler takes its time for each program."""
    net = Several()
    names = sorted(CASES | SLOW)[part::2]
    assert_equal(net.b.build([(CASES | SLOW)[name](net) for name in names]), dsps=200)


@needs_csim
@pytest.mark.heavy
def test_a_board_by_name() -> None:
    graph = digits()
    result = verify(graph, "pynq-z2", random=2)
    assert result.equal
    assert result.tensors == sum(len(node.outputs) for node in graph.nodes)
    assert "pynq-z2" in result.line()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEQ_AP_TYPES", str(tmp_path))
    with pytest.raises(ToolError, match=r"there is no ap_int\.h in that folder"):
        find_headers()
    (tmp_path / "ap_int.h").write_text("", "ascii")
    assert find_headers() == tmp_path
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EdgeqError, match="no C\\+\\+ compiler: install g\\+\\+"):
        simulate(lower(digits(), dsps=24), {})
    monkeypatch.delenv("EDGEQ_AP_TYPES")
    with pytest.raises(ToolError, match=r"pip install edgeq\[hls\]"):
        find_headers()
