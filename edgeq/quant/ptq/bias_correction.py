"""Bias correction: what rounding the weights adds to the mean of each output channel goes back into the bias.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv 1906.04721), section 4.2,
with means from calibration data. Two ways: `correcting` does all layers in one pass, by what each one's rounding does
to its own input. Where another method goes through the layers anyway, `correct` takes the whole difference of the mean
from the float network's, that of the layers before included; the rounding then need not care for the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.ptq.matrix import rows_of
from edgeq.quant.ptq.network import layers_with_weights
from edgeq.quant.ptq.problem import Problem


@contextmanager
def correcting(prepared: nn.Module) -> Iterator[None]:
    """Look at the inputs of every layer with a bias; on leaving without an error the biases are corrected."""
    # A BatchNorm that is kept makes its offset from its rounded factor, so there is nothing to correct.
    layers = [m for m in layers_with_weights(prepared).values() if m.bias is not None]
    shifts = [_Shift() for _ in layers]
    handles = [m.register_forward_pre_hook(s.see) for m, s in zip(layers, shifts, strict=True)]
    finished = False
    try:
        yield
        finished = True
    finally:
        for handle in handles:
            handle.remove()
    if finished:
        for layer, shift in zip(layers, shifts, strict=True):
            if shift.count:
                with torch.no_grad():
                    layer.bias.add_((shift.total / shift.count).to(layer.bias))


@torch.no_grad()
def correct(problem: Problem) -> None:
    """Give the layer's outputs the means that they have in the float network, with its weights as they are now."""
    layer = problem.layer
    layer.bias.add_(problem.shift(rows_of(layer, layer.quantised_weight().double())).to(layer.bias))


class _Shift:
    """The sum, over positions and samples, of what each output channel loses by the rounding of its weights."""

    def __init__(self) -> None:
        self.total: Tensor = torch.zeros(())
        self.count = 0

    @torch.no_grad()
    def see(self, layer: Any, inputs: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        lost = layer.weight - layer.quantised_weight()
        made: Tensor = layer.product(inputs[0], lost, None)
        channel = made.ndim - 1 if isinstance(layer, nn.Linear) else 1
        rows = made.movedim(channel, 0).reshape(made.shape[channel], -1).double()
        self.total = self.total + rows.sum(dim=1)
        self.count += rows.shape[1]


__all__ = ["correct", "correcting"]
