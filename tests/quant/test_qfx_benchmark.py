"""The training of benchmarks/qfx.py: an interrupted run goes on as if nothing had been, and the command as a whole."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import edgeq
from benchmarks import qfx
from edgeq.quant import WidthPenalty
from edgeq.quant.widths import widths


def data(count: int = 48) -> qfx.Data:
    random = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=random)
    classes = torch.randint(0, 10, (count,), generator=random)
    return qfx.Data(images, classes, images[:10], classes[:10])


def network(images: torch.Tensor) -> nn.Module:
    """Learned widths and points, a normalisation with running statistics."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    few = qfx.scaled(images[:16])
    return edgeq.calibrate(edgeq.prepare(net, {"width": "learned", "batch_norm": "keep"}, few), [few])


def trained(state: Path) -> nn.Module:
    """Three epochs of two batches, the last of them with frozen widths."""
    found = data()
    model = network(found.train_x)
    penalty = WidthPenalty(model, qfx.scaled(found.train_x[:4]))
    qfx.train(model, found, qfx.Run(state, "test", 7, 3, 40, 0.01, 1.0), 20, penalty, 1.0)
    return model


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole.pt")
    write, epochs = qfx.write, list[Path]()

    def stopping(path: Path, save: Callable[[Path], Any]) -> None:
        write(path, save)
        epochs.append(path)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(qfx, "write", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut.pt")
    again = trained(tmp_path / "cut.pt")
    assert len(epochs) == 3, "only the last epoch was left"
    assert widths(again) == widths(whole)
    assert any(bits < 8 for bits in widths(again).values())
    ours, other, fresh = again.state_dict(), whole.state_dict(), network(data().train_x).state_dict()
    assert ours.keys() == other.keys()
    assert all(torch.equal(ours[key], other[key]) for key in ours)
    assert not all(torch.equal(ours[key], fresh[key]) for key in ours)


def packed(path: Path, count: int) -> None:
    """Images as JPEG bytes, as the benchmark reads them."""
    image = pytest.importorskip("PIL.Image")
    random, parts = np.random.default_rng(3), []
    for _ in range(count):
        buffer = io.BytesIO()
        image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(buffer, "JPEG")
        parts.append(buffer.getvalue())
    offsets = np.cumsum([0, *map(len, parts)])
    jpeg = np.frombuffer(b"".join(parts), dtype=np.uint8)
    np.savez(path, jpeg=jpeg, offsets=offsets, y=np.arange(count) % 10)


@pytest.mark.heavy
def test_the_command_trains_measures_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(tmp_path / "cifar10_train_jpeg_packed.npz", 64)
    packed(tmp_path / "cifar10_test_jpeg_packed.npz", 10)
    state = tmp_path / "state"
    few = "--samples 64 --tests 10 --width 2 --epochs 1 --fine-tuning 1 --fine-samples 32 --batch 32"
    words = f"qfx.py --quick --data {tmp_path} --state {state} --groups points,khot --device cpu {few}".split()
    monkeypatch.setattr(sys, "argv", words)
    assert qfx.main() == 0
    first = capsys.readouterr().out.strip()
    found = json.loads((state / "results.json").read_text("utf-8"))["seeds"]["1"]["variants"]
    assert found.keys() == {"W4A4", "K=2 signed"}
    assert all(line["equal"] and line["values"] > 0 for line in found.values())
    assert found["K=2 signed"]["most_digits"] == 2
    assert 4 < found["W4A4"]["weight_bits"] < 8 == found["K=2 signed"]["weight_bits"]
    assert 0 < found["W4A4"]["mega_bitops"] < found["K=2 signed"]["mega_bitops"]
    assert "| K=2 signed | 1 |" in first
    monkeypatch.setattr(qfx, "measure", lambda *args: pytest.fail("there is nothing left to measure"))
    assert qfx.main() == 0
    assert capsys.readouterr().out.strip() == first
    monkeypatch.setattr(sys, "argv", [*words, "--seeds", "2", "--width", "4"])
    assert qfx.main() == 2
    assert "name another folder with --state" in capsys.readouterr().err
