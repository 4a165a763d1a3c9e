"""Mixed widths and the study of formats on ResNet-8 (MLPerf Tiny's float .tflite, CIFAR-10), by `edgeq search`.

    python benchmarks/search.py SHARED FOLDER [--test 1000] [--calibration 128] [--study]

SHARED as for post_training.py. Writes the images as .npy files to FOLDER and runs there, with what the shell runs:

    edgeq search widths … --budget 4bit --widths 2,3,4,6,8 --sensitivity all --allocator all
    edgeq search pareto … --formats 3,4,5,6,8,e2m1,e2m3,e3m2,e4m3,e5m2 --same --methods mse,mse+bias --no-luts

The second with --study. Both go on where they were stopped. FOLDER keeps recipe, page, plot and CSV.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from post_training import images

from edgeq.cli import main as edgeq

FORMATS = "3,4,5,6,8,e2m1,e2m3,e3m2,e4m3,e5m2"


def main() -> int:
    """Write the data and search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--calibration", type=int, default=128)
    parser.add_argument("--study", action="store_true", help="sweep formats instead of widths")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    data = options.shared / "data"
    samples, _ = images(data / "cifar10_train_jpeg_packed.npz", options.calibration)
    x, y = images(data / "cifar10_test_jpeg_packed.npz", options.test)
    files = {"calibration": samples, "test": x, "labels": y.astype(np.int64)}
    arguments = []
    for name, array in files.items():
        np.save(options.folder / f"{name}.npy", array)
        arguments += [f"--{name}", str(options.folder / f"{name}.npy")]
    model = str(options.shared / "models" / "resnet8_cifar10_float.tflite")
    if options.study:
        sweep = ["--formats", FORMATS, "--same", "--methods", "mse,mse+bias", "--no-luts"]
        return edgeq(["search", "pareto", model, *arguments, *sweep, "-o", str(options.folder / "study")])
    choice = ["--budget", "4bit", "--widths", "2,3,4,6,8", "--sensitivity", "all", "--allocator", "all"]
    return edgeq(["search", "widths", model, *arguments, *choice, "-o", str(options.folder / "recipe.yaml")])


if __name__ == "__main__":
    sys.exit(main())
