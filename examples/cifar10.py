"""Reads CIFAR-10 (Krizhevsky, 2009) for the examples: the binary version, or JPEG bytes packed in .npz files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from common import Data
from rich.progress import track
from torch import Tensor
from torch.nn import functional

SHAPE = (3, 32, 32)


def load(path: Path, samples: int) -> Data:
    """Images as (pixel - 128) / 128, which signed 8-bit inputs hold exactly.

    path: the folder `cifar-10-batches-bin`, or a folder with `cifar10_train_jpeg_packed.npz` and
    `cifar10_test_jpeg_packed.npz` (arrays jpeg, offsets, y). OSError says what is missing.
    """
    if (path / "test_batch.bin").is_file():
        train = [_binary(path / f"data_batch_{i}.bin") for i in range(1, 6)]
        images, labels = (np.concatenate(part)[:samples] for part in zip(*train, strict=True))
        return _data(images, labels, *_binary(path / "test_batch.bin"))
    files = [path / f"cifar10_{part}_jpeg_packed.npz" for part in ("train", "test")]
    if not all(f.is_file() for f in files):
        raise OSError(f"{path} holds neither the binary version of CIFAR-10 (test_batch.bin) nor {files[0].name}")
    return _data(*_packed(files[0], samples), *_packed(files[1], 10_000))


def augment(x: Tensor) -> Tensor:
    """A random shift of up to four pixels for the batch, and half of the images mirrored."""
    down, right = torch.randint(0, 9, (2,)).tolist()
    x = functional.pad(x, (4, 4, 4, 4))[..., down : down + 32, right : right + 32]
    mirrored = torch.rand(len(x)) < 0.5
    return torch.where(mirrored[:, None, None, None], x.flip(-1), x).contiguous(memory_format=torch.channels_last)


def _data(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray
) -> Data:  # fmt: skip
    x = [(torch.from_numpy(a).float() - 128) / 128 for a in (train_x, test_x)]
    y = [torch.from_numpy(a.astype(np.int64)) for a in (train_y, test_y)]
    return Data(x[0], y[0], x[1], y[1])


def _binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.fromfile(path, dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return rows[:, 1:].reshape(-1, *SHAPE), rows[:, 0]


def _packed(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    with np.load(path) as packed:
        jpeg, offsets, labels = packed["jpeg"].tobytes(), packed["offsets"], packed["y"][:count]
    images = np.empty((len(labels), *SHAPE), dtype=np.uint8)
    for i in track(range(len(labels)), f"reading {path.name}", transient=True):
        image = Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]])).convert("RGB")
        images[i] = np.asarray(image).transpose(2, 0, 1)
    return images, labels
