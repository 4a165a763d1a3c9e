"""SmoothQuant: outliers of activations move into the weights that read them (Xiao et al., arXiv 2211.10438).

A channel whose greatest magnitude over the calibration data is a, and whose readers' greatest weight is b, is divided
by a^alpha / b^(1 - alpha). The factor is folded into the layers that make the channel, so the device computes nothing
for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.ptq.network import Inputs, in_float, inputs_of
from edgeq.quant.ptq.regions import Region, fit_points, incoming, movable, scale

#: no channel is scaled by more than this
MOST = 1e4


@torch.no_grad()
def apply(prepared: nn.Module, batches: list[Inputs], options: Mapping[str, int | float]) -> None:
    """Smooth every region, from the input on."""
    regions = movable(prepared, batches[0], "smooth")
    for region in regions:
        # Regions before this one have changed nothing here: in float the network is the same.
        scale(prepared, region, _factor(prepared, region, batches, float(options["alpha"])))
    fit_points(prepared, regions)


def _factor(prepared: nn.Module, region: Region, batches: list[Inputs], alpha: float) -> Tensor:
    activation: Tensor | float = 0.0
    weight: Tensor | float = 0.0
    for name in region.readers:
        layer: Any = prepared.get_submodule(name)
        own = incoming(layer, layer.weight.detach(), region.channels).abs().amax(dim=1)
        weight = torch.maximum(own, torch.as_tensor(weight).to(own))
        with in_float(prepared):
            for x in inputs_of(prepared, name, batches):
                seen = x.transpose(0, 1).reshape(region.channels, -1).abs().amax(dim=1)
                activation = torch.maximum(seen, torch.as_tensor(activation).to(seen))
    activation, weight = torch.as_tensor(activation), torch.as_tensor(weight)
    alive = (activation > 0) & (weight > 0)
    factor = torch.where(alive, activation, 1.0) ** alpha / torch.where(alive, weight, 1.0) ** (1 - alpha)
    return factor.clamp(1 / MOST, MOST)


__all__ = ["apply"]
