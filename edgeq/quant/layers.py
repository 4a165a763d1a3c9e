"""Layers with weights: Brevitas' convolutions and linear layers, whose sums are exact and whose output is quantised.

A layer owns everything up to the one rounding: quantised weights, bias on the grid of the products, the clip of
a ReLU that follows, and the output quantiser. So a layer is one node of the graph.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from brevitas.nn import QuantConv1d, QuantConv2d, QuantConvTranspose1d, QuantConvTranspose2d, QuantLinear
from torch import Tensor, nn

from edgeq.errors import UnsupportedError
from edgeq.quant.biases import BiasQuant
from edgeq.quant.quantizers import activation_injector, activation_proxy, binary_point, weight_injector
from edgeq.quant.rounding import round_ste
from edgeq.quant.spec import QuantSpec, power_of_two

#: sums of integers below this magnitude are exact in float32, in any order; in float64 below 2**53
FLOAT32_EXACT = 1 << 24
#: bits of a bias
BIAS_BITS = 32


class Output:
    """The end of every operation: optional clip, one rounding, saturation.

    sources: quantisers of the inputs, in order. Only pointed at, so they are not part of this module's state.
    bounds:  least and greatest real value of the output, of a fused ReLU or clip; None without.
    """

    output_quant: nn.Module
    sources: list[nn.Module]
    bounds: tuple[float, float] | None

    def finish(self, y: Tensor, dtype: torch.dtype) -> Tensor:
        """Clip, quantise and return in `dtype`."""
        if self.bounds is not None:
            y = torch.clamp(y, *self.bounds)
        out: Tensor = self.output_quant(y)
        return out.to(dtype)

    def inputs_ready(self) -> bool:
        """Whether the grids of all inputs are known (not during calibration)."""
        return all(binary_point(s).ready for s in self.sources)


class Operation(nn.Module, Output):
    """An operation without weights of its own."""

    def __init__(self, spec: QuantSpec) -> None:
        super().__init__()
        self.output_quant = activation_proxy(self, spec)
        self.sources = []
        self.bounds = None


class Weighted(Output):
    """What layers with weights share; mixed into a Brevitas layer."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    weight_quant: nn.Module
    #: of biases with a binary point of their own; None: on the grid of the products
    own_bias: BiasQuant | None
    training: bool

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's arithmetic on real numbers."""
        raise NotImplementedError

    def attach(self) -> None:
        """Finish construction."""
        self.sources = []
        self.bounds = self.own_bias = None
        self.output_quant.skip_create_quant_tensor = True  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Quantised output."""
        return self.compute(x, self.quantised_weight(), self.bias)

    def compute(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Output for quantised weights. Sums are exact in eval mode, in float64 where float32 does not hold them."""
        dtype = x.dtype
        if not self.inputs_ready():
            return self.finish(self.product(x, weight, bias), dtype)
        bias = None if bias is None else self.rounded_bias(bias)[0]
        if not self.training and (not x.is_cpu or self.largest_sum(weight.detach()) >= FLOAT32_EXACT):
            x, weight, bias = x.double(), weight.double(), None if bias is None else bias.double()
        return self.finish(self.product(x, weight, bias), dtype)

    def quantised_weight(self) -> Tensor:
        """Values of the weights after quantisation."""
        quantised: Any = self.weight_quant(self.weight)
        value: Tensor = quantised.value
        return value

    @property
    def bias_bits(self) -> int:
        """Width of a bias."""
        return BIAS_BITS if self.own_bias is None else self.own_bias.scaling_impl.spec.bits

    def channel_exponents(self) -> Tensor:
        """log2 of the weights' grid for each output channel, int32."""
        point = binary_point(self.weight_quant)
        exponent = point.exponent() - point.spec.grid_frac
        # The grid of a channel is that of its finest group.
        exponent = exponent.reshape(-1) if point.spec.group is None else exponent.flatten(1).amin(dim=1)
        channels = self.out_features if isinstance(self, nn.Linear) else self.out_channels  # type: ignore[attr-defined]
        # A transposed convolution's groups share the scales along the second axis of its weights.
        return exponent.repeat(channels // exponent.numel()) if exponent.numel() > 1 else exponent.expand(channels)

    def accumulator_exponents(self) -> Tensor:
        """log2 of the grid of the products for each output channel, int32."""
        point = binary_point(self.sources[0])
        return self.channel_exponents() + (point.exponent() - point.spec.grid_frac)

    def rounded_bias(self, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The bias on the grid of the products, and log2 of its grid for each channel; or on a grid of its own.

        Where 32 bits do not hold it on that grid (products of minifloats are fine-grained), the finest grid on
        which they do is taken.
        """
        bias = self.bias if bias is None else bias
        assert bias is not None
        exponent = self.accumulator_exponents()
        if self.own_bias is not None:
            rounded: tuple[Tensor, Tensor] = self.own_bias(bias, exponent)
            return rounded
        _, size = torch.frexp(bias.detach())
        exponent = torch.maximum(exponent, size.to(torch.int32) - (BIAS_BITS - 2))
        if binary_point(self.weight_quant).log2_range.numel() == 1:
            exponent = exponent.max().expand(exponent.shape)
        scale = power_of_two(exponent).to(bias.dtype)
        return round_ste(bias / scale, "half_up") * scale, exponent

    @torch.no_grad()
    def largest_sum(self, weight: Tensor) -> float:
        """Bound of the magnitude of every partial sum, in units of the products' grid."""
        point = binary_point(self.sources[0])
        most = max(point.spec.top, -point.spec.low) * 2.0**point.spec.grid_frac
        per_channel = self.by_channel(weight.abs().double()).sum(dim=1)
        bound = per_channel * most / power_of_two(self.channel_exponents()).double()
        if self.bias is not None:
            scale = power_of_two(self.accumulator_exponents()).double()
            bound = bound + (self.rounded_bias()[0].double().abs() / scale)
        return float(bound.max())

    def by_channel(self, weight: Tensor) -> Tensor:
        """Weights as (output channels, terms)."""
        return weight.reshape(weight.shape[0], -1)


class Conv1d(Weighted, QuantConv1d):  # type: ignore[misc]
    """Convolution over one axis."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = self._conv_forward(x, weight, bias)
        return out


class Conv2d(Weighted, QuantConv2d):  # type: ignore[misc]
    """Convolution over two axes."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = self._conv_forward(x, weight, bias)
        return out


class _Transposed(Weighted):
    """What transposed convolutions share: weights (inputs, outputs / groups, *kernel)."""

    groups: int

    def by_channel(self, weight: Tensor) -> Tensor:
        inputs, outputs = weight.shape[:2]
        grouped = weight.reshape(self.groups, inputs // self.groups, outputs, -1)
        return grouped.transpose(1, 2).reshape(self.groups * outputs, -1)

    def geometry(self) -> tuple[Any, ...]:
        """Arguments of the functional form."""
        layer: Any = self
        return layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation


class ConvTranspose1d(_Transposed, QuantConvTranspose1d):  # type: ignore[misc]
    """Transposed convolution over one axis."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv_transpose1d(x, weight, bias, *self.geometry())


class ConvTranspose2d(_Transposed, QuantConvTranspose2d):  # type: ignore[misc]
    """Transposed convolution over two axes."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, *self.geometry())


class Linear(Weighted, QuantLinear):  # type: ignore[misc]
    """Matrix product with constant weights on the last axis."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)


_CONVOLUTIONS = {
    nn.Conv1d: Conv1d,
    nn.Conv2d: Conv2d,
    nn.ConvTranspose1d: ConvTranspose1d,
    nn.ConvTranspose2d: ConvTranspose2d,
}
#: float layers that `quantised_layer` takes
FLOAT_LAYERS = (*_CONVOLUTIONS, nn.Linear)


def quantised_layer(layer: nn.Module, weights: QuantSpec, per_channel: bool, output: QuantSpec) -> nn.Module:
    """The quantised twin of a float layer, with its weights; the float layer is not changed."""
    assert isinstance(layer, FLOAT_LAYERS)
    shape = _group_shape(layer, weights) if weights.group else _scale_shape(layer) if per_channel else ()
    quant = {
        "weight_quant": weight_injector(weights, shape),
        "output_quant": activation_injector(output),
        "bias_quant": None,
    }
    made: Any
    if isinstance(layer, nn.Linear):
        made = Linear(layer.in_features, layer.out_features, layer.bias is not None, **quant)
    else:
        made = _convolution(layer, quant)
    made.attach()
    with torch.no_grad():
        made.weight.copy_(layer.weight)
        if layer.bias is not None:
            made.bias.copy_(layer.bias)
    made.to(layer.weight)
    binary_point(made.weight_quant).fit(made.weight)
    made.train(layer.training)
    module: nn.Module = made
    return module


def _group_shape(layer: Any, weights: QuantSpec) -> tuple[int, ...]:
    """(O, groups, *kernel)"""
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        raise UnsupportedError(
            f"{weights.place}: a transposed convolution is not trained with group scales; give its layer group: null"
        )
    outputs, inputs, *kernel = layer.weight.shape
    assert weights.group is not None
    return (outputs, -(-inputs // weights.group), *kernel)


def _scale_shape(layer: Any) -> tuple[int, ...]:
    axis = 1 if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)) else 0
    return tuple(n if i == axis else 1 for i, n in enumerate(layer.weight.shape))


def _convolution(layer: Any, quant: dict[str, Any]) -> Any:
    kind = next(cls for cls in _CONVOLUTIONS if isinstance(layer, cls))
    keys = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"]
    if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d):
        keys.append("output_padding")
    geometry = {key: getattr(layer, key) for key in keys}
    # Brevitas' one-dimensional layers take ints where torch keeps tuples.
    if kind in (nn.Conv1d, nn.ConvTranspose1d):
        geometry = {k: v[0] if isinstance(v, tuple) else v for k, v in geometry.items()}
    return _CONVOLUTIONS[kind](**geometry, bias=layer.bias is not None, **quant)


__all__ = ["FLOAT32_EXACT", "FLOAT_LAYERS", "Operation", "Output", "Weighted", "quantised_layer"]
