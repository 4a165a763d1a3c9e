"""Learned fixed point on CIFAR-10: the claims of QFX (arXiv 2401.17544) on a ResNet-20, over several seeds.

    python benchmarks/qfx.py --data DIR [--state DIR] [--seeds 3] [--groups points,khot] [--quick] [--record]

DIR holds CIFAR-10 as JPEG bytes (`cifar10_train_jpeg_packed.npz` and `cifar10_test_jpeg_packed.npz`: arrays `jpeg`,
`offsets`, `y`). The JPEG copy is lossy, so that differences count and not absolute accuracies.

For each seed a float network is trained; each variant starts from it, is calibrated (post-training quantisation: mean
squared error, bias correction) and measured, and is then trained on with quantisation and measured again. Groups:

    points       weights and activations of 3 to 8 bits: calibrated against learned binary points
    elementwise  8-bit convolutions; BatchNorm kept, it and the additions and pools at 4 to 8 bits
    khot         8-bit weights of at most 1, 2, 3 digits, signed and plain binary, against all eight bits
    widths       learned widths under a penalty on bit operations: the width-accuracy table

Every trained variant is exported, its weights are checked for their digits, and emulator and module are compared in
every tensor. All state lies in --state, written after every epoch, each file beside and then renamed: the same
command goes on where it was stopped. A GPU is used where there is one. --record writes results/qfx.json.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

import edgeq
from edgeq.errors import EdgeqError
from edgeq.formats import count_digits
from edgeq.ir import Graph
from edgeq.quant import WidthPenalty, freeze_widths, quantisers

CALIBRATION = 512
EIGHT = {"weights": 8}
DIGITS = ("signed", "binary")


@dataclass(frozen=True)
class Settings:
    """What a state folder was made with; it goes on only with the same. An epoch of fine-tuning has `fine_samples`."""

    depth: int = 20
    width: int = 16
    samples: int = 50_000
    tests: int = 10_000
    epochs: int = 100
    fine_tuning: int = 20
    fine_samples: int = 50_000
    batch: int = 128


QUICK = Settings(depth=8, width=8, samples=640, tests=200, epochs=1, fine_tuning=1, fine_samples=640, batch=64)


@dataclass(frozen=True)
class Variant:
    """One line of the table: its recipe, and the strength of the penalty on widths."""

    name: str
    group: str
    recipe: dict[str, Any]
    penalty: float = 0.0


def variants() -> list[Variant]:
    """All of them, in the order of the table."""
    found = [
        Variant(f"W{b}A{b}", "points", {"weights": b, "activations": b, "first": EIGHT, "last": EIGHT})
        for b in (8, 6, 5, 4, 3)
    ]
    for b in (8, 6, 5, 4):
        narrow = {"weights": b, "activations": b}
        found.append(Variant(f"element-wise {b}", "elementwise", {"batch_norm": "keep", "elementwise": narrow}))
    for digits in DIGITS:
        for k in (3, 2, 1):
            weights = {"bits": 8, "khot": k, "digits": digits}
            found.append(Variant(f"K={k} {digits}", "khot", {"weights": weights}))
    for strength in (0.1, 0.3, 1.0):
        found.append(Variant(f"learned widths {strength}", "widths", {"width": "learned"}, strength))
    return found


#: one of each group, for a smoke run
QUICK_NAMES = ("W4A4", "element-wise 5", "K=2 signed", "learned widths 1.0")


# -- network ------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """Two convolutions and a shortcut (He et al., arXiv 1512.03385), with a projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """The CIFAR family: 6n + 2 layers in three stages of `width`, 2 and 4 times `width` channels."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        blocks: list[nn.Module] = []
        channels = width
        for stage in range(3):
            for i in range((depth - 2) // 6):
                outputs = width << stage
                blocks.append(Block(channels, outputs, 2 if stage and not i else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.norm(self.stem(x))))
        out: Tensor = self.classify(x.mean(dim=(2, 3)))
        return out


# -- data ---------------------------------------------------------------------------------------------------------


@dataclass
class Data:
    """uint8 images (N, 3, 32, 32) and int64 classes, on the device that trains."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


def load(folder: Path, settings: Settings, device: torch.device) -> Data:
    """Decode the packed files; a prefix of either is balanced."""
    parts = []
    for part, count in (("train", settings.samples), ("test", settings.tests)):
        path = folder / f"cifar10_{part}_jpeg_packed.npz"
        if not path.is_file():
            raise OSError(f"{path} is not there; --data names the folder with CIFAR-10 as packed JPEG")
        images, classes = decode(path, count)
        parts += [torch.from_numpy(images).to(device), torch.from_numpy(classes).to(device)]
    return Data(*parts)


