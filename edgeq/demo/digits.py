"""scikit-learn's handwritten digits: data, a small convolutional network, and training loops a user could have written.

The data are 1,797 images of 8x8 pixels with 16 grey levels (Alpaydin and Kaynak, UCI), which scikit-learn ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import nn

    from edgeq.progress import Progress
    from edgeq.quant import Recipe

#: one in five images is for testing
TEST_SHARE = 0.2
FLOAT_EPOCHS = 25
QUANTISED_EPOCHS = 12
BATCH = 64


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, 8, 8) float32 in 0 … 1 in steps of 1/16, and labels (N,) int64."""

    train_x: npt.NDArray[np.float32]
    train_y: npt.NDArray[np.int64]
    test_x: npt.NDArray[np.float32]
    test_y: npt.NDArray[np.int64]


def load(seed: int = 0) -> Digits:
    """The data, shuffled and split by a fixed seed."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    x = (np.asarray(bunch.images, dtype=np.float32) / 16.0)[:, None]
    y = np.asarray(bunch.target, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(y))
    held = int(len(y) * TEST_SHARE)
    test, train = order[:held], order[held:]
    return Digits(x[train], y[train], x[test], y[test])


def network() -> nn.Module:
    """Three convolutions with BatchNorm and a linear layer: 15 k parameters, 0.45 M multiply-accumulates."""
    from torch import nn

    return nn.Sequential(
        _named(
            conv1=nn.Conv2d(1, 16, 3, padding=1, bias=False),
            norm1=nn.BatchNorm2d(16),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(16, 32, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(32),
            relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            conv3=nn.Conv2d(32, 32, 3, padding=1, bias=False),
            norm3=nn.BatchNorm2d(32),
            relu3=nn.ReLU(),
            mean=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            classify=nn.Linear(32 * 4, 10),
        )
    )


def _named(**layers: nn.Module) -> Any:
    """Layers in order, with names."""
    from collections import OrderedDict

    return OrderedDict(layers)


def train_float(data: Digits, seed: int = 0, epochs: int = FLOAT_EPOCHS, progress: Progress | None = None) -> nn.Module:
    """A trained float network, in eval mode."""
    import torch

    with one_thread():
        torch.manual_seed(seed)
        model = network()
        fit(model, data, epochs, rate=4e-3, seed=seed, progress=progress)
    return model


def train_quantised(
    model: nn.Module,
    recipe: Recipe | Mapping[str, Any],
    data: Digits,
    seed: int = 0,
    epochs: int = QUANTISED_EPOCHS,
    progress: Progress | None = None,
) -> nn.Module:
    """A quantised copy of a trained float network, trained on with quantisation; in eval mode."""
    import torch

    from edgeq.quant import calibrate, prepare

    with one_thread():
        torch.manual_seed(seed)
        images = torch.from_numpy(data.train_x)
        prepared = prepare(model, recipe, images[:2])
        calibrate(prepared, [images[:256]])
        fit(prepared, data, epochs, rate=1e-3, seed=seed, progress=progress)
    return prepared


def fit(
    model: nn.Module, data: Digits, epochs: int, rate: float, seed: int = 0, progress: Progress | None = None
) -> None:
    """An ordinary training loop: Adam, one learning-rate cycle, images shifted by up to a pixel. Ends in eval mode."""
    import torch
    from torch.nn import functional

    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    steps = -(-len(y) // BATCH)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * steps)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(y), generator=generator)
        for part in torch.split(order, BATCH):
            shift = torch.randint(-1, 2, (2,), generator=generator).tolist()
            loss = functional.cross_entropy(model(shifted(x[part], *shift)), y[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        if progress is not None:
            progress(epoch + 1, epochs)
    model.eval()


def shifted(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Images moved by some pixels, black coming in."""
    from torch.nn import functional

    padded = functional.pad(images, (1, 1, 1, 1))
    rows, columns = images.shape[-2:]
    return padded[..., 1 - down : 1 - down + rows, 1 - right : 1 - right + columns]


def accuracy(model: nn.Module, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> float:
    """Share of images whose greatest output is the right one, in eval mode."""
    import torch

    model.eval()
    with torch.no_grad(), one_thread():
        answers = model(torch.from_numpy(np.asarray(x))).argmax(dim=1).numpy()
    return float((answers == y).mean())


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: networks this small are slower on more."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
