"""Patches of mixed widths (QuantMCU) on a MobileNetV2-like network, CIFAR-10 upscaled to 96 x 96 pixels.

    python benchmarks/quantmcu.py --data DATA --state FOLDER                     all seeds, widths and figures
    python benchmarks/quantmcu.py --data DATA --state FOLDER --seeds 1 --quick   a look at it: little data, one choice

DATA holds cifar10_train_jpeg_packed.npz and cifar10_test_jpeg_packed.npz. For each seed: the 8-bit network of
examples/cifar10_mobilenet.py, whose weights have the same shapes, trained on for the larger images; export; what
`edgeq search patches` does, for each choice of lambda and weights; a short training of each mixed graph. Seeds differ
in the order of the data. Every step leaves a file in FOLDER and training one for each epoch, so that a run that was
stopped goes on there. `--write` replaces benchmarks/results/quantmcu.json by the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import cifar10
from cifar10_mobilenet import EXAMPLE, MobileNet, layer
from common import Data, accuracy, checkpoint

import edgeq
from edgeq.boards import load_board
from edgeq.ir import Graph
from edgeq.quant.finetune import finetune
from edgeq.search.patch_costs import accuracy as accuracy_of
from edgeq.search.patch_costs import rows
from edgeq.search.patches import Settings, search_patches
from edgeq.search.store import Store, key_of

RESULTS = Path(__file__).parent / "results" / "quantmcu.json"
SIDE, BOARD = 96, "cortex-m4"
#: (lambda, bits of weights) of every row; --quick takes the second one alone
CHOICES = ((0.6, 8), (0.4, 8), (0.2, 8), (0.4, 4))


class Net(MobileNet):
    """The example's network with a stem that halves its input: 96 x 96 pixels become maps of 48 x 48 to 6 x 6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layer(3, 16, 3, 2)


def upscaled(x: Tensor) -> Tensor:
    """Images of 32 x 32 as 96 x 96, on the grid of 8-bit inputs."""
    big = functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return (torch.floor(big * 128 + 0.5) / 128).clamp(-1, 127 / 128)


def augmented(x: Tensor) -> Tensor:
    """A training batch: shifted and mirrored as in the example, then upscaled."""
    return upscaled(cifar10.augment(x))


def started() -> nn.Module:
    """The network with 8 bits and the weights and ranges that the example was trained to."""
    prepared = edgeq.prepare(Net(), EXAMPLE.recipe)
    with np.load(checkpoint(EXAMPLE)) as state:
        prepared.load_state_dict({key: torch.from_numpy(state[key]) for key in state.files})
    return prepared


def kept(path: Path, make: Callable[[], Graph]) -> Graph:
    """The graph in a file, made and written there if it is missing."""
    if not path.is_file():
        graph = make()
        beside = path.with_name(f".{path.name}")
        graph.save(beside)
        os.replace(beside, path)
    found: Graph = edgeq.load(path)
    return found


