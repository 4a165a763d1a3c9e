"""Folding BatchNorm before quantisation: into the layer in front of it, or into a depthwise 1x1 convolution.

Folding after quantisation-aware training would quantise the weights anew and lose what was trained, so it is done
first. The arithmetic is float64, so the folded network is the eval-mode network up to the rounding of float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from edgeq.errors import InputError, UnsupportedError
from edgeq.quant.kinds import IDENTITY, canonical, clip_of, function_of, is_batch_norm, is_weighted


def fold_batch_norm(module: fx.GraphModule, input_rank: int | None = None) -> None:
    """Fold every BatchNorm of a traced float module, in place. `input_rank` counts the batch, if it is known."""
    modules = dict(module.named_modules())
    for node in list(module.graph.nodes):
        if not is_batch_norm(node, modules):
            continue
        norm: Any = modules[str(node.target)]
        check_batch_norm(str(node.target), norm)
        before = node.args[0]
        if is_weighted(before, modules) and len(before.users) == 1:
            _fold_into(modules[str(before.target)], *_affine(norm))
            node.replace_all_uses_with(before)
            module.graph.erase_node(node)
        else:
            replacement = _depthwise(str(node.target), norm, _rank(node, modules, input_rank))
            module.set_submodule(str(node.target), replacement)
            modules[str(node.target)] = replacement
    module.graph.lint()
    module.recompile()
    module.delete_all_unused_submodules()


def check_batch_norm(name: str, norm: Any) -> None:
    """Raise an error for a BatchNorm without statistics, or with numbers that are not finite."""
    if norm.running_mean is None or norm.running_var is None:
        raise UnsupportedError(f"{name}: BatchNorm without running statistics; train with track_running_stats=True")
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        if tensor is not None and not torch.isfinite(tensor).all():
            raise InputError(f"{name}: BatchNorm holds NaN or infinity; the float training has diverged")


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    """Factor and offset of each channel, float64."""
    factor = torch.rsqrt(norm.running_var.detach().double() + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight.detach().double()
    offset = -norm.running_mean.detach().double() * factor
    if norm.bias is not None:
        offset = offset + norm.bias.detach().double()
    return factor, offset


def _fold_into(layer: Any, factor: Tensor, offset: Tensor) -> None:
    weight = layer.weight.detach().double()
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        # Weights are (inputs, outputs / groups, *kernel).
        grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
        shape = (layer.groups, 1, weight.shape[1], *(1,) * (weight.ndim - 2))
        folded = (grouped * factor.reshape(shape)).reshape(weight.shape)
    else:
        folded = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = torch.zeros_like(offset) if layer.bias is None else layer.bias.detach().double() * factor
    layer.weight = nn.Parameter(folded.to(layer.weight.dtype))
    layer.bias = nn.Parameter((bias + offset).to(layer.weight.dtype))


def _depthwise(name: str, norm: Any, rank: int | None) -> nn.Module:
    """A convolution of kernel one, one weight for each channel, that does what the BatchNorm does."""
    if rank not in (3, 4):
        raise UnsupportedError(
            f"{name}: BatchNorm of vectors with no layer directly before it to fold into; put it right after its Linear"
        )
    kind: Any = nn.Conv1d if rank == 3 else nn.Conv2d
    factor, offset = _affine(norm)
    channels = factor.numel()
    layer = kind(channels, channels, 1, groups=channels).to(norm.running_mean)
    with torch.no_grad():
        layer.weight.copy_(factor.reshape(layer.weight.shape))
        layer.bias.copy_(offset)
    layer.train(norm.training)
    module: nn.Module = layer
    return module


def _rank(node: fx.Node, modules: dict[str, nn.Module], input_rank: int | None) -> int | None:
    """Number of axes of the BatchNorm's input, batch included; None if it cannot be told."""
    if isinstance(modules[str(node.target)], nn.BatchNorm2d):
        return 4
    at: Any = node.args[0]
    while isinstance(at, fx.Node):
        if is_weighted(at, modules):
            return {nn.Linear: 2}.get(type(modules[str(at.target)]), modules[str(at.target)].weight.ndim)  # type: ignore
        if at.op == "placeholder":
            return input_rank
        name = canonical(at, modules)
        same = name in IDENTITY | {"add", "mul", "sub", "max_pool1d", "avg_pool1d", "dropout"}
        if not same and clip_of(at, modules) is None and function_of(at, modules) is None:
            return 2 if name in ("flatten", "view", "reshape") else None
        at = at.args[0]
    return None
