"""Cross-layer equalisation: channels get ranges of weights that are alike on both sides (arXiv 1906.04721, 4.1).

A channel whose makers' greatest weight is a and whose readers' is b is divided by sqrt(a / b), after which both are
sqrt(a b). Regions share layers, so all are gone through again until nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.ptq.network import Inputs
from edgeq.quant.ptq.regions import Region, fit_points, incoming, movable, outgoing, scale

#: factors as near to one as this have settled
SETTLED = 1e-3
#: and no channel is scaled by more than this in a round
MOST = 1e4


@torch.no_grad()
def apply(prepared: nn.Module, batches: list[Inputs], options: Mapping[str, int | float]) -> None:
    """Equalise every region."""
    regions = movable(prepared, batches[0], "equalise")
    for _ in range(int(options["rounds"])):
        most = 0.0
        for region in regions:
            factor = _factor(prepared, region)
            scale(prepared, region, factor)
            most = max(most, float(factor.log().abs().max()))
        if most < SETTLED:
            break
    fit_points(prepared, regions)


def _factor(prepared: nn.Module, region: Region) -> Tensor:
    """What each channel is divided by; a channel of zeros on one side stays."""
    made = torch.stack([_greatest(prepared, region, name, makes=True) for name in region.makers]).amax(0)
    read = torch.stack([_greatest(prepared, region, name, makes=False) for name in region.readers]).amax(0)
    alive = (made > 0) & (read > 0)
    ratio = torch.where(alive, made, 1.0) / torch.where(alive, read, 1.0)
    return ratio.sqrt().clamp(1 / MOST, MOST)


def _greatest(prepared: nn.Module, region: Region, name: str, makes: bool) -> Tensor:
    layer: Any = prepared.get_submodule(name)
    weight = layer.weight.detach()
    rows = outgoing(layer, weight) if makes else incoming(layer, weight, region.channels)
    return rows.abs().amax(dim=1)


__all__ = ["apply"]
