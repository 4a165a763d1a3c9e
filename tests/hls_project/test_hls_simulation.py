"""C simulation: what is rendered computes what the emulator computes, and a single bit of a memory turns it red."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.networks import khot
from edgeq import verify
from edgeq.emulator import executor
from edgeq.errors import EdgeqError, ToolError, UnsupportedError
from edgeq.formats import NAMED, Affine, FixedPoint, KHot
from edgeq.formats.khot import DIGITS
from edgeq.fpga import lower
from edgeq.fpga.dataflow import Dataflow
from edgeq.fpga.khot import find_places
from edgeq.fpga.ops import LOWERINGS, products
from edgeq.fpga.simulate import call
from edgeq.hls import simulate as module
from edgeq.hls.render import write
from edgeq.hls.simulate import find_compiler, find_headers, simulate
from edgeq.ir import Graph, Node
from edgeq.verify import TraceFunction
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests import wide_sums
from tests.fpga.networks import U8, Net, digits, residual
from tests.fpga.test_hardware_formats import DIRECTIONS, NAMES, WRONG, inputs_of, lowered, spoilt, walk
from tests.fpga.test_hardware_groups import network as groups
from tests.fpga.test_hardware_minifloats import WIDE
from tests.fpga.test_hardware_minifloats import network as minifloats
from tests.fpga.test_hardware_modes import OPS, aimed, every_mode
from tests.fpga.test_khot import small as layers
from tests.fpga.test_khot import tiny as two_layers
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


@pytest.mark.heavy
@needs_csim
@pytest.mark.skipif(not shutil.which("nm"), reason="nm is not installed (binutils)")
def test_cpp_of_digits_holds_no_multiplication(tmp_path: Path) -> None:
    """A compiler that optimises nothing names every operator of ap_int that it was asked for."""
    graph, names = khot(layers(), KHot(8, 2, "binary")), ("first", "depthwise", "head")
    for style, wanted in (("khot", False), ("dsp", True)):
        flow, place = lower(graph, cycles=2000, styles=dict.fromkeys(names, style)), tmp_path / style
        write(flow, place, 32)
        options = f"-std=c++14 -O0 -w -c -I. -I{find_headers()} -o core.o {flow.name}_core.cpp"
        call([*find_compiler(), *options.split()], place, "build.log")
        named = subprocess.run(["nm", "-C", "core.o"], cwd=place, capture_output=True, text=True, check=True).stdout
        assert "operator+" in named
        assert (re.search(r"operator ?\*=?<", named) is not None) is wanted, style


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(400, 406))
def test_random_graph_of_digits(seed: int) -> None:
    """Both kinds of digits, one to three of them, in style khot wherever it applies."""
    kept = ["conv", "linear", "conv_transpose", "add", "mul", "max_pool", "average_pool", "requantise", "reshape"]
    fmt = KHot(8, 1 + seed % 3, DIGITS[seed % 2])
    graph = khot(random_graph(np.random.default_rng([seed, 11]), ops=kept, max_nodes=6), fmt)
    beside = sum(products(graph, node) for node in graph.nodes)
    hot = {n.name: "khot" for n in graph.nodes if n.op in ("conv", "linear") and digits_fit(graph, n)}
    inputs = random_inputs(graph, np.random.default_rng(seed), 2)
    expected, shown = executor(graph).trace(inputs), simulate(lower(graph, dsps=16 + beside, styles=hot), inputs)
    assert all(np.array_equal(shown[v], expected[v]) for node in graph.nodes for v in node.outputs)


def digits_fit(graph: Graph, node: Node) -> bool:
    """Whether a layer's weights can be lists of digits in hardware."""
    weights = graph.ins(node)[1].data
    return weights is not None and bool(find_places(weights, 8))


@needs_csim
def test_a_changed_weight_bit_is_found_in_its_layer() -> None:
    graph = digits()
    flow = flipped(lower(graph, dsps=24), "long", "WEIGHTS", 7)
    board = TraceFunction("hls", lambda inputs: simulate(flow, inputs, width=64))
    result = verify(graph, board, random=2)
    assert not result.equal
    assert result.first_divergence is not None
    assert result.first_divergence.value == "long"


@needs_csim
def test_a_changed_shift_and_a_wrong_fifo_are_found_in_their_layers() -> None:
    """The last convolution's shift; then the sum takes both operands from the branch that comes out of the FIFO."""
    graph = residual(2)
    flow = lower(graph, dsps=8)
    shifts = [s for s in flow.stages if s.module == "eq_shift" and s.integer("CHANNELS") == 1]
    wrong = replace(shifts[-1], params={**shifts[-1].params, "SHIFT": shifts[-1].integer("SHIFT") + 1})
    changed = replace(flow, stages=tuple(wrong if s is shifts[-1] else s for s in flow.stages))
    result = verify(graph, TraceFunction("hls", lambda inputs: simulate(changed, inputs)), random=2)
    assert result.first_divergence is not None
    assert result.first_divergence.value == next(n.outputs[0] for n in graph.nodes if n.name == wrong.node)

    late = next(s for s in flow.stages if s.module == "eq_fifo").sinks()[0]
    join = next(s for s in flow.stages if len(s.sources()) > 1)
    wrong = replace(join, ins=dict.fromkeys(join.ins, late))
    changed = replace(flow, stages=tuple(wrong if s is join else s for s in flow.stages))
    with pytest.raises(ToolError, match=r"C simulation: .*(WARNING|beats|empty)"):
        simulate(changed, random_inputs(graph, np.random.default_rng(0), 2))


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


