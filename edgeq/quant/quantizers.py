"""Brevitas quantisers put together from a QuantSpec, for weights and activations, fixed point and minifloat.

Brevitas' integer quantiser is used as it is, with our rounding and our power-of-two scale injected. Its float
quantiser takes log2 of every value, which is off by one binade near powers of two for some rules; ours derives
from it and uses `frexp`.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.function_wrapper import Identity, TensorClamp
from brevitas.core.quant import IntQuant, RescalingIntQuant
from brevitas.core.scaling import PowerOfTwoIntScaling
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.proxy import (
    ActFloatQuantProxyFromInjector,
    ActQuantProxyFromInjector,
    WeightFloatQuantProxyFromInjector,
    WeightQuantProxyFromInjector,
)
from torch import Tensor, nn

from edgeq.formats import Minifloat
from edgeq.quant.binary_point import BinaryPoint
from edgeq.quant.overflow import OVERFLOW_MODULES
from edgeq.quant.rounding import ROUND_MODULES, round_ste
from edgeq.quant.spec import QuantSpec, minifloat_step, round_khot


class _KeepsParameters:
    """Loads a state_dict into the parameters that are there.

    Brevitas makes the quantiser anew when a state_dict is loaded, and an optimiser made before then updates
    parameters that nothing reads.
    """

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        nn.Module._load_from_state_dict(self, *args, **kwargs)  # type: ignore[arg-type]


class FixedActivationProxy(_KeepsParameters, ActQuantProxyFromInjector):  # type: ignore[misc]
    """Fixed-point activations."""


class MinifloatActivationProxy(_KeepsParameters, ActFloatQuantProxyFromInjector):  # type: ignore[misc]
    """Minifloat activations."""


class FixedWeightProxy(_KeepsParameters, WeightQuantProxyFromInjector):  # type: ignore[misc]
    """Fixed-point weights."""


class MinifloatWeightProxy(_KeepsParameters, WeightFloatQuantProxyFromInjector):  # type: ignore[misc]
    """Minifloat weights."""


class MinifloatQuant(nn.Module):
    """Brevitas' `tensor_quant` for minifloats: value, scale, zero point and the description of the format."""

    def __init__(self, spec: QuantSpec, scaling_impl: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.scaling_impl = scaling_impl
        self.input_view_impl = Identity()
        self.observer_only = False

    def forward(self, x: Tensor) -> tuple[Any, ...]:
        """Quantised `x` with a straight-through gradient inside the range, and what Brevitas passes along."""
        fmt = self.spec.minifloat
        assert isinstance(fmt, Minifloat)
        scale = self.scaling_impl(x, None)
        y = x
        if not self.observer_only:
            units = x / scale
            step = minifloat_step(units, fmt)
            rounded = round_ste(units / step, self.spec.rounding) * step
            y = torch.clamp(rounded, -self.spec.top, self.spec.top) * scale
        numbers = (0, fmt.exponent, fmt.mantissa, fmt.bias)
        zero, exponent, mantissa, bias = (torch.tensor(float(n or 0), device=x.device) for n in numbers)
        return y, scale, zero, exponent, mantissa, bias, True, *_special_codes(fmt)


def _special_codes(fmt: Minifloat) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Mantissas of infinities and NaNs, as Brevitas writes them."""
    if fmt.specials == "ocp" and fmt.exponent == 4:
        return None, ("111",)
    if fmt.specials == "ocp":
        return ("00",), ("01", "11", "10")
    return None, None


class LearnedWidth(nn.Module):
    """Brevitas' `bit_width_impl`: the width that the binary point holds."""

    def __init__(self, scaling_impl: BinaryPoint) -> None:
        super().__init__()
        # In a tuple, so that its parameters are not registered twice.
        self.point = (scaling_impl,)

    def forward(self) -> Tensor:
        return self.point[0].width()


class _NearestLevel(torch.autograd.Function):
    """Forward: nearest K-hot level. Backward: the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, spec: QuantSpec) -> Tensor:
        assert spec.khot is not None
        return round_khot(x, spec.khot, spec.rounding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class KHotRound(nn.Module):
    """Brevitas' `float_to_int_impl` for K-hot weights: clip to the greatest level, then the nearest, straight through.

    The greatest level may lie well below the greatest code (64 of 127 for one digit), so the clip that follows in
    Brevitas would come too late. Of a learned width the greatest level is taken to double with each bit.
    """

    def __init__(self, scaling_impl: BinaryPoint) -> None:
        super().__init__()
        self.point = (scaling_impl,)

    def forward(self, x: Tensor) -> Tensor:
        point = self.point[0]
        spec = point.spec
        top = torch.tensor(spec.top, dtype=x.dtype, device=x.device)
        if point.bits is not None:
            width = point.width()
            top = top * torch.exp2(width - width.detach())
        clipped = torch.where(x > top, top, torch.where(x < -top, -top, x))
        levels: Tensor = _NearestLevel.apply(clipped, spec)  # type: ignore[no-untyped-call]
        return levels


def _injector(spec: QuantSpec, shape: tuple[int, ...], proxies: tuple[type, type]) -> Any:
    """The Brevitas injector of a spec; `proxies` are those of fixed point and of minifloats."""

    shared = {"spec": spec, "shape": shape, "scaling_impl": BinaryPoint, "signed": spec.signed}
    khot, learned = spec.khot is not None, spec.width_learned
    if spec.minifloat is not None:
        return ExtendedInjector.let(proxy_class=proxies[1], tensor_quant=MinifloatQuant, **shared)
    return ExtendedInjector.let(
        proxy_class=proxies[0],
        tensor_quant=RescalingIntQuant,
        int_quant=IntQuant,
        float_to_int_impl=KHotRound if khot else ROUND_MODULES[spec.rounding],
        tensor_clamp_impl=OVERFLOW_MODULES.get(spec.overflow, TensorClamp),
        input_view_impl=Identity,
        int_scaling_impl=PowerOfTwoIntScaling,
        zero_point_impl=ZeroZeroPoint,
        bit_width_impl=LearnedWidth if learned else BitWidthConst,
        bit_width=spec.bits,
        narrow_range=spec.narrow,
        quant_delay_steps=0,
        **shared,
    )


def weight_injector(spec: QuantSpec, shape: tuple[int, ...]) -> Any:
    """For `weight_quant` of a Brevitas layer; `shape` is that of the scale."""
    return _injector(spec, shape, (FixedWeightProxy, MinifloatWeightProxy))


def activation_injector(spec: QuantSpec) -> Any:
    """For `output_quant` or `act_quant` of a Brevitas layer; one scale for the tensor."""
    return _injector(spec, (), (FixedActivationProxy, MinifloatActivationProxy))


def activation_proxy(layer: nn.Module, spec: QuantSpec, shape: tuple[int, ...] = ()) -> nn.Module:
    """A Brevitas activation quantiser for a layer that Brevitas does not know; it takes and gives plain tensors."""
    injector = _injector(spec, shape, (FixedActivationProxy, MinifloatActivationProxy))
    proxy: nn.Module = injector.proxy_class(layer, injector)
    proxy.skip_create_quant_tensor = True  # type: ignore[assignment]
    return proxy


def tensor_quant(proxy: nn.Module) -> Any:
    """The Brevitas `tensor_quant` inside a proxy."""
    fused = getattr(proxy, "fused_activation_quant_proxy", None)
    return proxy.tensor_quant if fused is None else fused.tensor_quant


def binary_point(proxy: nn.Module) -> BinaryPoint:
    """The binary point of a weight or activation quantiser."""
    point = tensor_quant(proxy).scaling_impl
    assert isinstance(point, BinaryPoint)
    return point


__all__ = ["activation_injector", "activation_proxy", "binary_point", "tensor_quant", "weight_injector"]
