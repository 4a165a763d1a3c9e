"""One-dimensional convolutions on a wrist accelerometer: 14 daily activities from four seconds of three axes.

Data: UCI "Dataset for ADL Recognition with Wrist-worn Accelerometer" (Bruno et al., CC BY 4.0), 32 Hz, 6 bits.
    python examples/wrist_accelerometer_conv1d.py                      compare emulator and torch on random inputs
    python examples/wrist_accelerometer_conv1d.py --data HMP_Dataset   accuracy too
    python examples/wrist_accelerometer_conv1d.py --data … --train     train anew
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from common import Data, Example, main
from torch import Tensor, nn

import edgeq

WINDOW, STEP = 128, 64


class Activities(nn.Module):
    """Four convolutions, the second depthwise-separable, a mean over time and a linear layer."""

    def __init__(self, classes: int = 14) -> None:
        super().__init__()
        self.features = nn.Sequential(
            self.layer(3, 24, 9, stride=2),
            self.layer(24, 24, 5, groups=24),
            self.layer(24, 48, 1),
            nn.MaxPool1d(2),
            self.layer(48, 64, 5),
            nn.MaxPool1d(2),
            self.layer(64, 64, 3),
        )
        self.drop = nn.Dropout(0.2)
        self.classify = nn.Linear(64, classes)

    @staticmethod
    def layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
        """Convolution, BatchNorm, ReLU."""
        conv = nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm1d(outputs), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.drop(self.features(x).mean(dim=2)))


def load(path: Path, samples: int) -> Data:
    """Windows (N, 3, 128) of (sample - 32) / 32; every fifth recording is for testing.

    path: the data set's folder (one folder per activity, text files of three columns), or the packed
    `hmp_wrist_accelerometer_adl_uint6.npz` (samples, offsets, y), or the folder that it lies in.
    """
    packed = path / "hmp_wrist_accelerometer_adl_uint6.npz" if path.is_dir() else path
    recordings = _packed(packed) if packed.is_file() else _folders(path)
    parts: dict[bool, list[tuple[np.ndarray, int]]] = {False: [], True: []}
    for index, (samples_, label) in enumerate(recordings):
        parts[index % 5 == 4] += [(w, label) for w in _windows(samples_)]
    train, test = ((np.stack([w for w, _ in p]), np.array([y for _, y in p])) for p in (parts[False], parts[True]))
    x = [torch.from_numpy((a.transpose(0, 2, 1).astype(np.float32) - 32) / 32) for a in (train[0], test[0])]
    y = [torch.from_numpy(a.astype(np.int64)) for a in (train[1], test[1])]
    return Data(x[0][:samples], y[0][:samples], x[1], y[1])


def _windows(samples: np.ndarray) -> list[np.ndarray]:
    """Half-overlapping windows; a short recording is repeated until it fills one."""
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    return [samples[i : i + WINDOW] for i in range(0, len(samples) - WINDOW + 1, STEP)]


def _packed(path: Path) -> list[tuple[np.ndarray, int]]:
    with np.load(path) as z:
        samples, offsets, labels = z["samples"], z["offsets"], z["y"]
    return [(samples[a:b], int(y)) for a, b, y in zip(offsets[:-1], offsets[1:], labels, strict=True)]


def _folders(path: Path) -> list[tuple[np.ndarray, int]]:
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.endswith("_MODEL")) if path.is_dir() else []
    found = [(np.loadtxt(file, dtype=np.uint8), i) for i, f in enumerate(folders) for file in sorted(f.glob("*.txt"))]
    if not found:
        raise OSError(f"{path} holds no recordings; give the folder of the data set, or the packed .npz file")
    return found


def augment(x: Tensor) -> Tensor:
    """Windows begin up to eight samples later, and are a little louder or quieter."""
    gain = 0.9 + 0.2 * torch.rand(len(x), 1, 1)
    return (x.roll(int(torch.randint(-8, 9, ())), -1) * gain).clamp(-1, 31 / 32)


EXAMPLE = Example(
    name="wrist_accelerometer_conv1d",
    network=Activities,
    recipe=edgeq.Recipe(weights=8, activations=8, input="s8", layers={"features.4.*": {"weights": 4}}),
    shape=(3, WINDOW),
    load=load,
    augment=augment,
    epochs=20,
    fine_tuning=5,
    samples=100_000,
)

if __name__ == "__main__":
    sys.exit(main(EXAMPLE, __doc__.splitlines()[0]))
