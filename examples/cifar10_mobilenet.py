"""A small MobileNetV2 on CIFAR-10 with 8-bit weights and activations: inverted residuals, depthwise layers, ReLU6.

After Sandler et al. (arXiv 1801.04381), narrowed for 32x32 images: 69 k parameters, 7.0 M multiply-accumulates.
    python examples/cifar10_mobilenet.py                               compare emulator and torch on random inputs
    python examples/cifar10_mobilenet.py --data cifar-10-batches-bin   accuracy too
    python examples/cifar10_mobilenet.py --data … --train              train anew
"""

from __future__ import annotations

import sys

import cifar10
from common import Example, main
from torch import Tensor, nn

import edgeq


def layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    """Convolution, BatchNorm and, if wanted, ReLU6."""
    parts = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, nn.ReLU6()) if act else nn.Sequential(*parts)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; a residual where shapes allow one."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        self.expand = layer(inputs, wide, 1)
        self.depthwise = layer(wide, wide, 3, stride, groups=wide)
        self.project = layer(wide, outputs, 1, act=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class MobileNet(nn.Module):
    """Seven inverted residuals."""

    #: (outputs, stride, expansion) of each
    PLAN = ((16, 1, 2), (24, 2, 4), (24, 1, 4), (32, 2, 4), (32, 1, 4), (48, 2, 4), (48, 1, 4))

    def __init__(self) -> None:
        super().__init__()
        self.stem = layer(3, 16, 3)
        blocks, channels = [], 16
        for outputs, stride, expand in self.PLAN:
            blocks.append(InvertedResidual(channels, outputs, stride, expand))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = layer(channels, 128, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(128, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.pool(self.head(self.blocks(self.stem(x)))))


EXAMPLE = Example(
    name="cifar10_mobilenet",
    network=MobileNet,
    recipe=edgeq.Recipe(weights=8, activations=8, input="s8"),
    shape=cifar10.SHAPE,
    load=cifar10.load,
    augment=cifar10.augment,
    epochs=8,
    fine_tuning=1,
    samples=12_000,
)

if __name__ == "__main__":
    sys.exit(main(EXAMPLE, __doc__.splitlines()[0]))
