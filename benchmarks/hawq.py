"""Mixed widths found by search, then trained: ResNet-8 (MLPerf Tiny's float .tflite) at what 4 bits everywhere cost.

    python benchmarks/hawq.py SHARED [--state build/hawq] [--seeds 3] [--epochs 4] [--quick] [--record]

SHARED as for post_training.py. `edgeq search widths` chooses each layer's weights and each tensor's activations among
2, 3, 4, 6 and 8 bits, first and last layer too, by two sensitivities and the integer programme: once within the bit
operations that 4 bits everywhere take, once within their bytes. Each recipe, W8A8 and W4A4 are then trained from the
published float weights by the same schedule; seeds differ in the order and the augmentation of the images. Each of
the networks is exported then and compared with the emulator. All state lies in --state, written after every epoch: the
same command goes on where it was stopped. --record writes results/hawq.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qfx import Data, Run, augmented, hardware, load, train, write
from qfx import Settings as Images
from rich.progress import Progress
from torch import Tensor, nn

import edgeq
from edgeq.errors import EdgeqError
from edgeq.frontends import float_module
from edgeq.progress import Progress as Report
from edgeq.search.store import Store
from edgeq.search.task import make_task
from edgeq.search.widths import Settings, search_widths

RESULTS = Path(__file__).parent / "results" / "hawq.json"
CALIBRATION = 256
BATCH = 64
RATE, CLIP = 0.01, 1.0
OPTIONS = (2, 3, 4, 6, 8)
SENSITIVITIES = ("hessian", "measured")
#: searched under the cost of 4 bits everywhere
COSTS = ("bitops", "bytes")
UNIFORM: dict[str, dict[str, Any]] = {"W8A8": {}, "W4A4": {"weights": 4, "activations": 4}}


def pixels(images: Tensor) -> Tensor:
    """Images in bytes as `network` takes them: channels last, 0 to 1."""
    return (images.float() / 256).permute(0, 2, 3, 1)


def drawn(images: Tensor, random: torch.Generator) -> Tensor:
    """A training batch: shifted and mirrored."""
    return (augmented(images, random) / 2 + 0.5).permute(0, 2, 3, 1)


def network(shared: Path) -> nn.Module:
    """The published float network up to its softmax, its first weights for pixels of 0 to 1 in place of 0 to 256.

    With weights of 1/256 the first layer has nearly all of the gradient.
    """
    model = float_module(shared / "models" / "resnet8_cifar10_float.tflite")
    model.softmax = nn.Identity()
    first: Any = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    first.weight.data *= 256
    return model.eval()


def accuracy(model: nn.Module, data: Data) -> float:
    """Share of the test images that a network has right."""
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(pixels(x)).argmax(1) for x in data.test_x.split(250)])
    return round(float((found == data.test_y).double().mean()), 4)


def searched(model: nn.Module, data: Data, cost: str, state: Path) -> dict[str, Any]:
    """Widths within the cost of 4 bits everywhere: the recipe, and the table that it is the best of."""
    path = state / f"search-{cost}.json"
    if not path.is_file():
        few = pixels(data.train_x[:CALIBRATION])
        task = make_task("resnet8", model, (few, data.train_y[:CALIBRATION]), (pixels(data.test_x), data.test_y))
        settings = Settings("4bit", cost, OPTIONS, SENSITIVITIES)
        with Progress(transient=True) as bars:

            def phase(name: str) -> Report:
                bar = bars.add_task(f"search, {cost}: {name}", total=None)
                return lambda done, total: bars.update(bar, completed=done, total=total)

            found = search_widths(task, settings, Store(state / "search.jsonl"), phase)
        made = {"recipe": found.recipe.to_dict(), **found.to_json()}
        write(path, lambda file: file.write_text(json.dumps(made, indent=1) + "\n", "utf-8"))
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read


def measured(
    model: nn.Module, recipe: dict[str, Any], data: Data, run: Run, file: Path
) -> dict[str, Any]:  # fmt: skip
    """Calibrate, measure, train, measure, export, compare."""
    start = time.perf_counter()
    few = pixels(data.train_x[:CALIBRATION]).split(64)
    prepared = edgeq.calibrate(edgeq.prepare(model, edgeq.Recipe.from_dict(recipe), few[0]), few)
    calibrated = accuracy(prepared, data)
    train(prepared, data, run, BATCH, None, 0.0)
    found = {"calibrated": calibrated, "trained": accuracy(prepared, data), **hardware(prepared, few[0])}
    probe = pixels(data.test_x[:4])
    net = edgeq.export(prepared, probe[:2])
    write(file, lambda path: net.save(path))
    result = edgeq.verify(net, prepared, x=probe.numpy())
    seconds = round(time.perf_counter() - start)
    return found | {"equal": result.equal, "values": result.values, "seconds": seconds}


def table(results: dict[str, Any]) -> str:
    """Means over the seeds."""
    rows = [
        "| widths | seeds | calibrated | trained | ± | against W8A8 | bits W/A, mean of layers | Mbitops |",
        "|---|---|---|---|---|---|---|---|",
    ]
    seeds = results["seeds"].values()
    base = float(np.mean([s["W8A8"]["trained"] for s in seeds if "W8A8" in s] or [np.nan]))
    for name in dict.fromkeys(key for s in seeds for key in s):
        found = [s[name] for s in seeds if name in s]
        cal, got = (np.array([f[key] for f in found]) for key in ("calibrated", "trained"))
        bits = " / ".join(f"{found[0][key]:.1f}" for key in ("weight_bits", "activation_bits"))
        rows.append(
            f"| {name} | {len(found)} | {cal.mean():.2%} | {got.mean():.2%} | {100 * got.std(ddof=len(got) > 1):.2f} "
            f"| {100 * (got.mean() - base):+.2f} | {bits} | {found[0]['mega_bitops']:.0f} |"
        )
    return "\n".join(rows)


def reproduce(args: argparse.Namespace) -> dict[str, Any]:
    """All that the state folder does not hold yet."""
    settings = {key: getattr(args, key) for key in ("samples", "tests", "epochs")}
    args.state.mkdir(parents=True, exist_ok=True)
    path = args.state / "results.json"
    results: dict[str, Any] = {"settings": settings, "seeds": {}}
    if path.is_file():
        results = json.loads(path.read_text("utf-8"))
        if results["settings"] != settings:
            raise OSError(f"{args.state} was made with {results['settings']}; name another folder with --state")
    data = load(args.shared / "data", Images(samples=args.samples, tests=args.tests), torch.device("cpu"))
    model = network(args.shared)
    results["float"] = accuracy(model, data)
    results["searches"] = {cost: searched(model, data, cost, args.state) for cost in COSTS}
    recipes = UNIFORM | {f"4 bits' {cost}": found["recipe"] for cost, found in results["searches"].items()}
    for seed in range(1, args.seeds + 1):
        mine = results["seeds"].setdefault(str(seed), {})
        for number, (name, recipe) in enumerate(recipes.items()):
            if name in mine:
                continue
            label = f"seed {seed}, {name}"
            state = args.state / f"{number}-{seed}.pt"
            run = Run(state, label, seed, args.epochs, args.samples, RATE, CLIP, drawn)
            mine[name] = measured(model, recipe, data, run, args.state / f"{number}-{seed}.edgeq")
            write(path, lambda file: file.write_text(json.dumps(results, indent=1) + "\n", "utf-8"))
            state.unlink(missing_ok=True)
            print(f"{label}: {json.dumps(mine[name])}", file=sys.stderr)
    return results


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--state", type=Path, default=Path("build", "hawq"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10_240, help="training images, and images of an epoch")
    parser.add_argument("--tests", type=int, default=5000, help="test images")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="a few minutes: one seed, one epoch, few images")
    parser.add_argument("--record", action="store_true", help="write results/hawq.json")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.samples, args.tests, args.epochs = 1, 1280, 500, 1
    torch.set_num_threads(1)
    try:
        results = reproduce(args)
    except (EdgeqError, OSError) as error:
        print(f"hawq: {error}", file=sys.stderr)
        return 2
    print(f"float: {results['float']:.2%}\n")
    print(table(results))
    if args.record:
        write(RESULTS, lambda file: file.write_text(json.dumps(results, indent=1) + "\n", "utf-8"))
    return 0 if all(line["equal"] for seed in results["seeds"].values() for line in seed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
