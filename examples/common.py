"""What the examples share: command line, training loops, and the comparison of emulator and trained network.

Each example is an ordinary float network and its data. It is trained in float, prepared with a recipe, trained on
with quantisation, exported, and compared tensor by tensor. The trained network lies in `checkpoints/`, so that
everything but training runs without data.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

import edgeq
from edgeq.errors import EdgeqError

CHECKPOINTS = Path(__file__).parent / "checkpoints"


@dataclass
class Data:
    """Inputs (N, …) float32 and labels (N,) int64, for training and for testing."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


@dataclass
class Example:
    """One example.

    name: of the checkpoint; shape: of one input; load: reads the data below a path, at most so many training
    samples; augment: changes a training batch; epochs, fine_tuning: of float and of quantised training.
    """

    name: str
    network: Callable[[], nn.Module]
    recipe: edgeq.Recipe
    shape: tuple[int, ...]
    load: Callable[[Path, int], Data]
    augment: Callable[[Tensor], Tensor]
    epochs: int
    fine_tuning: int
    samples: int
    batch: int = 64


def main(example: Example, description: str) -> int:
    """The command line of every example; returns the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="where the data lie; without, random inputs are compared")
    parser.add_argument("--train", action="store_true", help="train anew instead of reading the checkpoint")
    parser.add_argument("--samples", type=int, default=example.samples, help="training samples to use")
    parser.add_argument("--epochs", type=int, default=example.epochs, help="epochs of float training")
    parser.add_argument("--fine-tuning", type=int, default=example.fine_tuning, help="epochs with quantisation")
    parser.add_argument("--threads", type=int, default=1, help="of torch; more than one is slow on a busy machine")
    parser.add_argument("--save", action="store_true", help="after training, replace the checkpoint")
    parser.add_argument("--out", type=Path, help="write the exported network to this .edgeq file")
    args = parser.parse_args()
    try:
        return run(example, args)
    except (EdgeqError, OSError) as error:
        print(f"{example.name}: {error}", file=sys.stderr)
        return 2


def run(example: Example, args: argparse.Namespace) -> int:
    """Train or read, export, compare, report."""
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    data = example.load(args.data, args.samples) if args.data else None
    if args.train and data is None:
        raise OSError("training needs data; say where they lie with --data PATH")
    prepared = train(example, data, args) if args.train and data else restored(example)
    probe = data.test_x[:32] if data else torch.rand(8, *example.shape) * 2 - 1
    net = edgeq.export(prepared, probe[:2], name=example.name)
    if args.save and args.train:
        state = {key: value.numpy() for key, value in prepared.state_dict().items()}
        np.savez_compressed(checkpoint(example), **state)
        net.save(checkpoint(example).with_suffix(".edgeq"))
    if args.out:
        net.save(args.out)
    if data:
        print(
            f"{'quantised network':28} {accuracy(prepared, data.test_x, data.test_y):.2%} of {len(data.test_y)} right"
        )
    result = edgeq.verify(net, prepared, x=probe.numpy())
    print(
        f"{'emulator against torch':28} {result.values} values of {result.tensors} tensors, {result.mismatches} differ"
    )
    return 0 if result.equal else 1


def checkpoint(example: Example) -> Path:
    """The file of the trained quantised network's state_dict."""
    return CHECKPOINTS / f"{example.name}.npz"


def restored(example: Example) -> nn.Module:
    """The trained quantised network: the same preparation, then the saved state."""
    prepared = edgeq.prepare(example.network(), example.recipe)
    with np.load(checkpoint(example)) as state:
        prepared.load_state_dict({key: torch.from_numpy(state[key]) for key in state.files})
    return prepared.eval()


def train(example: Example, data: Data, args: argparse.Namespace) -> nn.Module:
    """Float training, preparation, calibration, training with quantisation."""
    start = time.perf_counter()
    model = example.network()
    edgeq.prepare(model, example.recipe)  # finds what does not fit before an hour is spent
    fit(model, data, example, args.epochs, 4e-3, "float")
    print(
        f"{'float network':28} {accuracy(model, data.test_x, data.test_y):.2%} of {len(data.test_y)} right", flush=True
    )
    prepared = edgeq.prepare(model, example.recipe)
    edgeq.calibrate(prepared, data.train_x[:512].split(64))
    print(f"{'calibrated, not trained':28} {accuracy(prepared, data.test_x, data.test_y):.2%}", flush=True)
    fit(prepared, data, example, args.fine_tuning, 1e-3, "with quantisation")
    print(f"{'training took':28} {time.perf_counter() - start:.0f} s")
    return prepared


def fit(model: nn.Module, data: Data, example: Example, epochs: int, rate: float, what: str) -> None:
    """An ordinary training loop: AdamW and one learning-rate cycle. Ends in eval mode."""
    steps = -(-len(data.train_y) // example.batch)
    learned = ("log2_range", "scaling_impl.bits")
    points = [p for name, p in model.named_parameters() if name.endswith(learned)]
    others = [p for name, p in model.named_parameters() if not name.endswith(learned)]
    # Weight decay would pull binary points towards a range of one, and widths towards none.
    groups = [{"params": others}, {"params": points, "weight_decay": 0.0}] if points else [{"params": others}]
    optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(1, epochs * steps))
    model.train()
    for epoch in range(epochs):
        parts = torch.randperm(len(data.train_y)).split(example.batch)
        for part in track(parts, f"{what}, epoch {epoch + 1} of {epochs}", transient=True):
            loss = functional.cross_entropy(model(example.augment(data.train_x[part])), data.train_y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of samples whose greatest output is the right one."""
    model.eval()
    with torch.no_grad():
        right = [model(a).argmax(1) == b for a, b in zip(x.split(256), y.split(256), strict=True)]
    return float(np.mean(torch.cat(right).numpy()))
