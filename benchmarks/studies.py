"""The studies of docs/search.md: three networks in every format of 3 to 8 bits, calibrated, against what they cost.

    python benchmarks/studies.py SHARED [--networks resnet8,mobilenet,fashion] [-j 2] [-o build/studies] [--record]

SHARED is a folder with `models/resnet8_cifar10_float.tflite` (MLPerf Tiny, as published), CIFAR-10 as JPEG bytes
(`data/cifar10_{train,test}_jpeg_packed.npz`, lossy) and `data/fashion_mnist.npz`. The MobileNet has the weights that
examples/cifar10_mobilenet.py was trained to; a small convolutional network for Fashion-MNIST is trained first.

256 training images calibrate, the first --images test images judge; every accuracy has its 95 % interval. The input,
the output and the first and last layer keep 8 bits. All that is done lies in the folder -o: the same command goes on
where it was stopped, an epoch or a point at a time. --without instructions,luts leaves those for a later call.
--record writes results/studies.json and docs/studies/.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from post_training import images
from qfx import Data, Run, scaled, train, write
from qfx import Settings as Cifar
from qfx import load as load_cifar
from rich.progress import Progress, TaskID
from torch import Tensor, nn

import edgeq
from edgeq.search.draw import write_all
from edgeq.search.space import bits_of
from edgeq.search.store import Store
from edgeq.search.study import COSTS as STUDY_COSTS
from edgeq.search.study import LEAST_BITS, MOST_BITS, Plan, Study, formats, front, study, with_fronts
from edgeq.search.task import Source

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

CALIBRATION = 256
EIGHT = {"weights": 8, "activations": 8}
BASE = edgeq.Recipe.from_dict({"input": 8, "output": 8, "first": EIGHT, "last": EIGHT})
#: plain; the best of what takes seconds; the best of what takes a minute
METHODS = ("mse", "equalise+bias", "equalise+gpfq+bias")
#: weights and activations of different formats, by the second method
MIXED = (4, 6, 8, "e2m1", "e2m3", "e3m2", "e4m3")
TRAINING = Cifar(samples=20_480, tests=10_000, epochs=12, batch=128)
RATE = 0.1
COSTS = ("instructions", "luts")
NETWORKS = ("resnet8", "mobilenet", "fashion")


class FashionNet(nn.Module):
    """A convolution and three depthwise-separable layers: 11 k parameters, 1.2 M multiply-accumulates at 32 × 32."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        for inputs, outputs, stride in ((16, 32, 1), (32, 64, 2), (64, 96, 1)):
            parts += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False), nn.BatchNorm2d(inputs)]
            parts += [nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*parts)
        self.classify = nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classify(self.layers(x).mean(dim=(2, 3)))
        return out


def mobilenet() -> nn.Module:
    """The network of the example in float, its trained weights with BatchNorm in them."""
    from cifar10_mobilenet import EXAMPLE, MobileNet
    from common import checkpoint

    model = MobileNet()
    with np.load(checkpoint(EXAMPLE)) as found:
        state = {key: torch.from_numpy(found[key]) for key in found.files}
    for layer in model.modules():
        if isinstance(layer, nn.Sequential) and len(layer) > 1 and isinstance(layer[1], nn.BatchNorm2d):
            layer[0].bias, layer[1] = nn.Parameter(torch.zeros(layer[0].out_channels)), nn.Identity()
    model.load_state_dict({key: state[key] for key in model.state_dict()})
    return model.eval()


