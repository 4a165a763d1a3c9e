"""Accuracy after post-training quantisation: number formats against methods, each alone and some together.

    python benchmarks/ptq.py [--shared DIR] [--images 1000] [--formats "E2M1;W4A8"] [--methods "none;gptq"] [--record]

Without --shared: the digits network of the demo, trained anew (a minute), on its 359 test images. With it: ResNet-8 of
MLPerf Tiny as published; DIR holds `models/resnet8_cifar10_float.tflite` and
`data/cifar10_{train,test}_jpeg_packed.npz` (CIFAR-10 as JPEG, which is lossy: differences count). 256 training images
calibrate, the first --images test images count. The prepared module is evaluated, which equals the integer graph in
every tensor; that is measured too, on the first two images of every cell.

Every cell is kept in --state (build/ptq), written beside and then renamed: the same command goes on where it was
stopped. --record writes results/ptq.json. Exit 1 where a graph differs from its module.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

import edgeq
from edgeq.quant.ptq import METHODS

CALIBRATION = 256
EIGHT = {"weights": 8, "activations": 8}
#: inputs and outputs have 8 bits everywhere, as the networks' data have
BORDERS = {"input": 8, "output": 8}
ENDS = BORDERS | {"first": EIGHT, "last": EIGHT}
FORMATS: dict[str, dict[str, Any]] = {
    "E4M3": {"weights": "e4m3", "activations": "e4m3", **BORDERS},
    "E3M2": {"weights": "e3m2", "activations": "e3m2", **BORDERS},
    "E2M3": {"weights": "e2m3", "activations": "e2m3", **BORDERS},
    "E2M1, first and last 8": {"weights": "e2m1", "activations": "e2m1", **ENDS},
    "E2M1, first, last and sums 8": {
        "weights": "e2m1",
        "activations": "e2m1",
        "elementwise": {"activations": 8},
        **ENDS,
    },
    "W4A4, first and last 8": {"weights": 4, "activations": 4, **ENDS},
    "W4A8": {"weights": 4, "activations": 8, **BORDERS},
    "W3A8, first and last 8": {"weights": 3, "activations": 8, **ENDS},
    "E2M1 weights, A8": {"weights": "e2m1", "activations": 8, **BORDERS},
}
#: name -> (statistics of all points, methods)
METHOD_SETS: dict[str, tuple[str, list[str]]] = {
    "none": ("mse", []),
    "max": ("max", []),
    "percentile": ("percentile", []),
    **{name: ("mse", [name]) for name in METHODS},
    "clipping + adaround + bias": ("mse", ["clipping", "adaround", "bias_correction"]),
    "clipping + flexround + bias": ("mse", ["clipping", "flexround", "bias_correction"]),
    "clipping + gptq + bias": ("mse", ["clipping", "gptq", "bias_correction"]),
    "clipping + gpfq + bias": ("mse", ["clipping", "gpfq", "bias_correction"]),
    "equalise + bias": ("mse", ["equalise", "bias_correction"]),
    "equalise + clipping + gpfq + bias": ("mse", ["equalise", "clipping", "gpfq", "bias_correction"]),
}


@dataclass
class Task:
    """A float network, its calibration batches, and what is counted."""

    name: str
    module: torch.nn.Module
    batches: list[torch.Tensor]
    x: torch.Tensor
    y: np.ndarray


def digits_task(state: Path) -> Task:
    """The demo's network; its training is kept."""
    from edgeq.demo import digits

    data = digits.load()
    path = state / "digits.pt"
    module = digits.network()
    if path.is_file():
        module.load_state_dict(torch.load(path, weights_only=True))
    else:
        module = digits.train_float(data, seed=1)
        write(path, lambda file: torch.save(module.state_dict(), file))
    batches = list(torch.from_numpy(data.train_x[:CALIBRATION]).split(64))
    return Task("digits", module.eval(), batches, torch.from_numpy(data.test_x), data.test_y)


def resnet_task(shared: Path, count: int) -> Task:
    """The published float network."""
    from post_training import images

    from edgeq.frontends import float_module

    train, _ = images(shared / "data" / "cifar10_train_jpeg_packed.npz", CALIBRATION)
    x, y = images(shared / "data" / "cifar10_test_jpeg_packed.npz", count)
    module = float_module(shared / "models" / "resnet8_cifar10_float.tflite")
    return Task("resnet8", module, list(torch.from_numpy(train).split(64)), torch.from_numpy(x), y)


