"""BiasQuant: a bias with a width and a binary point of its own, no finer than the products that it is added to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeq.quant.binary_point import BinaryPoint
from edgeq.quant.rounding import round_ste
from edgeq.quant.spec import QuantSpec, power_of_two


class BiasQuant(nn.Module):
    """One binary point for all channels of a layer, learned as others are.

    A sum is exact on the grid of its products, so a bias that asks for a finer one gets theirs; its point then has no
    gradient, since moving it changes nothing.
    """

    def __init__(self, spec: QuantSpec) -> None:
        super().__init__()
        self.scaling_impl = BinaryPoint(spec)
        self.observer_only = False

    @property
    def tensor_quant(self) -> BiasQuant:
        """Where Brevitas' proxies hold the quantiser."""
        return self

    def forward(self, bias: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
        """The rounded bias, and log2 of its grid for each channel (int32); `least`: log2 of the products' grids."""
        point = self.scaling_impl
        own = point(bias)
        floor = power_of_two(least).to(bias.dtype)
        scale = torch.where(own > floor, own, floor)
        top = torch.exp2(point.width() - 1)
        units = round_ste(bias / scale, point.spec.rounding)
        units = torch.where(units > top - 1, top - 1, torch.where(units < -top, -top, units))
        return units * scale, torch.maximum(point.exponent().expand(least.shape), least)


__all__ = ["BiasQuant"]