def train(model: nn.Module, data: Data, path: Path, epochs: int, rate: float, seed: int) -> None:
    """AdamW with one cycle of the learning rate; goes on after the last epoch that `path` knows."""
    steps = -(-len(data.train_y) // 64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(1, epochs * steps))
    begin = 0
    if path.is_file():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        begin = state["epoch"]
    for epoch in range(begin, epochs):
        torch.manual_seed(1000 * seed + epoch)
        model.train()
        for step, part in enumerate(torch.randperm(len(data.train_y)).split(64)):
            loss = functional.cross_entropy(model(augmented(data.train_x[part])), data.train_y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            said(f"{path.stem}: epoch {epoch + 1} of {epochs}, step {step + 1} of {steps}, loss {loss.item():.3f}")
        found = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
        beside = path.with_name(f".{path.name}")
        torch.save({**found, "epoch": epoch + 1}, beside)
        os.replace(beside, path)
    model.eval()


_spoken = [0.0]


def said(text: str) -> None:
    """Progress on stderr, twice a minute."""
    if time.monotonic() - _spoken[0] > 30:
        _spoken[0] = time.monotonic()
        print(text, file=sys.stderr, flush=True)


def eight_bits(data: Data, folder: Path, seed: int, options: argparse.Namespace) -> Graph:
    """The network of a seed, trained with 8 bits, as a graph."""
    prepared = started()
    train(prepared, data, folder / "eight.pt", options.epochs, 1e-3, seed)
    print(f"seed {seed}: 8 bits {accuracy(prepared, data.test_x, data.test_y):.2%}", flush=True)
    return edgeq.export(prepared, data.test_x[:2], name="mobilenet96")


def measured(data: Data, folder: Path, seed: int, options: argparse.Namespace, store: Store) -> None:
    """Print all choices of a seed, and keep what is not known yet."""
    net = kept(folder / "eight.edgeq", lambda: eight_bits(data, folder, seed, options))
    no_key = ("data", "state", "seeds", "quick", "choices", "write")
    asked = {k: v for k, v in vars(options).items() if k not in no_key}
    for lam, weights in options.choices or (CHOICES[1:2] if options.quick else CHOICES):
        settings = Settings((options.grid, options.grid), options.split, phi=options.phi, lam=lam, weights=weights)
        settings = replace(settings, joint=options.joint, rest=options.rest)
        settings = replace(settings, share=options.share, at_run_time=options.at_run_time)
        settings = replace(settings, ram=options.ram, widths=tuple(options.widths))
        key = key_of("choice", seed, lam, weights, asked)
        if key not in store:
            images = upscaled(data.train_x[: options.calibration]).numpy()
            mixed = search_patches(net, images, settings, lambda done, total: said(f"calibration {done}/{total}"))
            path = folder / f"mixed-{key}.edgeq"
            tuned = kept(path, lambda mixed=mixed: tuned_graph(mixed.graph, data, seed, options))  # type: ignore[misc]
            counted = options.count and seed == 0
            base = key_of("baselines", seed, asked)
            if base not in store:
                table = rows(mixed, load_board(BOARD), counted=counted)
                store.put(base, {"rows": [row.to_json() for row in table][:4], "accuracy": judged(net, data)})
            mine = rows(replace(mixed, graph=tuned), load_board(BOARD), counted=counted, baselines=False)
            found = {"seed": seed, "lambda": lam, "weights": weights, **mixed.to_json(), "base": base}
            found["accuracy"] = {"not trained": judged(mixed.graph, data), "trained": judged(tuned, data)}
            store.put(key, {**found, "rows": [row.to_json() for row in mine]})
        show(store, key)


def judged(graph: Graph, data: Data) -> float:
    """Share of the test images that a graph has right."""
    return accuracy_of(graph, data.test_x.numpy(), data.test_y.numpy(), _testing)


def _testing(done: int, total: int) -> None:
    said(f"accuracy: {done} of {total}")


def tuned_graph(graph: Graph, data: Data, seed: int, options: argparse.Namespace) -> Graph:
    """The mixed graph after a short training of its weights."""
    torch.manual_seed(seed)
    return finetune(
        graph,
        data.train_x,
        data.train_y,
        epochs=options.tuning,
        rate=5e-4,
        seed=seed,
        augment=augmented,
        progress=lambda done, total: said(f"training of mixed widths: {done} of {total}"),
    )


def show(store: Store, key: str) -> None:
    """Print a choice beside the network with 8 bits."""
    result = store.get(key)
    assert result is not None
    base = store.get(result["base"])
    assert base is not None
    accuracy = ", ".join(f"{k} {v:.2%}" for k, v in {"8 bits": base["accuracy"], **result["accuracy"]}.items())
    print(f"seed {result['seed']}, lambda {result['lambda']:g}, weights of {result['weights']} bits: {accuracy}")
    for row in (*base["rows"], *result["rows"]):
        figures = [f"{k} {v:,}" for k, v in row.items() if isinstance(v, int)]
        print(f"  {row['way']:20} {row['bits']:6} {', '.join(figures)} {row['note']}", flush=True)


def _choice(text: str) -> tuple[float, int]:
    """Lambda and bits of weights of "0.4:8"."""
    lam, bits = text.split(":")
    return float(lam), int(bits)


def main() -> int:
    """Train, search, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=12_000, help="training images")
    parser.add_argument("--epochs", type=int, default=3, help="with 8 bits")
    parser.add_argument("--tuning", type=int, default=1, help="epochs with mixed widths")
    parser.add_argument("--calibration", type=int, default=64, help="images that widths come from")
    parser.add_argument("--test", type=int, default=2000, help="test images, run by the emulator")
    parser.add_argument("--grid", type=int, default=3)
    parser.add_argument("--split", default="blocks.3.project.0", help="layer that ends the patch stage")
    parser.add_argument("--phi", type=float, default=2.5, help="standard deviations beyond which patches keep 8 bits")
    parser.add_argument("--share", type=float, default=0.5, help="… if they have such values in more of the images")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 4, 2], help="bits that a map may get")
    parser.add_argument("--ram", type=int, metavar="BYTES", help="widths go down until no step needs more")
    parser.add_argument("--at-run-time", action="store_true", help="the others have both branches, each input decides")
    parser.add_argument("--joint", action="store_true", help="all patches without outliers share their widths")
    parser.add_argument("--rest", action="store_true", help="maps behind the patch stage get widths, too")
    parser.add_argument("--no-count", dest="count", action="store_false", help="build no firmware")
    parser.add_argument("--choices", type=_choice, nargs="+", metavar="LAMBDA:BITS", help="in place of the rows' own")
    parser.add_argument("--quick", action="store_true", help="one choice of lambda")
    parser.add_argument("--write", action="store_true", help="replace the results in the repository")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = cifar10.load(options.data, options.samples)
    data.test_x, data.test_y = upscaled(data.test_x[: options.test]), data.test_y[: options.test]
    store = Store(options.state / "rows.jsonl")
    for seed in range(options.seeds):
        folder = options.state / f"seed{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        measured(data, folder, seed, options, store)
    if options.write:
        lines = (options.state / "rows.jsonl").read_text("utf-8").splitlines()
        found = {"board": BOARD, "results": [json.loads(line) for line in lines]}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