def accuracy(module: torch.nn.Module, task: Task) -> float:
    """Share of test images whose greatest output is the right one."""
    with torch.no_grad():
        classes = torch.cat([module(part).argmax(1) for part in task.x.split(100)]).numpy()
    return round(float((classes == task.y).mean()), 4)


def cell(task: Task, recipe: dict[str, Any], statistics: str, methods: list[str]) -> dict[str, Any]:
    """One format with one set of methods."""
    start = time.perf_counter()
    prepared = edgeq.prepare(task.module, recipe | {"statistics": statistics, "ptq": methods}, task.batches[0])
    edgeq.calibrate(prepared, task.batches)
    took = round(time.perf_counter() - start, 1)
    probe = task.x[:2]
    result = edgeq.verify(edgeq.export(prepared, probe), prepared, x=probe.numpy())
    return {"accuracy": accuracy(prepared, task), "seconds": took, "equal": result.equal, "values": result.values}


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """A file that is whole or not there: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.stem}.part{path.suffix}")
    save(beside)
    os.replace(beside, path)


def measured(task: Task, path: Path, formats: list[str], methods: list[str]) -> dict[str, Any]:
    """All cells that are not in the file yet are made; returns everything in it."""
    key = {"images": len(task.y), "calibration": CALIBRATION}
    found: dict[str, Any] = {"network": task.name, **key, "cells": {}}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {k: found[k] for k in key} != key:
            raise OSError(f"{path} was made with {found['images']} images; name another folder with --state")

    def save() -> None:
        write(path, lambda file: file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8"))

    found.setdefault("float", accuracy(task.module, task))
    save()
    wanted = [(f, m) for f in formats for m in methods if m not in found["cells"].get(f, {})]
    for name, method in track(wanted, f"{task.name}: formats and methods", transient=True):
        made = cell(task, FORMATS[name], *METHOD_SETS[method])
        found["cells"].setdefault(name, {})[method] = made
        save()
        print(f"{name}, {method}: {json.dumps(made)}", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, Any]) -> str:
    """Accuracy, a row for each set of methods, a column for each format."""
    cells = found["cells"]
    formats = [f for f in FORMATS if f in cells]
    lines = [f"{found['network']}, {found['images']} images, float {found['float']:.2%}", ""]
    lines += [f"| methods | {' | '.join(formats)} |", "|---" * (len(formats) + 1) + "|"]
    for method in METHOD_SETS:
        row = [f"{cells[f][method]['accuracy']:.1%}" if method in cells[f] else "" for f in formats]
        if any(row):
            lines.append(f"| {method} | {' | '.join(row)} |")
    return "\n".join(lines)


def chosen(given: str | None, known: list[str], what: str) -> list[str]:
    """Names of a list with semicolons: each is one that is known, or the beginning of one."""
    if given is None:
        return known
    found = []
    for part in (p.strip() for p in given.split(";")):
        fits = [k for k in known if k == part] or [k for k in known if k.startswith(part)]
        if not fits:
            raise OSError(f"{what} {part!r} is unknown; there are {'; '.join(known)}")
        found += fits
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shared", type=Path, help="folder with the ResNet-8 and CIFAR-10; without: digits")
    parser.add_argument("--images", type=int, default=1000, help="test images of CIFAR-10")
    parser.add_argument("--formats", help="names or beginnings of names, separated by semicolons; default: all")
    parser.add_argument("--methods", help="the same of the sets of methods")
    parser.add_argument("--state", type=Path, default=Path("build", "ptq"))
    parser.add_argument("--record", action="store_true", help="write results/ptq.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        formats = chosen(args.formats, list(FORMATS), "format")
        methods = chosen(args.methods, list(METHOD_SETS), "method")
        task = resnet_task(args.shared, args.images) if args.shared else digits_task(args.state)
        found = measured(task, args.state / f"{task.name}.json", formats, methods)
    except (edgeq.errors.EdgeqError, OSError) as error:
        print(f"ptq: {error}", file=sys.stderr)
        return 2
    print(table(found))
    if args.record:
        target = Path(__file__).parent / "results" / "ptq.json"
        kept = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
        kept[task.name] = found
        write(target, lambda file: file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))
    return 0 if all(c["equal"] for row in found["cells"].values() for c in row.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
