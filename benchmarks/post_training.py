"""Accuracy of a float model file after calibration, format by format, with and without bias correction.

    python benchmarks/post_training.py SHARED [images] [--record]

SHARED is a folder with `models/resnet8_cifar10_float.tflite` and `…_int8.tflite` (MLPerf Tiny) and
`data/cifar10_{train,test}_jpeg_packed.npz` (CIFAR-10 as JPEG: `jpeg`, `offsets`, `y`). 200 training images calibrate,
the first `images` (2000) test images count. The prepared module is evaluated, which equals the graph in every tensor;
the equality of emulator, host C and Cortex-M4 is measured on the first graph. `--record` writes
results/post_training.json.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import edgeq
from edgeq.frontends import float_module

CALIBRATION = 200
EIGHT = {"weights": 8, "activations": 8}
RECIPES: dict[str, dict[str, Any]] = {
    "W8A8": {},
    "W8A8, one point for all channels": {"per_channel": False},
    "W6A8": {"weights": 6},
    "W4A8": {"weights": 4},
    "W4A8, first and last 8": {"weights": 4, "first": EIGHT, "last": EIGHT},
    "W8A6": {"activations": 6},
    "W8A16": {"activations": 16},
    "E4M3": {"weights": "e4m3", "activations": "e4m3"},
}


def images(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of a packed file, as the network takes them, and their classes."""
    found = np.load(path)
    offsets, raw = found["offsets"], found["jpeg"].tobytes()
    decoded = [Image.open(io.BytesIO(raw[offsets[i] : offsets[i + 1]])).convert("RGB") for i in range(count)]
    return np.stack([np.asarray(image) for image in decoded]).astype(np.float32), found["y"][:count]


def evaluated(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """Outputs of all images."""
    with torch.no_grad():
        return torch.cat([module(torch.from_numpy(x[i : i + 100])) for i in range(0, len(x), 100)]).numpy()


def row(found: np.ndarray, float_outputs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy, and how often the class is the float network's."""
    classes = found.argmax(1)
    return {
        "accuracy": round(float((classes == y).mean()), 4),
        "as_float": round(float((classes == float_outputs.argmax(1)).mean()), 4),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("images", type=int, nargs="?", default=2000)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    path = options.shared / "models" / "resnet8_cifar10_float.tflite"
    samples, _ = images(options.shared / "data" / "cifar10_train_jpeg_packed.npz", CALIBRATION)
    x, y = images(options.shared / "data" / "cifar10_test_jpeg_packed.npz", options.images)
    module = float_module(path)
    wanted = evaluated(module, x)
    rows: dict[str, Any] = {"float": row(wanted, wanted, y)}
    print("| format | accuracy | class as float | with bias correction | class as float |\n|---|---|---|---|---|")
    print(f"| float | {rows['float']['accuracy']:.2%} | | | |", flush=True)
    for name, recipe in RECIPES.items():
        found = []
        for correct in (False, True):
            prepared = edgeq.prepare(module, recipe, samples[:50])
            batches = [samples[i : i + 50] for i in range(0, CALIBRATION, 50)]
            edgeq.calibrate(prepared, batches, ptq="bias_correction" if correct else None)
            found.append(row(evaluated(prepared, x), wanted, y))
        rows[name] = {"plain": found[0], "bias correction": found[1]}
        cells = [f"{f[key]:.2%}" for f in found for key in ("accuracy", "as_float")]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    int8 = edgeq.load(options.shared / "models" / "resnet8_cifar10_int8.tflite")
    codes = np.concatenate([int8.run(x[i : i + 100]) for i in range(0, len(x), 100)])
    rows["published int8 .tflite"] = row(codes, wanted, y)
    print("| published int8 .tflite | {accuracy:.2%} | {as_float:.2%} | | |".format(**rows["published int8 .tflite"]))
    net = edgeq.load(path, calibrate=samples)
    equality = {}
    for board, count in (("host", 20), ("cortex-m4", 4)):
        result = edgeq.verify(net, board, x[:count])
        equality[board] = {"samples": count, "values": result.values, "mismatches": result.mismatches}
        print(f"emulator and {board}: {count} images, {result.values:,} values, {result.mismatches} differ", flush=True)
    if options.record:
        record = {"images": options.images, "calibration": CALIBRATION, "formats": rows, "equality": equality}
        out = Path(__file__).parent / "results" / "post_training.json"
        out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