def fashion_data(folder: Path) -> Data:
    """Fashion-MNIST in the middle of 32 × 32 pixels."""
    with np.load(folder / "fashion_mnist.npz") as found:
        parts = {key: found[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    wide = {k: np.pad(parts[k].reshape(-1, 1, 28, 28), ((0, 0), (0, 0), (2, 2), (2, 2))) for k in ("x_train", "x_test")}
    classes = {k: torch.from_numpy(parts[k].astype(np.int64)) for k in ("y_train", "y_test")}
    count = TRAINING.samples
    return Data(
        torch.from_numpy(wide["x_train"][:count]), classes["y_train"][:count],
        torch.from_numpy(wide["x_test"]), classes["y_test"],
    )  # fmt: skip


# -- float networks and their data --------------------------------------------------------------------------------


def trained(name: str, network: Callable[[], nn.Module], data: Data, folder: Path) -> nn.Module:
    """A float network trained by SGD, an epoch at a time."""
    torch.manual_seed(0)
    model = network()
    run = Run(folder / "float.pt", f"{name}, float", 0, TRAINING.epochs, TRAINING.samples, RATE, 5.0)
    train(model, data, run, TRAINING.batch, None, 0.0)
    return model.eval()


def files(name: str, shared: Path, folder: Path, count: int) -> Source:
    """The float network as a file with arrays beside it, as `edgeq search` takes them; made where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{part}.npy" for part in ("calibration", f"test-{count}", f"labels-{count}")]
    model = shared / "models" / "resnet8_cifar10_float.tflite" if name == "resnet8" else folder / f"{name}.onnx"
    if name == "resnet8":
        few, _ = images(shared / "data" / "cifar10_train_jpeg_packed.npz", CALIBRATION)
        x, y = images(shared / "data" / "cifar10_test_jpeg_packed.npz", count)
    elif not all(p.is_file() for p in (model, *paths)):
        device = torch.device("cpu")
        if name == "mobilenet":
            network, data = mobilenet(), load_cifar(shared / "data", TRAINING, device)
        else:
            data = fashion_data(shared / "data")
            network = trained(name, FashionNet, data, folder)
        few, x, y = (t.numpy() for t in (
            scaled(data.train_x[:CALIBRATION]), scaled(data.test_x[:count]), data.test_y[:count]))  # fmt: skip
        write(model, lambda file: export_onnx(network, torch.from_numpy(few[:2]), file))
    else:
        return Source(str(model), *map(str, paths))
    for path, array in zip(paths, (few, x, y.astype(np.int64)), strict=True):
        write(path, lambda file, array=array: np.save(file, array))  # type: ignore[misc]
    return Source(str(model.resolve()), *(str(path.resolve()) for path in paths))


def export_onnx(network: nn.Module, example: Tensor, path: Path) -> None:
    """A float file for any number of images."""
    names: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}}}
    torch.onnx.export(network, (example,), str(path), dynamo=False, **names)


# -- the studies --------------------------------------------------------------------------------------------------


def plans(source: Source, without: set[str]) -> list[Plan]:
    """Every format on both sides by every method; then some formats against each other."""
    costs = {"counting": "none" if "instructions" in without else "counted", "luts": "luts" not in without}
    every = formats()
    return [
        Plan(source, every, every, METHODS, same=True, base=BASE, **costs),  # type: ignore[arg-type]
        Plan(source, MIXED, MIXED, METHODS[1:2], base=BASE, **costs),  # type: ignore[arg-type]
    ]


def studied(name: str, source: Source, args: argparse.Namespace) -> Study:
    """One network's study; what the store holds is not done again."""
    store = Store(args.output / "points.jsonl")  # of all networks: engines belong to none
    rows: dict[Any, Any] = {}
    with Progress(transient=True) as bars:
        for number, plan in enumerate(plans(source, args.without), start=1):
            task = bars.add_task(f"{name}, sweep {number} of 2", total=None)

            def shown(done: int, total: int, task: TaskID = task) -> None:
                bars.update(task, completed=done, total=total)

            found = study(plan, store, workers=args.jobs, progress=shown)
            rows |= {row.point: row for row in found.rows}
    return replace(found, name=name, rows=tuple(with_fronts(list(rows.values()))))


def equal_width(one: Study) -> str:
    """Integers against minifloats of the same width on both sides, method by method, as a table of the docs."""
    head = ("bits", *(f"{kind}, {method}" for method in METHODS for kind in ("integer", "minifloat")))
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for bits in range(LEAST_BITS, MOST_BITS + 1):
        cells = [str(bits)]
        for method in METHODS:
            rows = [row for row in one.rows if row.point.method == method and row.accuracy is not None]
            rows = [row for row in rows if {bits_of(row.point.weights), bits_of(row.point.activations)} == {bits}]
            for family in ("integer", "minifloat"):
                best = max((r for r in rows if r.point.family == family), key=lambda r: r.accuracy or 0.0, default=None)
                name = "" if best is None or family == "integer" else f" {best.point.name.split('/')[0]}"
                cells.append("–" if best is None else f"{best.accuracy:.1%}{name}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fronts(one: Study) -> str:
    """What no cheaper point betters, cost by cost."""
    lines = []
    for cost, name in STUDY_COSTS.items():
        best = [one.rows[i] for i in front(one.rows, cost)]
        points = ", ".join(f"{r.point.name} {r.accuracy:.1%} ({getattr(r, cost):,})" for r in best)
        lines.append(f"- {name}: {points}")
    return "\n".join(lines)


def record(found: dict[str, Study]) -> None:
    """The figures, and the plots of the docs."""
    root = Path(__file__).parents[1]
    path = root / "benchmarks" / "results" / "studies.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known |= {name: one.to_json() for name, one in found.items()}
    write(path, lambda file: file.write_text(json.dumps(known, indent=1) + "\n", "utf-8"))
    for name, one in found.items():
        folder = root / "docs" / "studies" / name
        for kind, made in write_all(one, folder).items():
            if kind not in ("svg", "csv"):
                made.unlink()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--images", type=int, default=1000, help="test images that judge")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    parser.add_argument("--without", default="", help="instructions, luts or both: costs that are left out")
    parser.add_argument("-o", "--output", type=Path, default=Path("build", "studies"))
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    args.without = {word for word in args.without.split(",") if word}
    names = args.networks.split(",")
    torch.set_num_threads(1)
    try:
        for word in (*args.without, *names):
            if word not in (*COSTS, *NETWORKS):
                raise OSError(f"{word!r} is unknown; networks are {', '.join(NETWORKS)}, costs {', '.join(COSTS)}")
        found = {}
        for name in names:
            source = files(name, args.shared, args.output / name, args.images)
            found[name] = studied(name, source, args)
            pages = write_all(found[name], args.output / name)
            print(f"{name}: float {found[name].float_accuracy:.2%}, {len(found[name].rows)} points: {pages['html']}")
            print(f"\n{equal_width(found[name])}\n\n{fronts(found[name])}\n")
    except (edgeq.errors.EdgeqError, OSError) as error:
        print(f"studies: {error}", file=sys.stderr)
        return 2
    if args.record:
        record(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
