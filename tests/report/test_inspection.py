"""Inspection: what a board cannot do is said before anything is built, with the layers to change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import edgeq
from edgeq.boards import Board, Memory, load_board
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.report import inspect, layers
from tests.verify.nets import S8, W8, residual_net


def small(flash: int, ram: int) -> Board:
    """A Cortex-M4 with little memory."""
    board = load_board("cortex-m4")
    memories = (Memory("flash", 0, flash), Memory("ram", 0x2000_0000, ram))
    return replace(board, name="small", memories=memories)


def test_layers_count_what_the_graph_holds() -> None:
    net = residual_net()
    rows = {row.node: row for row in layers(net)}
    stem = rows["stem"]
    assert stem.macs == 8 * 8 * 6 * 27
    assert stem.constant_bytes == 6 * 27 + 6 * 4
    assert stem.output_bytes == 8 * 8 * 6
    assert stem.weights == {"weight": "s8.7", "bias": "s32.12"}
    assert rows["block.depthwise"].constant_bytes == 54 * 4 // 8 + 6 * 4
    assert rows["pool"].accumulator_bits is None
    assert rows["head"].output_bytes == 10
    assert [row.node for row in layers(net)] == [node.name for node in net.nodes]


def test_a_board_that_fits_has_no_problems() -> None:
    found = inspect(residual_net(), load_board("cortex-m4"))
    assert found.problems == ()
    assert found.needs is not None
    assert found.kernels.keys() == {node.name for node in residual_net().nodes}
    assert found.to_json()["fits"] is True


def test_the_needs_are_those_of_the_build(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Arena and constants are exact; code is an estimate that may not be far off."""
    net = residual_net()
    found = inspect(net, load_board("cortex-m4")).needs
    assert found is not None
    try:
        made = edgeq.build(net, "cortex-m4", tmp_path / "net", toolchain="gcc")
    except edgeq.errors.ToolError:
        pytest.skip("no gcc for cortex-m4 here")
    assert found.arena == made.arena
    assert found.constants == made.sizes["weights"]
    assert 0.5 < found.code / (made.flash - made.sizes["weights"]) < 2


def test_too_little_ram_names_the_step_and_the_tensors() -> None:
    found = inspect(residual_net(), small(1 << 20, 1 << 10))
    (problem,) = found.problems
    assert "RAM of small has 1,024 bytes" in problem.fact
    assert found.needs is not None
    for name, _ in found.needs.peak:
        assert name in problem.fact
    assert "stride or pool earlier" in problem.way_out
    assert found.to_json()["fits"] is False


def _wide() -> Graph:
    b = GraphBuilder("wide")
    x = b.input("x", (64,), S8)
    w = b.constant("fc.weight", np.ones((512, 64)), W8, "fc")
    return b.build([b.node("linear", "fc", (x, w), FixedPoint(16, 8), "fc")])


def test_too_little_flash_names_the_layer_and_what_fewer_bits_save() -> None:
    found = inspect(_wide(), small(1 << 15, 1 << 20))
    (problem,) = found.problems
    assert problem.layer == "fc"
    assert "fc 32,768" in problem.fact
    assert "4-bit weights would save 16,384 bytes" in problem.way_out


def test_every_unsupported_layer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeq.errors import UnsupportedError
    from edgeq.mcu import ops

    real = ops.lower

    def refuse(graph, node, ranges, features=()):  # type: ignore[no-untyped-def]
        if node.op in ("table", "mean"):
            raise UnsupportedError(f"{node.op} {node.name}: not here")
        return real(graph, node, ranges, features)

    monkeypatch.setattr(ops, "lower", refuse)
    found = inspect(residual_net(), load_board("host"))
    assert [problem.layer for problem in found.problems] == ["act", "head.mean"]
    assert found.needs is None
