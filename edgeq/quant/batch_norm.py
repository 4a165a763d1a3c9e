"""BatchNorm that is kept: a fixed-point multiply-add of each channel, with numbers and one rounding of its own.

On the device it is y = round(a * x + b): as a depthwise convolution of kernel one the graph, the firmware and the
hardware have that exactly, where a product and a sum would round twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.layers import Weighted
from edgeq.quant.quantizers import activation_proxy, binary_point
from edgeq.quant.spec import QuantSpec


class BatchNorm(nn.Module, Weighted):
    """a = gamma / sqrt(variance + eps), quantised as weights are; b = beta - mean * a, quantised as biases are.

    In training, mean and variance are the batch's, and running ones follow, as in torch; in eval mode they are the
    running ones. b is made from the quantised a, so that rounding a moves no channel's mean.
    x: (N, C), (N, C, L) or (N, C, H, W).
    """

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, norm: Any, weights: QuantSpec, per_channel: bool, output: QuantSpec) -> None:
        super().__init__()
        channels = self.out_channels = int(norm.num_features)
        self.eps, self.momentum = float(norm.eps), norm.momentum
        like = norm.running_mean
        ones, zeros = torch.ones_like(like), torch.zeros_like(like)
        self.gamma = nn.Parameter(ones if norm.weight is None else norm.weight.detach().clone())
        self.beta = nn.Parameter(zeros if norm.bias is None else norm.bias.detach().clone())
        for parameter, given in ((self.gamma, norm.weight), (self.beta, norm.bias)):
            parameter.requires_grad_(given is not None)
        self.register_buffer("running_mean", like.detach().clone())
        self.register_buffer("running_var", norm.running_var.detach().clone())
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.weight_quant = activation_proxy(self, weights, (channels,) if per_channel else ())
        self.output_quant = activation_proxy(self, output)
        self.sources = []
        self.bounds = self.own_bias = None
        self.to(like)
        binary_point(self.weight_quant).fit(self.weight)
        self.train(norm.training)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """a of each channel by the running variance, before it is quantised."""
        return self._factor(self.running_var)

    @property
    def bias(self) -> Tensor:  # type: ignore[override]
        """b of each channel by the running statistics."""
        return self._offset(self.running_mean, self.quantised_weight())

    def forward(self, x: Tensor) -> Tensor:
        """Quantised output."""
        if not self.training:
            return self.compute(x, self.quantised_weight(), self.bias)
        dims = [d for d in range(x.ndim) if d != 1]
        mean, variance = x.mean(dims), x.var(dims, unbiased=False)
        self._follow(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        factor = self.quantised_weight(self._factor(variance))
        return self.compute(x, factor, self._offset(mean, factor))

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        shape = (1, -1, *(1,) * (x.ndim - 2))
        y = x * weight.reshape(shape)
        return y if bias is None else y + bias.reshape(shape)

    def quantised_weight(self, weight: Tensor | None = None) -> Tensor:
        quantised: Tensor = self.weight_quant(self.weight if weight is None else weight)
        return quantised

    def _factor(self, variance: Tensor) -> Tensor:
        return self.gamma * torch.rsqrt(variance + self.eps)

    def _offset(self, mean: Tensor, factor: Tensor) -> Tensor:
        return self.beta - mean * factor

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Running statistics, as torch's BatchNorm keeps them: the variance without bias."""
        self.batches += 1
        share = 1.0 / int(self.batches) if self.momentum is None else float(self.momentum)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), share)


__all__ = ["BatchNorm"]