def decode(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of a packed file, channels first, and their classes."""
    from PIL import Image

    with np.load(path) as packed:
        jpeg, offsets, labels = packed["jpeg"].tobytes(), packed["offsets"], packed["y"][:count]
    images = np.empty((len(labels), 3, 32, 32), dtype=np.uint8)
    for i in track(range(len(labels)), f"reading {path.name}", transient=True):
        image = Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]])).convert("RGB")
        images[i] = np.asarray(image).transpose(2, 0, 1)
    return images, labels.astype(np.int64)


def scaled(images: Tensor) -> Tensor:
    """(pixel - 128) / 128, which signed 8-bit inputs hold exactly."""
    return (images.float() - 128) / 128


def augmented(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image shifted by up to four pixels and mirrored by chance."""
    count, device = len(images), images.device
    down, right = torch.randint(0, 9, (2, count), generator=random).to(device)
    padded = functional.pad(scaled(images), (4, 4, 4, 4))
    pixel = torch.arange(32, device=device)
    rows, columns = (start[:, None] + pixel for start in (down, right))
    mirrored = (torch.rand(count, generator=random) < 0.5).to(device)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    sample = torch.arange(count, device=device)[:, None, None]
    # Indices apart from the slice come first in the result.
    return padded[sample, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


# -- training -----------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One training that can be stopped: the file of its state, its name for the bar, and what it is seeded by.

    samples: images of an epoch, drawn anew for each. most: norm to which gradients are clipped; a network whose
    BatchNorm is folded diverges at rates that one with it bears. inputs: what the network gets of images in bytes.
    """

    state: Path
    label: str
    seed: int
    epochs: int
    samples: int
    rate: float
    most: float = float("inf")
    inputs: Callable[[Tensor, torch.Generator], Tensor] = augmented


def train(model: nn.Module, data: Data, run: Run, batch: int, penalty: WidthPenalty | None, strength: float) -> None:
    """SGD with one learning-rate cycle; the state is saved after every epoch, and an epoch's batches depend on it."""
    steps = -(-min(run.samples, len(data.train_y)) // batch)
    kinds, bits = groups(model)
    sgd = torch.optim.SGD(kinds, lr=run.rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(sgd, run.rate, total_steps=max(2, run.epochs * steps))
    # Gradients of widths differ by orders of magnitude from layer to layer; Adam does not mind. Its steps would bring
    # a width down by twelve bits if all of them agreed.
    step = min(0.3, 12 / max(1, run.epochs * steps))
    optimisers: list[torch.optim.Optimizer] = [sgd, *([torch.optim.Adam(bits, lr=step)] if bits else [])]
    parts = {"model": model, "schedule": schedule} | {f"optimiser{i}": o for i, o in enumerate(optimisers)}
    done = resume(run.state, parts, data.train_x.device)
    device = data.train_x.device
    for epoch in range(done, run.epochs):
        # The last third of the epochs, and at least one, trains with the widths that were found.
        if penalty is not None and epoch >= run.epochs - max(1, run.epochs // 3):
            freeze_widths(model)
        random = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
        torch.manual_seed(run.seed * 100_003 + epoch)
        order = torch.randperm(len(data.train_y), generator=random).to(device)[: run.samples]
        model.train()
        for part in track(order.split(batch), f"{run.label}, epoch {epoch + 1} of {run.epochs}", transient=True):
            loss = functional.cross_entropy(model(run.inputs(data.train_x[part], random)), data.train_y[part])
            if penalty is not None:
                loss = loss + strength * penalty()
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(kinds[0]["params"], run.most)
            for optimiser in optimisers:
                optimiser.step()
            schedule.step()
        saved = {"done": epoch + 1} | {key: part.state_dict() for key, part in parts.items()}
        write(run.state, lambda file, saved=saved: torch.save(saved, file))  # type: ignore[misc]
    model.eval()


def groups(model: nn.Module) -> tuple[list[dict[str, Any]], list[nn.Parameter]]:
    """Parameters for SGD, and widths. Weight decay is for weights: it would pull binary points towards one."""
    found = quantisers(model).values() if edgeq.quant.is_prepared(model) else ()
    points = [p.log2_range for p in found if isinstance(p.log2_range, nn.Parameter)]
    bits = [p.bits for p in found if p.bits is not None]
    apart = {id(p) for p in (*points, *bits)}
    weights = [p for p in model.parameters() if id(p) not in apart]
    kinds: list[dict[str, Any]] = [{"params": weights, "weight_decay": 5e-4}]
    return kinds + ([{"params": points, "weight_decay": 0.0}] if points else []), bits


def resume(path: Path, parts: dict[str, Any], device: torch.device) -> int:
    """Load an interrupted training's state, if there is one; returns the epochs that are done."""
    if not path.is_file():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    for key, part in parts.items():
        part.load_state_dict(state[key])
    return int(state["done"])


def accuracy(model: nn.Module, data: Data) -> float:
    """Share of test images whose greatest output is the right one."""
    model.eval()
    with torch.no_grad():
        right = [
            (model(scaled(x)).argmax(1) == y).sum()
            for x, y in zip(data.test_x.split(250), data.test_y.split(250), strict=True)
        ]
    return round(int(torch.stack(right).sum()) / len(data.test_y), 4)


# -- one seed -----------------------------------------------------------------------------------------------------


def float_network(state: Path, data: Data, settings: Settings, seed: int) -> nn.Module:
    """The float network of a seed, trained or read."""
    torch.manual_seed(seed)
    model: nn.Module = ResNet(settings.depth, settings.width).to(data.train_x.device)
    model = model.to(memory_format=torch.channels_last)  # a third faster on a CPU
    run = Run(state / f"float-{seed}.pt", f"seed {seed}, float", seed, settings.epochs, settings.samples, 0.1)
    train(model, data, run, settings.batch, None, 0.0)
    return model


def measure(
    model: nn.Module, variant: Variant, data: Data, settings: Settings, seed: int, state: Path
) -> dict[str, Any]:
    """Calibrate, measure, train, measure, export, compare: one line of one seed."""
    start = time.perf_counter()
    few = scaled(data.train_x[:CALIBRATION]).split(64)
    alone = edgeq.calibrate(edgeq.prepare(model, variant.recipe, few[0]), few, ptq="bias_correction")
    calibrated = accuracy(alone, data)
    prepared = edgeq.calibrate(edgeq.prepare(model, variant.recipe, few[0]), few)
    penalty = WidthPenalty(prepared, few[0]) if variant.penalty else None
    key = hashlib.sha256(variant.name.encode()).digest()
    file = checkpoint(state, variant, seed)
    label, epochs = f"seed {seed}, {variant.name}", settings.fine_tuning
    run = Run(file, label, seed + 1000 * key[0], epochs, settings.fine_samples, 0.003, 1.0)
    train(prepared, data, run, settings.batch, penalty, variant.penalty)
    found = {"calibrated": calibrated, "trained": accuracy(prepared, data), **hardware(prepared, few[0])}
    found |= exported(prepared.cpu(), variant, data, state / f"{file.stem}.edgeq")
    return found | {"seconds": round(time.perf_counter() - start)}


def checkpoint(state: Path, variant: Variant, seed: int) -> Path:
    """Where a variant's training is kept until its line is written."""
    return state / f"{variant.name.replace(' ', '-')}-{seed}.pt"


def hardware(prepared: nn.Module, example: Tensor) -> dict[str, Any]:
    """Mean width of the layers' weights and outputs, and bit operations of one inference."""
    points = quantisers(prepared)

    def mean(kind: str) -> float:
        return round(float(np.mean([p.spec.bits for name, p in points.items() if name.endswith(kind)])), 2)

    with torch.no_grad():
        cost = float(WidthPenalty(prepared, example, "bitops").cost())
    return {
        "weight_bits": mean("weight_quant"),
        "activation_bits": mean("output_quant"),
        "mega_bitops": round(cost / 1e6, 2),
    }


def exported(prepared: nn.Module, variant: Variant, data: Data, path: Path) -> dict[str, Any]:
    """The integer network: its file, whether it equals the module in every tensor, the digits of its weights."""
    probe = scaled(data.test_x[:4]).cpu()
    net = edgeq.export(prepared, probe[:2])
    write(path, lambda file: net.save(file))
    result = edgeq.verify(net, prepared, x=probe.numpy())
    weights = variant.recipe.get("weights")
    digits = weights["digits"] if isinstance(weights, dict) else "signed"
    return {"equal": result.equal, "values": result.values, "most_digits": most_digits(net, digits)}


def most_digits(net: Graph, digits: str) -> int:
    """The most non-zero digits of any weight of a matrix."""
    found = [net.ins(n)[1].data for n in net.nodes if n.op in ("conv", "linear")]
    return max(int(count_digits(data, digits).max()) for data in found if data is not None)


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """A file that is whole or not there: written beside, then renamed."""
    beside = path.with_name(f"{path.stem}.part{path.suffix}")
    save(beside)
    os.replace(beside, path)


# -- all ----------------------------------------------------------------------------------------------------------


def table(results: dict[str, Any], chosen: list[Variant]) -> str:
    """Means over the seeds, with the standard deviation of the trained accuracy; differences are to float."""
    seeds = results["seeds"]
    floats = {s: r["float"] for s, r in seeds.items() if "float" in r}
    lines = [
        f"float: {np.mean(list(floats.values())):.2%} over {len(floats)} seeds" if floats else "no float network yet",
        "",
        "| variant | seeds | calibrated | trained | ± | trained − float | trained − calibrated | bits W/A | Mbitops |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for v in chosen:
        rows = [(floats[s], r["variants"][v.name]) for s, r in seeds.items() if v.name in r.get("variants", {})]
        if not rows:
            continue
        cal, got = (np.array([r[k] for _, r in rows]) for k in ("calibrated", "trained"))
        base = np.array([f for f, _ in rows])
        bits = " / ".join(f"{np.mean([r[k] for _, r in rows]):.1f}" for k in ("weight_bits", "activation_bits"))
        cost = np.mean([r["mega_bitops"] for _, r in rows])
        lines.append(
            f"| {v.name} | {len(rows)} | {cal.mean():.2%} | {got.mean():.2%} | {100 * got.std(ddof=len(rows) > 1):.2f} "
            f"| {100 * (got - base).mean():+.2f} | {100 * (got - cal).mean():+.2f} | {bits} | {cost:.0f} |"
        )
    return "\n".join(lines)


def reproduce(args: argparse.Namespace, settings: Settings, chosen: list[Variant]) -> dict[str, Any]:
    """Everything that is not in the state folder yet."""
    args.state.mkdir(parents=True, exist_ok=True)
    path = args.state / "results.json"
    results: dict[str, Any] = {"settings": asdict(settings), "seeds": {}}
    if path.is_file():
        results = json.loads(path.read_text(encoding="utf-8"))
        if results["settings"] != asdict(settings):
            raise OSError(f"{args.state} was made with {results['settings']}; name another folder with --state")
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    print(f"training on {device}", file=sys.stderr)
    data = load(args.data, settings, device)

    def save() -> None:
        write(path, lambda file: file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8"))

    for seed in range(1, args.seeds + 1):
        mine = results["seeds"].setdefault(str(seed), {"variants": {}})
        missing = [v for v in chosen if v.name not in mine["variants"]]
        if not missing and "float" in mine:
            continue
        model = float_network(args.state, data, settings, seed)
        mine["float"] = accuracy(model, data)
        save()
        for variant in missing:
            mine["variants"][variant.name] = measure(model, variant, data, settings, seed, args.state)
            save()
            checkpoint(args.state, variant, seed).unlink(missing_ok=True)
            print(f"seed {seed}, {variant.name}: {json.dumps(mine['variants'][variant.name])}", file=sys.stderr)
    return results


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed CIFAR-10 files")
    parser.add_argument("--state", type=Path, help="folder of checkpoints and results; default build/qfx")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--groups", default="points,elementwise,khot,widths", help="which, separated by commas")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument(
        "--quick", action="store_true", help="a minute: one seed, one variant of each group, few images"
    )
    parser.add_argument("--record", action="store_true", help="write results/qfx.json")
    for key, value in asdict(Settings()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=int, help=f"default {value}")
    args = parser.parse_args()
    given = {k: getattr(args, k) for k in asdict(Settings()) if getattr(args, k) is not None}
    settings = Settings(**(asdict(QUICK if args.quick else Settings()) | given))
    chosen = [v for v in variants() if v.group in args.groups.split(",") and (not args.quick or v.name in QUICK_NAMES)]
    args.seeds = 1 if args.quick else args.seeds
    args.state = args.state or Path("build", "qfx-quick" if args.quick else "qfx")
    try:
        results = reproduce(args, settings, chosen)
    except (EdgeqError, OSError) as error:
        print(f"qfx: {error}", file=sys.stderr)
        return 2
    print(table(results, chosen))
    if args.record:
        target = Path(__file__).parent / "results" / "qfx.json"
        write(target, lambda file: file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8"))
    lines = [line for seed in results["seeds"].values() for line in seed["variants"].values()]
    return 0 if all(line["equal"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
