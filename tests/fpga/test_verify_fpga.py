"""verify on FPGA boards: equal networks pass, and a single bit of a memory turns it red at the right layer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq import verify
from edgeq.cli import main
from edgeq.fpga import lower
from edgeq.fpga.dataflow import Dataflow, Rom, style_of
from edgeq.fpga.estimate import stage_dsps
from edgeq.fpga.simulate import simulate
from edgeq.verify import TraceFunction
from tests.fpga.networks import digits

pytestmark = pytest.mark.skipif(
    not shutil.which("iverilog") and not shutil.which("verilator"), reason="no Verilog simulator is installed"
)


def flipped(flow: Dataflow, node: str, param: str, bit: int) -> Dataflow:
    """The same dataflow with one bit of one memory the other way."""
    stages = []
    for stage in flow.stages:
        rom = stage.params.get(param)
        if stage.node == node and isinstance(rom, Rom):
            words = (rom.words[0] ^ (1 << bit), *rom.words[1:])
            stage = replace(stage, params={**stage.params, param: replace(rom, words=words)})
        stages.append(stage)
    return replace(flow, stages=tuple(stages))


@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
@pytest.mark.parametrize(("node", "param", "bit"), [("long", "WEIGHTS", 7), ("first", "BIAS", 9)])
def test_a_changed_bit_is_found_in_its_layer(node: str, param: str, bit: int) -> None:
    graph = digits()
    good = lower(graph, dsps=24)
    for flow, equal in ((good, True), (flipped(good, node, param, bit), False)):
        board = TraceFunction("rtl", lambda inputs, flow=flow: simulate(flow, inputs, tool="iverilog").trace)  # type: ignore[misc]
        result = verify(graph, board, random=2)
        assert result.equal is equal
        if not equal:
            assert result.first_divergence is not None
            assert result.first_divergence.value == node
            assert result.mismatches > 0


@pytest.mark.heavy
def test_a_board_by_name() -> None:
    graph = digits()
    result = verify(graph, "ulx3s-85f", random=2)
    assert result.equal
    assert result.tensors == sum(len(node.outputs) for node in graph.nodes)
    assert "ulx3s-85f" in result.line()


@pytest.mark.heavy
def test_what_is_compared_is_what_would_be_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of a build fold the network that is simulated; other boards refuse them."""
    seen: list[Dataflow] = []

    def watched(flow: Dataflow, *args: Any, **kwargs: Any) -> Any:
        seen.append(flow)
        return simulate(flow, *args, **kwargs)

    monkeypatch.setattr("edgeq.fpga.execute.simulate", watched)
    digits().save(tmp_path / "digits.edgeq")
    model = str(tmp_path / "digits.edgeq")
    for options in (["--dsps", "4"], ["--style", "lut", "--target", "5000", "--clock", "20"]):
        assert main(["verify", model, "--board", "icebreaker", "-n", "1", *options]) == 0
    few, logic = seen
    assert sum(stage_dsps(stage, "ice40") for stage in few.stages) <= 4
    assert {style_of(stage) for stage in logic.stages} == {"lut", None}
    assert logic.cycles <= 20e6 / 5000
    assert main(["verify", model, "--board", "host", "--dsps", "4"]) == 2
    assert "host: is no FPGA" in capsys.readouterr().err


def test_every_value_is_watched() -> None:
    graph = digits()
    flow = lower(graph, dsps=24)
    values = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
    assert set(flow.values) == set(values)
    assert all(
        np.prod(graph.values[v].shape) == s.beats * s.lanes for v in values if (s := flow.streams[flow.values[v]])
    )
