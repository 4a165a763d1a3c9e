"""hls4ml's own C++ of a graph against the emulator: equal in every tensor; a difference is found, named and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.cli import main
from edgeq.emulator import executor
from edgeq.errors import ToolError
from edgeq.hls4ml import build as build_module
from edgeq.hls4ml import simulate
from edgeq.hls4ml.layers import LAYERS
from edgeq.hls4ml.simulate import HlsFourMl, available
from edgeq.ir import Graph
from edgeq.verify import VerifyResult, random_inputs, verify
from edgeq.verify.random_graphs import random_graph
from edgeq.verify.random_graphs import random_inputs as random_codes
from tests.hls4ml.networks import dense, joins, residual

needs_hls4ml = pytest.mark.skipif(not available(), reason="needs hls4ml (pip install edgeq[hls]) and g++")


def compared(graph: Graph, io: str | None = None) -> VerifyResult:
    """The comparison of a graph with hls4ml's C++ of it."""
    return verify(graph, HlsFourMl(graph, load_board("pynq-z2"), io), random=16)


@needs_hls4ml
def test_a_residual_network_is_equal_in_every_tensor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = residual()
    graph.save(tmp_path / "net.edgeq")
    command = ["verify", str(tmp_path / "net.edgeq"), "--board", "pynq-z2", "--backend", "hls4ml", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is True
    assert found["sides"] == ["hls4ml", "emulator"]
    assert found["tensors"] == len(graph.nodes) == 7
    assert found["values"] == 16 * sum(graph.values[node.name].size for node in graph.nodes)
    assert found["skipped"] == []


@needs_hls4ml
def test_one_changed_weight_is_found_and_the_project_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, mutant = dense(weight=3), dense(weight=4)

    def other(graph: Graph, board: Any, io: str | None, folder: Path) -> HlsFourMl:
        return HlsFourMl(mutant, board, io, folder)

    monkeypatch.setattr(build_module, "HlsFourMl", other)
    graph.save(tmp_path / "net.edgeq")
    out = tmp_path / "out"
    command = [
        "build",
        str(tmp_path / "net.edgeq"),
        "--board",
        "pynq-z2",
        "--backend",
        "hls4ml",
        "-o",
        str(out),
        "--json",
    ]
    assert main(command) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is False
    first = found["first_divergence"]
    assert (first["layer"], first["value"], first["index"]) == ("fc2", "fc2", [2])
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["first_divergence"] == first
    assert manifest["mismatches"] == found["mismatches"] > 0
    readme = (out / "README.md").read_text("utf-8")
    assert "**Different**" in readme
    assert "layer fc2" in readme
    assert (out / "firmware" / "dense.cpp").is_file()
    assert "xc7z020clg400-1" in (out / "project.tcl").read_text("utf-8")
    texts = [path.read_text("utf-8") for path in out.iterdir() if path.is_file()]
    assert not any(str(tmp_path) in text for text in texts)
    assert not list(out.rglob("*.so"))
    assert_bench(graph, out / "tb_data")


def assert_bench(graph: Graph, folder: Path) -> None:
    """hls4ml's test bench gets what the emulator answers."""
    codes = random_inputs(graph, build_module.SAMPLES)
    answers = executor(graph).trace(codes)[graph.outputs[0]]
    assert np.array_equal(np.loadtxt(folder / "tb_output_predictions.dat") * 4, answers)
    assert np.array_equal(np.loadtxt(folder / "tb_input_features.dat") * 32, codes["x"])


def test_options_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dense().save(tmp_path / "net.edgeq")
    for board, options, reason in (
        ("pynq-z2", ["--backend", "finn"], "choose edgeq or hls4ml"),
        ("pynq-z2", ["--io", "stream"], "--io is for --backend hls4ml"),
        ("ulx3s-85f", ["--backend", "hls4ml"], "boards of the vendor's HLS"),
        ("emulator", ["--backend", "edgeq"], "boards of the vendor's HLS"),
        ("pynq-z2", ["--backend", "hls4ml", "--dsps", "9"], "folds layers its own way"),
    ):
        assert main(["verify", str(tmp_path / "net.edgeq"), "--board", board, *options]) == 2
        assert reason in capsys.readouterr().err


def test_without_hls4ml_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pip install 'edgeq\[hls\]'"):
        simulate.require()


def test_numbers_off_the_grid_are_no_codes() -> None:
    with pytest.raises(ToolError, match="not on that value's grid"):
        simulate._codes(dense(), "fc2", np.array([0.25, 0.125]))


@pytest.mark.heavy
@needs_hls4ml
@pytest.mark.parametrize("io", ["stream", "parallel"])
def test_every_kind_of_layer(io: str) -> None:
    graph = joins(io == "stream")
    result = compared(graph, io)
    assert result.equal, result.line()
    assert result.skipped == ("flat",)
    assert result.tensors == len(graph.nodes) - 1


@pytest.mark.heavy
@needs_hls4ml
@pytest.mark.parametrize(("io", "seed"), [("stream", 12), ("stream", 44), ("parallel", 3), ("parallel", 45)])
def test_random_graph(io: str, seed: int) -> None:
    """Formats far apart, clamps of any kind, biases and points per channel: seeds whose graphs hls4ml takes."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, ops=sorted(LAYERS), max_nodes=6)
    codes = random_codes(graph, rng, 8)
    result = verify(graph, HlsFourMl(graph, load_board("kv260"), io), codes=codes)
    assert result.equal, result.line()
    assert all(graph.producer(name).op == "reshape" for name in result.skipped)  # type: ignore[union-attr]


@pytest.mark.heavy
@needs_hls4ml
def test_the_demo_network() -> None:
    torch = pytest.importorskip("torch")
    from edgeq.demo.demo import recipes
    from edgeq.demo.digits import network
    from edgeq.frontends.torch import export
    from edgeq.quant import calibrate, prepare

    torch.manual_seed(0)
    images = torch.rand(64, 1, 8, 8)
    prepared = prepare(network(), recipes()["W4A4"], images[:2])
    calibrate(prepared, [images])
    graph = export(prepared.eval(), images[:1], name="digits")
    result = compared(graph)
    assert result.equal, result.line()
    assert result.tensors + len(result.skipped) == len(graph.nodes)
    assert all(graph.producer(name).op == "reshape" for name in result.skipped)  # type: ignore[union-attr]
