"""The examples' checkpoints: they load, export to the network kept beside them, and that runs the same in C."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import edgeq
from edgeq.formats import count_digits

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ["cifar10_resnet8", "cifar10_mobilenet", "wrist_accelerometer_conv1d"]


@pytest.fixture(autouse=True)
def _examples_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_gives_the_kept_network(name: str) -> None:
    common = importlib.import_module("common")
    example = importlib.import_module(name).EXAMPLE
    x = torch.rand(4, *example.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    prepared = common.restored(example)
    net = edgeq.export(prepared, x[:2], name=name)
    np.testing.assert_array_equal(net.run(x.numpy()), prepared(x).detach().numpy())
    kept = EXAMPLES / "checkpoints" / f"{name}.edgeq"
    assert kept.stat().st_size < 400_000
    assert kept.with_suffix(".npz").stat().st_size < 400_000
    np.testing.assert_array_equal(edgeq.load(kept).run(x.numpy()), net.run(x.numpy()))
    result = edgeq.verify(edgeq.load(kept), "host", random=2)
    assert result.equal
    assert result.values > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_runs_without_data(name: str, monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path) -> None:
    common, module = importlib.import_module("common"), importlib.import_module(name)
    out = tmp_path / "net.edgeq"
    monkeypatch.setattr(sys, "argv", [name, "--out", str(out)])
    assert common.main(module.EXAMPLE, module.__doc__) == 0
    assert "0 differ" in capsys.readouterr().out
    assert edgeq.load(out).name == name


@pytest.mark.parametrize("arguments", [["--train"], ["--data", "/nowhere"]])
def test_missing_data_is_one_clear_line(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    common, module = importlib.import_module("common"), importlib.import_module("cifar10_resnet8")
    monkeypatch.setattr(sys, "argv", ["cifar10_resnet8", *arguments])
    assert common.main(module.EXAMPLE, module.__doc__) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "data" in error or "/nowhere" in error


def test_the_khot_network_has_two_digits_a_weight_and_runs_in_c() -> None:
    """One of those that benchmarks/qfx.py trained."""
    net = edgeq.load(EXAMPLES / "checkpoints" / "cifar10_resnet20_khot.edgeq")
    weights = [net.ins(node)[1].data for node in net.nodes if node.op in ("conv", "linear")]
    assert len(weights) == 22
    assert max(int(count_digits(w, "signed").max()) for w in weights if w is not None) == 2
    assert edgeq.verify(net, "host", random=1).equal
