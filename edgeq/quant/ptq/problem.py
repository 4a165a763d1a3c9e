"""Problem: how well rounded weights give a layer's output, as a quadratic form of the weights.

The squared error of the output over all calibration data is, for each output channel, a quadratic form: with the
patches X of the quantised input, those of the float input Xf and the float weights w,

    |X q - Xf w|^2 = q' G q - 2 q' C w + e,    G = X' X,  C = X' Xf,  e = w' Xf' Xf w.

So data are gone through once for each layer, steps of a method cost nothing by the number of samples, and nothing is
drawn by chance. Channels do not depend on each other. All of it is float64.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeq.quant.ptq.matrix import gram, is_transposed, patches, rows_of, weight_from
from edgeq.quant.quantizers import binary_point
from edgeq.quant.spec import QuantSpec


class Problem:
    """One layer with its statistics.

    rows:    (groups, outputs, terms): the weights before rounding.
    hessian: (groups, terms, terms): G / positions. cross: C / positions.
    energy:  (groups, outputs): e / positions.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.rows = rows_of(layer, layer.weight.detach()).double()
        groups, _, terms = self.rows.shape
        self.hessian, self.cross, self._own = (
            torch.zeros(groups, terms, terms, dtype=torch.float64, device=self.rows.device) for _ in range(3)
        )
        self._mean, self._ideal = (torch.zeros(groups, 1, terms).to(self.rows) for _ in range(2))
        self._positions = 0

    def see(self, x: Tensor, reference: Tensor) -> None:
        """Take one batch in: the layer's input in the quantised network, and in the float network."""
        mine, ideal = patches(self.layer, x), patches(self.layer, reference)
        before, self._positions = self._positions, self._positions + mine.shape[1]
        old = before / self._positions
        for total, pair in ((self.hessian, (mine, mine)), (self.cross, (mine, ideal)), (self._own, (ideal, ideal))):
            total.mul_(old).add_(gram(*pair) / self._positions)
        for mean, part in ((self._mean, mine), (self._ideal, ideal)):
            mean.mul_(old).add_(part.double().sum(dim=1, keepdim=True) / self._positions)

    def centre(self) -> None:
        """After all batches: count errors without their mean, which the bias is going to take."""
        mean, ideal = self._mean, self._ideal
        for total, pair in ((self.hessian, (mean, mean)), (self.cross, (mean, ideal)), (self._own, (ideal, ideal))):
            total.sub_(torch.matmul(pair[0].transpose(1, 2), pair[1]))

    def shift(self, rows: Tensor) -> Tensor:
        """What the mean of each output channel lacks with these weights; flat, in the order of the channels."""
        lacks = (self.rows * self._ideal).sum(dim=2) - (rows * self._mean).sum(dim=2)
        return lacks.reshape(-1)

    @property
    def energy(self) -> Tensor:
        """Mean square of the float output, without bias."""
        return _form(self.rows, self._own)

    @property
    def target(self) -> Tensor:
        """(groups, outputs, terms): C w of each output channel."""
        return torch.matmul(self.rows, self.cross.transpose(1, 2))

    @property
    def spec(self) -> QuantSpec:
        """The quantiser of the weights."""
        return binary_point(self.layer.weight_quant).spec

    def exponents(self) -> Tensor:
        """log2 of the scale of each row, int32, (groups, outputs, 1)."""
        return self.by_row(binary_point(self.layer.weight_quant).exponent())

    def by_row(self, value: Tensor) -> Tensor:
        """A value of the shape of the binary point for each row, (groups, outputs, 1)."""
        groups, outputs, _ = self.rows.shape
        if value.numel() == 1:
            return value.reshape(1, 1, 1).expand(groups, outputs, 1)
        if is_transposed(self.layer):
            return value.reshape(1, outputs, 1).expand(groups, outputs, 1)
        return value.reshape(groups, outputs, 1)

    def by_point(self, rows: Tensor) -> Tensor:
        """Sums of a value of each row, (groups, outputs), over the rows that share a binary point; flat."""
        if binary_point(self.layer.weight_quant).log2_range.numel() == 1:
            return rows.sum().reshape(1)
        return rows.sum(dim=0) if is_transposed(self.layer) else rows.reshape(-1)

    def nearest(self, rows: Tensor | None = None, exponents: Tensor | None = None) -> Tensor:
        """What the quantiser makes of rows."""
        return self.spec.quantise(
            self.rows if rows is None else rows, self.exponents() if exponents is None else exponents
        )

    def neighbours(self) -> tuple[Tensor, Tensor]:
        """The greatest value of the format that is not above each weight, and the next one; at its ends the same."""
        levels = levels_of(self.spec).to(self.rows.device)
        scale = torch.exp2(self.exponents().double())
        below = torch.searchsorted(levels, (self.rows / scale).contiguous(), right=True) - 1
        inside = below.clamp(0, len(levels) - 1)
        above = (below + 1).clamp(0, len(levels) - 1)
        return levels[inside] * scale, levels[above] * scale

    def error(self, rows: Tensor) -> Tensor:
        """Mean squared error of the output of each channel, (groups, outputs), with these weights."""
        form = _form(rows, self.hessian) - 2 * (rows * self.target).sum(dim=2) + self.energy
        return form.clamp_min(0.0)

    def own_error(self, rows: Tensor) -> Tensor:
        """The same, where the float weights get the quantised input, too."""
        return _form(rows - self.rows, self.hessian)

    @torch.no_grad()
    def take(self, rows: Tensor) -> None:
        """Round the layer: of each output channel the given weights, or the nearest where these are no worse."""
        plain = self.nearest()
        better = self.error(rows) < self.error(plain)
        chosen = torch.where(better.unsqueeze(2), rows, plain)
        self.layer.weight.copy_(weight_from(self.layer, chosen))


def levels_of(spec: QuantSpec) -> Tensor:
    """All values of a format of weights at scale one, in order, float64."""
    if spec.minifloat is not None:
        fmt = spec.minifloat
        # Every value is an integer on the grid; rounding the multiples of all steps finds each of them.
        units = torch.arange(1 << (fmt.mantissa + 1), dtype=torch.float64)
        steps = torch.exp2(torch.arange(1 << fmt.exponent, dtype=torch.float64) - spec.grid_frac)
        magnitudes = (units * steps.unsqueeze(1)).reshape(-1)
        magnitudes = magnitudes[magnitudes <= spec.top]
        values: Tensor = torch.unique(torch.cat([-magnitudes, magnitudes]))
        return values
    if spec.khot is not None:
        return torch.from_numpy(spec.khot.levels.copy()).double()
    return torch.arange(spec.low, spec.top + 1, dtype=torch.float64)


def _form(rows: Tensor, matrix: Tensor) -> Tensor:
    """r' M r of each row, (groups, outputs)."""
    return (torch.matmul(rows, matrix) * rows).sum(dim=2)


__all__ = ["Problem", "levels_of"]
