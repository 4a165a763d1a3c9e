"""ResNet-8 on CIFAR-10 with 4-bit weights and activations: residual additions, strided shortcuts, global mean.

The network is that of MLPerf Tiny (Banbury et al., arXiv 2106.07597): 78 k parameters, 12.5 M multiply-accumulates.
    python examples/cifar10_resnet8.py                                 compare emulator and torch on random inputs
    python examples/cifar10_resnet8.py --data cifar-10-batches-bin     accuracy too
    python examples/cifar10_resnet8.py --data … --train                train anew
"""

from __future__ import annotations

import sys

import cifar10
from common import Example, main
from torch import Tensor, nn
from torch.nn import functional

import edgeq


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet8(nn.Module):
    """Three blocks of 16, 32 and 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.classify = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.classify(x.mean(dim=(2, 3)))


EIGHT = {"weights": 8, "activations": 8}
EXAMPLE = Example(
    name="cifar10_resnet8",
    network=ResNet8,
    recipe=edgeq.Recipe(weights=4, activations=4, input="s8", first=EIGHT, last=EIGHT),
    shape=cifar10.SHAPE,
    load=cifar10.load,
    augment=cifar10.augment,
    epochs=8,
    fine_tuning=2,
    samples=12_000,
)

if __name__ == "__main__":
    sys.exit(main(EXAMPLE, __doc__.splitlines()[0]))