def wrong_modes(flow: Dataflow) -> list[str]:
    """Outputs of `every_mode`, lowered, whose simulated codes are not the emulator's."""
    graph, inputs = every_mode(), aimed()
    expected, shown = executor(graph).trace(inputs), simulate(flow, inputs)
    return [name for name in graph.outputs if not np.array_equal(shown[name], expected[name])]


@pytest.mark.heavy
@needs_csim
def test_every_mode() -> None:
    """All rules and overflow modes of fixed point, about every tie and end."""
    assert not wrong_modes(lower(every_mode(), dsps=8))


@needs_csim
@pytest.mark.heavy
def test_a_wrong_mode_is_seen() -> None:
    flow = lower(every_mode(), dsps=8)
    wrong = []
    for stage in flow.stages:
        params = dict(stage.params)
        if params.get("OVERFLOW") and params["RULE"] == 5:
            params["OVERFLOW"] = 3 - stage.integer("OVERFLOW")
        wrong.append(replace(stage, params=params))
    assert wrong_modes(replace(flow, stages=tuple(wrong))) == ["half_down_wrap", "half_down_zero"]


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(200, 208))
def test_random_graph_with_modes(seed: int) -> None:
    graph = random_graph(np.random.default_rng([seed, 3]), ops=OPS, max_nodes=4, modes=True)
    try:
        assert_equal(graph, 2, seed, (8, 16)[seed % 2] + sum(products(graph, node) for node in graph.nodes))
    except UnsupportedError as error:
        pytest.skip(str(error))


@pytest.mark.heavy
@needs_csim
def test_minifloats() -> None:
    assert_equal(minifloats(NAMED["e2m1"], NAMED["e4m3"]))


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_every_operator_with_minifloats(name: str, direction: str) -> None:
    """Coming in, going out, or both; a compiler takes its time for each of these networks."""
    graph = walk(name, direction)
    inputs, expected = inputs_of(graph), executor(graph).trace(inputs_of(graph))
    shown = simulate(lowered(graph), inputs, width=64)
    assert [v for n in graph.nodes for v in n.outputs if not np.array_equal(shown[v], expected[v])] == []


@needs_csim
@pytest.mark.heavy
def test_operators_with_minifloats_and_something_wrong() -> None:
    graph = walk("e3m2", "both", WRONG)
    inputs, expected = inputs_of(graph), executor(graph).trace(inputs_of(graph))
    shown = simulate(spoilt(lowered(graph)), inputs)
    found = {n.op for n in graph.nodes if not np.array_equal(shown[n.outputs[0]], expected[n.outputs[0]])}
    assert found == WRONG.keys()


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(300, 306))
def test_random_graph_of_minifloats(seed: int) -> None:
    graph = random_graph(np.random.default_rng([seed, 7]), max_nodes=5, formats="mixed" if seed % 2 else "minifloat")
    try:
        assert_equal(graph, 2, seed, 16 + sum(products(graph, node) for node in graph.nodes))
    except UnsupportedError as error:
        pytest.skip(str(error))


@needs_csim
@pytest.mark.heavy
def test_the_compiler_of_ziglang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no compiler is installed, the package brings one."""
    pytest.importorskip("ziglang")
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert find_compiler()[1:4] == ["-m", "ziglang", "c++"]
    assert_equal(two_layers(), dsps=4)


@needs_csim
@pytest.mark.heavy
def test_group_scales() -> None:
    assert_equal(groups(), dsps=16)


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
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("XILINX_HLS", raising=False)
    with pytest.raises(ToolError, match=r"pip install edgeq\[hls\].*settings64\.sh of Vitis HLS has set XILINX_HLS"):
        find_headers()
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    with pytest.raises(ToolError, match=r"needs ap_int\.h"):
        find_headers()
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ap_int.h").write_text("", "ascii")
    assert find_headers() == tmp_path / "include"
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(EdgeqError, match="no C\\+\\+ compiler: install g\\+\\+"):
        simulate(lower(digits(), dsps=24), {})


@needs_csim
@pytest.mark.heavy
@pytest.mark.parametrize("name", [*WIDE, "rounding"])
def test_sums_beyond_63_bits(name: str) -> None:
    graph, inputs = wide_sums.rounding() if name == "rounding" else wide_sums.operators([name])
    expected, shown = executor(graph).trace(inputs), simulate(lower(graph, dsps=512), inputs, width=32)
    assert all(np.array_equal(shown[n], expected[n]) for node in graph.nodes for n in node.outputs)
