"""Functions that the device takes from integer tables: element-wise functions, and softmax.

The forward value is what the table says, also in training; the gradient is that of the float function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeq.errors import FormatError
from edgeq.formats import DEFAULT_OVERFLOW, FixedPoint, Format, Minifloat
from edgeq.quant.layers import Operation
from edgeq.quant.quantizers import binary_point
from edgeq.quant.spec import QuantSpec

#: entries of softmax's exponential table have this many fraction bits; the first is exactly one
EXP_FRAC = 15

Function = Callable[[Tensor], Tensor]


class Table(Operation):
    """An element-wise function of one variable; `label` names it in reports."""

    def __init__(self, spec: QuantSpec, function: Function, label: str) -> None:
        # Entries are rounded and saturated once, when the table is made.
        super().__init__(replace(spec, narrow=False, overflow=DEFAULT_OVERFLOW))
        self.function, self.label = function, label
        self._made: tuple[Format, Format, npt.NDArray[np.int64]] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.inputs_ready():
            return self.finish(self.function(x), x.dtype)
        if not self.training:
            return self._lookup(x)
        rounded = self.finish(self.function(x), x.dtype)
        # Both are on the output's grid, so the difference and the sum are exact.
        return rounded + (self._lookup(x) - rounded).detach()

    def codes(self) -> npt.NDArray[np.int64]:
        """The table: an output code for each input code, from the least code up."""
        source, target = current_format(self.sources[0]), current_format(self.output_quant)
        if self._made is None or self._made[:2] != (source, target):
            rule = binary_point(self.output_quant).spec.rounding
            self._made = (source, target, table_codes(self.function, source, target, rule, self.bounds))
        return self._made[2]

    @torch.no_grad()
    def _lookup(self, x: Tensor) -> Tensor:
        source, target = current_format(self.sources[0]), current_format(self.output_quant)
        index = source.from_grid(on_grid(x, source)) - source.code_range[0]
        return torch.from_numpy(target.decode(self.codes()[index])).to(x)


class Softmax(Operation):
    """exp(x_i) / sum(exp(x)) by integer exponentials and one rounded division."""

    def __init__(self, spec: QuantSpec, dim: int) -> None:
        super().__init__(spec)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        if not self.inputs_ready():
            return self.finish(torch.softmax(x, self.dim), x.dtype)
        with torch.no_grad():
            source = current_format(self.sources[0])
            grid = on_grid(x, source)
            table = self.table()
            axis = self.dim % x.ndim
            e = table[np.minimum(grid.max(axis=axis, keepdims=True) - grid, table.size - 1)]
            quotient = torch.from_numpy(e / e.sum(axis=axis, keepdims=True)).to(x.device)
            if not self.training:
                return self.finish(quotient, x.dtype)
        rounded = self.finish(torch.softmax(x, self.dim), x.dtype)
        exact = binary_point(self.output_quant)
        with torch.no_grad():
            value = exact.spec.quantise(quotient, exact.exponent()).to(x.dtype)
        return rounded + (value - rounded).detach()

    def table(self) -> npt.NDArray[np.int64]:
        """round(exp(-d * 2**-frac) * 2**15) for distances d = 0, 1, … that occur, down to the first zero.

        `prepare` sees to it that the input is fixed point of at most 12 bits, so there are at most 4096.
        """
        source = current_format(self.sources[0])
        assert isinstance(source.frac, int)
        # exp(-v) * 2**15 rounds to zero from here on.
        reach = (EXP_FRAC + 1) * float(np.log(2.0))
        lo, hi = source.grid_range
        count = min(int(np.ceil(np.ldexp(reach, source.frac))) + 1, hi - lo + 1)
        distances = np.ldexp(np.arange(max(count, 2), dtype=np.float64), -source.frac)
        entries: npt.NDArray[np.int64] = np.floor(np.exp(-distances) * (1 << EXP_FRAC) + 0.5).astype(np.int64)
        return entries


def current_format(quantiser: torch.nn.Module) -> Format:
    """The format of the values that an activation quantiser gives now."""
    point = binary_point(quantiser)
    return point.spec.format(int(point.exponent()))


def on_grid(x: Tensor, fmt: Format) -> npt.NDArray[np.int64]:
    """Grid integers of values of `fmt` (of anything else, as dropout leaves behind, the nearest in range)."""
    assert isinstance(fmt.frac, int)
    units = np.ldexp(x.detach().cpu().double().numpy(), fmt.frac)
    lo, hi = fmt.grid_range
    grid: npt.NDArray[np.int64] = np.clip(np.rint(units), lo, hi).astype(np.int64)
    return grid


def table_codes(
    function: Function, source: Format, target: Format, rule: str, bounds: tuple[float, float] | None = None
) -> npt.NDArray[np.int64]:
    """Output codes for every input code, in the order of the codes; codes that are no number give zero."""
    lo, hi = source.code_range
    codes = np.arange(lo, hi + 1)
    valid = np.ones(codes.shape, dtype=np.bool_)
    if isinstance(source, Minifloat):
        valid = np.array([_finite(source, int(c)) for c in codes])
    values = np.zeros(codes.shape, dtype=np.float64)
    values[valid] = source.decode(codes[valid])
    with torch.no_grad():
        real = function(torch.from_numpy(values)).double()
        real = real if bounds is None else torch.clamp(real, *bounds)
    real_values: npt.NDArray[np.float64] = real.numpy()
    return target.quantize(np.nan_to_num(real_values, nan=0.0, posinf=np.inf, neginf=-np.inf), rule)


def exp_format() -> FixedPoint:
    """Format of softmax's table."""
    return FixedPoint(EXP_FRAC + 1, EXP_FRAC, sign=False)


def _finite(fmt: Minifloat, code: int) -> bool:
    try:
        fmt.to_grid_scalar(code)
    except FormatError:
        return False
    return True
