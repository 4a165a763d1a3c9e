"""A layer as a matrix product: rows of weights, and the patches of its input that they are multiplied with.

Shapes: (groups, outputs / groups, terms) of weights, (groups, positions, terms) of patches. A linear layer has one
group, a depthwise convolution as many as channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: positions of a batch that are looked at
POSITIONS = 1 << 14


def is_transposed(layer: nn.Module) -> bool:
    """Whether the layer is a transposed convolution, whose weights are (inputs, outputs / groups, *kernel)."""
    return isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d))


def rows_of(layer: Any, weight: Tensor) -> Tensor:
    """The weights (or anything of their shape) as rows."""
    if isinstance(layer, nn.Linear):
        return weight.unsqueeze(0)
    groups = layer.groups
    if not is_transposed(layer):
        return weight.reshape(groups, weight.shape[0] // groups, -1)
    flipped = weight.flip(tuple(range(2, weight.ndim)))
    split = flipped.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return split.transpose(1, 2).reshape(groups, weight.shape[1], -1)


def weight_from(layer: Any, rows: Tensor) -> Tensor:
    """The weights of rows: the inverse of `rows_of`."""
    shape = layer.weight.shape
    if not is_transposed(layer):
        return rows.reshape(shape)
    split = rows.reshape(layer.groups, shape[1], shape[0] // layer.groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape).flip(tuple(range(2, len(shape))))


def patches(layer: Any, x: Tensor) -> Tensor:
    """What the rows are multiplied with, at every position of the output, or at `POSITIONS` of them."""
    if isinstance(layer, nn.Linear):
        return _sampled(x.reshape(1, -1, x.shape[-1]))
    dilation, kernel, stride = tuple(layer.dilation), tuple(layer.kernel_size), tuple(layer.stride)
    if is_transposed(layer):
        x, stride = _stuffed(layer, x), (1,) * len(stride)
    else:
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x = F.pad(x, layer._reversed_padding_repeated_twice, mode=mode)
    if x.ndim == 3:
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    unfolded = F.unfold(x, kernel, dilation, 0, stride)
    split = unfolded.reshape(x.shape[0], layer.groups, -1, unfolded.shape[-1])
    return _sampled(split.permute(1, 0, 3, 2).reshape(layer.groups, -1, split.shape[2]))


def _stuffed(layer: Any, x: Tensor) -> Tensor:
    """The input of the ordinary convolution of stride one that a transposed convolution is: zeros in between."""
    size = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], layer.stride, strict=True)]
    wide = x.new_zeros(*x.shape[:2], *size)
    places: tuple[Any, ...] = (..., *(slice(None, None, s) for s in layer.stride))
    wide[places] = x
    pads: list[int] = []
    for axis in reversed(range(len(size))):
        reach = layer.dilation[axis] * (layer.kernel_size[axis] - 1) - layer.padding[axis]
        pads += [reach, reach + layer.output_padding[axis]]
    return F.pad(wide, pads)


def _sampled(rows: Tensor) -> Tensor:
    """Some of the positions, an odd number apart."""
    step = -(-rows.shape[1] // POSITIONS)
    return rows[:, :: step | 1] if step > 1 else rows


def gram(a: Tensor, b: Tensor) -> Tensor:
    """Sums over positions of the products of terms, (groups, terms, terms) in float64."""
    return torch.matmul(a.transpose(1, 2), b).double()


__all__ = ["POSITIONS", "gram", "is_transposed", "patches", "rows_of", "weight_from"]
