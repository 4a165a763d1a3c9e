"""Operations without weights, each exact up to the one rounding of its output.

In eval mode they compute in float64: sums and products of codes of up to 16 bits are exact there, and a quotient
is never rounded onto a tie that it does not have (its distance from one is at least 1 / (2 * divisor)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgeq.errors import UnsupportedError
from edgeq.ir.coordinates import SHARE_BITS, Line, share_bits
from edgeq.ir.ops.resize_bilinear import MOST_BITS
from edgeq.quant.layers import FLOAT32_EXACT, Operation
from edgeq.quant.quantizers import binary_point
from edgeq.quant.resampling import LinearResize, TorchResize, resample
from edgeq.quant.spec import QuantSpec


class Requantise(Operation):
    """The same numbers in another format, clipped: network inputs, ReLU and clips that stand alone."""

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(x, x.dtype)


class Constant(Operation):
    """A parameter or buffer of the user's that is an operand of an operation."""

    def __init__(self, spec: QuantSpec, value: Tensor) -> None:
        super().__init__(spec)
        value = value.detach().clone().float()
        if spec.learned:
            self.value = nn.Parameter(value)
        else:
            self.register_buffer("value", value)
        binary_point(self.output_quant).fit(value)

    def forward(self) -> Tensor:
        return self.finish(self.value, self.value.dtype)


class _Exact(Operation):
    """Computes in float64 when it is not trained."""

    def compute(self, *x: Tensor) -> Tensor:
        """The operation on real numbers."""
        raise NotImplementedError

    def forward(self, *x: Tensor) -> Tensor:
        operands = x if self.training else tuple(t.double() for t in x)
        return self.finish(self.compute(*operands), x[0].dtype)


class Add(_Exact):
    """a + b."""

    def compute(self, *x: Tensor) -> Tensor:
        return x[0] + x[1]


class Sub(_Exact):
    """a - b."""

    def compute(self, *x: Tensor) -> Tensor:
        return x[0] - x[1]


class Mul(_Exact):
    """a * b."""

    def compute(self, *x: Tensor) -> Tensor:
        return x[0] * x[1]


class Maximum(_Exact):
    """The greater of two operands."""

    def compute(self, *x: Tensor) -> Tensor:
        return torch.maximum(x[0], x[1])


class Minimum(_Exact):
    """The lesser of two operands."""

    def compute(self, *x: Tensor) -> Tensor:
        return torch.minimum(x[0], x[1])


class Prelu(_Exact):
    """x where it is not negative, x times a slope elsewhere: one slope for all, or one for each channel."""

    def compute(self, *x: Tensor) -> Tensor:
        value, slope = x
        if slope.ndim == 1 and slope.numel() > 1:
            slope = slope.reshape(1, -1, *(1,) * (value.ndim - 2))
        return torch.where(value >= 0, value, value * slope)


class MatMul(_Exact):
    """Matrix product of two computed operands."""

    def compute(self, *x: Tensor) -> Tensor:
        return torch.matmul(x[0], x[1])


class Concat(_Exact):
    """Operands one after another along `dim`, brought to one format."""

    def __init__(self, spec: QuantSpec, dim: int) -> None:
        super().__init__(spec)
        self.dim = dim

    def compute(self, *x: Tensor) -> Tensor:
        return torch.cat(x, dim=self.dim)


class _Reduction(_Exact):
    """Over `dims`, which vanish or become 1."""

    def __init__(self, spec: QuantSpec, dims: Sequence[int], keepdim: bool) -> None:
        super().__init__(spec)
        self.dims, self.keepdim = tuple(dims), keepdim


class Mean(_Reduction):
    """Mean over `dims`."""

    def compute(self, *x: Tensor) -> Tensor:
        return x[0].mean(dim=self.dims, keepdim=self.keepdim)


class Sum(_Reduction):
    """Sum over `dims`."""

    def compute(self, *x: Tensor) -> Tensor:
        return x[0].sum(dim=self.dims, keepdim=self.keepdim)


class AveragePool(_Exact):
    """Mean of each window over one or two axes; `kernel` and the like have one entry for each."""

    def __init__(
        self,
        spec: QuantSpec,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        include_pad: bool,
        ceil: bool = False,
    ) -> None:
        super().__init__(spec)
        self.kernel, self.stride, self.padding = tuple(kernel), tuple(stride), tuple(padding)
        self.include_pad, self.ceil = include_pad, ceil

    def compute(self, *x: Tensor) -> Tensor:
        pool: Any = F.avg_pool1d if len(self.kernel) == 1 else F.avg_pool2d
        out: Tensor = pool(x[0], self.kernel, self.stride, self.padding, self.ceil, self.include_pad)
        return out


class AdaptiveAveragePool(_Exact):
    """Average pool to a given size that divides the input's; `size` has one entry for each axis, None keeps it."""

    def __init__(self, spec: QuantSpec, size: Sequence[int | None]) -> None:
        super().__init__(spec)
        self.size = tuple(size)

    def kernel(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Window and stride for an input of these spatial sizes."""
        place = binary_point(self.output_quant).spec.place
        wanted = [n if s is None else s for n, s in zip(spatial, self.size, strict=True)]
        if any(n % s for n, s in zip(spatial, wanted, strict=True)):
            raise UnsupportedError(
                f"{place}: adaptive average pool from {tuple(spatial)} to {tuple(wanted)} has windows of different "
                "sizes; choose an output size that divides the input"
            )
        return tuple(n // s for n, s in zip(spatial, wanted, strict=True))

    def compute(self, *x: Tensor) -> Tensor:
        kernel = self.kernel(x[0].shape[2:])
        pool: Any = F.avg_pool1d if len(kernel) == 1 else F.avg_pool2d
        out: Tensor = pool(x[0], kernel, kernel)
        return out


class ResizeLinear(Operation):
    """Resizing between two elements of each axis of space, with shares of 2^-bits; exact in training, too.

    The second input is the size of the output, where the network computes it.
    """

    def __init__(self, spec: QuantSpec, rule: TorchResize | LinearResize) -> None:
        super().__init__(spec)
        self.rule = rule
        self._found: dict[tuple[tuple[int, ...], ...], tuple[tuple[Line, ...], int]] = {}

    def lines(self, spatial: Sequence[int], size: Sequence[int]) -> tuple[tuple[Line, ...], int]:
        """The line of each axis for these sizes before and after, and the places of the shares behind the point."""
        key = tuple(spatial), tuple(size)
        if key not in self._found:
            found = self.rule.places(*key)
            spec = binary_point(self.output_quant).spec
            fine = SHARE_BITS if spec.minifloat else max(SHARE_BITS, min(spec.bits, MOST_BITS))
            self._found[key] = found, share_bits(found, fine)
        return self._found[key]

    def forward(self, x: Tensor, size: Any = None) -> Tensor:
        spatial = tuple(x.shape[2:])
        if size is None:
            size = self.rule.size(spatial)
        size = tuple(size) if isinstance(size, (tuple, list)) else (size,) * len(spatial)
        lines, bits = self.lines(spatial, size)
        wide = not self.training or self._most() * 2.0 ** (bits * len(lines)) >= FLOAT32_EXACT
        return self.finish(resample(x.double() if wide else x, lines, bits), x.dtype)

    def _most(self) -> float:
        """Greatest magnitude of the input on its grid."""
        spec = binary_point(self.sources[0]).spec
        return max(spec.top, -spec.low) * 2.0**spec.grid_frac
