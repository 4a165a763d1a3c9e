"""Regions: where factors of channels can move between layers without a change of what the network computes.

A region is every tensor whose channels must be scaled alike: the output of a layer, what ReLU, pools and means make of
it, and what additions join it with. Dividing the weights (and bias) of the layers that make it, and multiplying those
of the layers that read it, changes nothing in float. A function that is not positively homogeneous (a sigmoid, the
upper bound of a ReLU6), an input, an output or a constant holds a region in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from edgeq.errors import InputError
from edgeq.quant import operations as ops
from edgeq.quant.batch_norm import BatchNorm
from edgeq.quant.kinds import canonical
from edgeq.quant.layers import Output, Weighted
from edgeq.quant.ptq.matrix import is_transposed
from edgeq.quant.ptq.network import Inputs, in_float
from edgeq.quant.quantizers import binary_point

_AT_OUTPUT = "an output of the network"
_JOINS = (ops.Add, ops.Sub, ops.Maximum, ops.Minimum)
_SPATIAL = (ops.AveragePool, ops.AdaptiveAveragePool, ops.ResizeLinear)
#: pass values on and leave the channel axis where it is
_PASS = {"max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "dropout", "interpolate"}


@dataclass
class Region:
    """Layers that make a region and layers that read it, by name; `held`: why it cannot be scaled, or None."""

    makers: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    channels: int = 0
    held: str | None = None

    def join(self, other: Region) -> None:
        """Take the other's layers in."""
        self.makers += other.makers
        self.readers += other.readers
        self.held = self.held or other.held


class _Finder:
    """Goes through the graph once; a node's region may still be joined with others."""

    def __init__(self, prepared: Any) -> None:
        self.modules = dict(prepared.named_modules())
        self.graph: fx.Graph = prepared.graph
        self.of: dict[fx.Node, Region] = {}

    def run(self) -> list[Region]:
        """All regions, in the order of the network."""
        for node in self.graph.nodes:
            self.of[node] = self._visit(node)
        found: list[Region] = []
        for region in self.of.values():
            if not any(region is f for f in found):
                found.append(region)
        return found

    def _visit(self, node: fx.Node) -> Region:
        inputs = node.all_input_nodes
        module = self.modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, Weighted) and not isinstance(module, BatchNorm):
            return self._layer(node, inputs[0], module)
        if isinstance(module, _JOINS):
            return self._join(node, inputs, module)
        if inputs and self._keeps(node, module):
            region = self.of[inputs[0]]
            if isinstance(module, Output):
                _check_bounds(region, str(node.target), module)
            return region
        what = f"{node.target}, {type(module).__name__}," if module is not None else node.name
        place = _AT_OUTPUT if node.op == "output" else f"what {what} reads"
        for value in inputs:
            self.of[value].held = self.of[value].held or f"{_made(self.of[value])} is {place}"
        source = "an input of the network" if node.op == "placeholder" else f"made by {what.rstrip(',')}"
        return Region(held=f"it is {source}")

    def _layer(self, node: fx.Node, source: fx.Node, layer: Any) -> Region:
        name, region = str(node.target), self.of[source]
        axis = (len(shape_of(source)) - 1) if isinstance(layer, nn.Linear) else 1
        if axis != 1 or (region.channels and terms_of(layer) % region.channels):
            region.held = region.held or f"{name} sums along another axis than that of its channels"
        region.readers.append(name)
        made = Region([name], channels=shape_of(node)[1])
        if isinstance(layer, nn.Linear) and len(shape_of(node)) != 2:
            made.held = f"{name} has its channels in the last axis"
        _check_bounds(made, name, layer)
        return made

    def _join(self, node: fx.Node, inputs: list[fx.Node], module: Any) -> Region:
        region = self.of[inputs[0]]
        for value in inputs[1:]:
            other = self.of[value]
            if other is region:
                continue
            if shape_of(value) != shape_of(inputs[0]) or (
                other.channels and region.channels and other.channels != region.channels
            ):
                other.held = other.held or f"{node.target} joins tensors of different shapes"
            region.join(other)
            region.channels = region.channels or other.channels
            self.of = {n: region if r is other else r for n, r in self.of.items()}
        _check_bounds(region, str(node.target), module)
        return region

    def _keeps(self, node: fx.Node, module: nn.Module | None) -> bool:
        """Whether the node's values are its first input's, scaled alike, with channels in the same axis."""
        source = node.all_input_nodes[0]
        if source.op == "placeholder":
            return False
        if isinstance(module, (ops.Requantise, ops.Prelu, *_SPATIAL)):
            return True
        rank = len(shape_of(source))
        if isinstance(module, (ops.Mean, ops.Sum)):
            return rank >= 3 and all(d % rank >= 2 for d in module.dims)
        if isinstance(module, Output) or not node.op.startswith("call"):
            return False
        name = canonical(node, self.modules)
        if name == "flatten":
            before, after = shape_of(source), shape_of(node)
            return after == (before[0], math.prod(before[1:]))
        return name in _PASS or "dropout" in name


