"""Layers that resize or pick: linear resizing as the device does it, and the arguments of torch's resizes.

A product of a code and a share of few places is exact, so that a linear resize is one sum with one rounding, as other
operations are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.ir.coordinates import Line, resize_line


def resample(x: Tensor, lines: Sequence[Line], bits: int | None) -> Tensor:
    """x (N, C, *spatial) resized along each axis of space; shares of `bits` places, None: as exact as x's type."""
    for dim, line in enumerate(lines, start=2):
        numbers = line.share if bits is None else [w / (1 << bits) for w in line.weights(bits)]
        share = torch.tensor([float(n) for n in numbers], dtype=x.dtype, device=x.device)
        share = share.reshape(-1, *(1,) * (x.ndim - dim - 1))
        low, high = (x.index_select(dim, torch.tensor(i, device=x.device)) for i in (line.low, line.high))
        x = low * (1 - share) + high * share
    return x


class LinearResize(nn.Module):
    """Resizes feature maps of one size, by the lines of a model file; `edgeq.prepare` does not look into it."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self.lines = tuple(lines)

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.lines, None)

    def places(self, spatial: Sequence[int], size: Sequence[int]) -> tuple[Line, ...]:
        """The lines, whatever is resized."""
        return self.lines

    def size(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output."""
        return tuple(len(line.low) for line in self.lines)


class Picked(nn.Module):
    """Takes listed elements of some axes: nearest resizes, mirrored borders, steps backwards; a leaf for tracing.

    places: for each axis of torch's tensor, the batch being 0 and never picked from, the elements that are taken.
    """

    def __init__(self, places: Mapping[int, Sequence[int]]) -> None:
        super().__init__()
        self.places = {dim: tuple(int(i) for i in line) for dim, line in sorted(places.items())}

    def forward(self, x: Tensor) -> Tensor:
        for dim, line in self.places.items():
            x = x.index_select(dim, torch.tensor(line, device=x.device))
        return x


class TorchResize:
    """What the arguments of nn.Upsample and F.interpolate mean; `size` is None where the call computes it."""

    def __init__(
        self,
        size: int | Sequence[int] | None,
        factor: float | Sequence[float] | None,
        corners: bool,
        recompute: bool,
    ) -> None:
        self.wanted, self.factor, self.corners, self.recompute = size, factor, corners, recompute

    def size(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output."""
        if self.wanted is not None:
            return _each(self.wanted, len(spatial))
        assert self.factor is not None
        return tuple(floor(n * f) for n, f in zip(spatial, _each(self.factor, len(spatial)), strict=True))

    def places(self, spatial: Sequence[int], size: Sequence[int]) -> tuple[Line, ...]:
        """The line of each axis. Torch divides by the factor as it was given, unless told to take that of the sizes."""
        mode = "align_corners" if self.corners else "half_pixel"
        factors: Sequence[float | None] = (None,) * len(spatial)
        if self.factor is not None and not self.recompute:
            factors = _each(self.factor, len(spatial))
        return tuple(resize_line(mode, n, m, f) for n, m, f in zip(spatial, size, factors, strict=True))


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


__all__ = ["LinearResize", "Picked", "TorchResize", "resample"]