def _made(region: Region) -> str:
    return f"the output of {region.makers[0]}" if region.makers else "it"


def _check_bounds(region: Region, name: str, module: Any) -> None:
    """A clip may be at zero only."""
    bounds = module.bounds
    if bounds is not None and (bounds[0] not in (0.0, -math.inf) or bounds[1] != math.inf):
        region.held = region.held or f"{name} clips at {bounds[1] if bounds[1] != math.inf else bounds[0]:g}"


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of a node's tensor; empty where it has none."""
    meta: Any = node.meta.get("tensor_meta")
    return tuple(meta.shape) if hasattr(meta, "shape") else ()


def terms_of(layer: Any) -> int:
    """Channels (or features) that a layer reads."""
    return int(layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels)


def movable(prepared: Any, example: Inputs, method: str) -> list[Region]:
    """Regions with layers at both ends that can be scaled; InputError with a reason where there are none."""
    with torch.no_grad(), in_float(prepared):
        ShapeProp(prepared).propagate(*example)
    regions = [r for r in _Finder(prepared).run() if r.makers]
    found = [r for r in regions if r.readers and r.held is None]
    if not found:
        # What stands between two layers tells more than the end of the network.
        held = sorted((r.held for r in regions if r.held), key=lambda why: why.endswith(_AT_OUTPUT))
        why = held[0] if held else "there is no layer with weights"
        raise InputError(f"ptq: {method}: no pair of layers can be scaled: {why}; take {method} out of ptq")
    return found


def outgoing(layer: Any, weight: Tensor) -> Tensor:
    """Weights as (output channels, terms)."""
    found: Tensor = layer.by_channel(weight)
    return found


def incoming(layer: Any, weight: Tensor, channels: int) -> Tensor:
    """Weights as (channels that are read, what each is multiplied with); a flattened channel has many features."""
    if isinstance(layer, nn.Linear):
        return weight.t().reshape(channels, -1)
    if is_transposed(layer):
        return weight.reshape(channels, -1)
    split = weight.reshape(layer.groups, weight.shape[0] // layer.groups, weight.shape[1], -1)
    return split.transpose(1, 2).reshape(channels, -1)


@torch.no_grad()
def scale(prepared: nn.Module, region: Region, factor: Tensor) -> None:
    """Divide every channel of the region by its factor: in the layers that make it, and back in those that read it."""
    for name in region.makers:
        layer: Any = prepared.get_submodule(name)
        rows = outgoing(layer, layer.weight) / factor.unsqueeze(1)
        layer.weight.copy_(_from_outgoing(layer, rows))
        if layer.bias is not None:
            layer.bias.div_(factor)
    for name in region.readers:
        layer = prepared.get_submodule(name)
        layer.weight.mul_(_for_incoming(layer, factor))


def _from_outgoing(layer: Any, rows: Tensor) -> Tensor:
    """Weights of (output channels, terms)."""
    shape = layer.weight.shape
    if not is_transposed(layer):
        return rows.reshape(shape)
    split = rows.reshape(layer.groups, shape[1], shape[0] // layer.groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape)


def _for_incoming(layer: Any, factor: Tensor) -> Tensor:
    """The factors of the channels that a layer reads, broadcast to its weights."""
    weight = layer.weight
    if isinstance(layer, nn.Linear):
        return factor.repeat_interleave(weight.shape[1] // factor.numel()).unsqueeze(0)
    tail = (1,) * (weight.ndim - 2)
    if is_transposed(layer):
        return factor.reshape(-1, 1, *tail)
    each = factor.reshape(layer.groups, 1, weight.shape[1], *tail)
    return each.expand(-1, weight.shape[0] // layer.groups, *each.shape[2:]).reshape(weight.shape[0], -1, *tail)


@torch.no_grad()
def fit_points(prepared: nn.Module, regions: list[Region]) -> None:
    """Binary points of weights and biases that were scaled start anew."""
    for name in dict.fromkeys(n for r in regions for n in (*r.makers, *r.readers)):
        layer: Any = prepared.get_submodule(name)
        binary_point(layer.weight_quant).fit(layer.weight)
        if layer.own_bias is not None:
            layer.own_bias.scaling_impl.fit(layer.bias)


__all__ = ["Region", "fit_points", "incoming", "movable", "outgoing", "scale"]
