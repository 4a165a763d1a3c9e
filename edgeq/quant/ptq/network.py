"""A prepared network as float arithmetic, and what its layers get: the two networks that PTQ compares."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.batch_norm import BatchNorm
from edgeq.quant.binary_point import Observer
from edgeq.quant.layers import Output, Weighted
from edgeq.quant.quantizers import binary_point, tensor_quant

#: inputs of one forward pass
Inputs = tuple[Tensor, ...]


class _Blind(Observer):
    """Looks at nothing; that it is there lets layers compute in float."""

    def see(self, x: Tensor) -> None:
        """Nothing."""


@contextmanager
def in_float(prepared: nn.Module) -> Iterator[None]:
    """Weights, biases and activations are not quantised, and functions are not taken from tables."""
    quantisers: list[Any] = []
    for module in prepared.modules():
        if isinstance(module, Output):
            quantisers += [module.output_quant, *([module.weight_quant] if isinstance(module, Weighted) else [])]
    points = [binary_point(q) for q in quantisers]
    before = [(tensor_quant(q).observer_only, p.observer) for q, p in zip(quantisers, points, strict=True)]
    for quantiser, point in zip(quantisers, points, strict=True):
        tensor_quant(quantiser).observer_only = True
        point.observer = _Blind(point.spec, "max")
    try:
        yield
    finally:
        for quantiser, point, (only, observer) in zip(quantisers, points, before, strict=True):
            tensor_quant(quantiser).observer_only, point.observer = only, observer


def float_twin(prepared: nn.Module) -> nn.Module:
    """A copy whose weights stay as they are now."""
    return copy.deepcopy(prepared)


def layers_with_weights(prepared: nn.Module) -> dict[str, Any]:
    """Convolutions and linear layers by name, in the order in which the network runs them."""
    # A BatchNorm that is kept makes its weights from statistics; there is nothing to round otherwise.
    graph: Any = prepared.graph
    named = {str(n.target): prepared.get_submodule(str(n.target)) for n in graph.nodes if n.op == "call_module"}
    return {name: m for name, m in named.items() if isinstance(m, Weighted) and not isinstance(m, BatchNorm)}


class _ReachedError(Exception):
    """The forward pass has come to the layer."""


def inputs_of(prepared: nn.Module, name: str, batches: Sequence[Inputs]) -> Iterator[Tensor]:
    """What the layer gets for each batch; the network runs no further than that."""
    found: list[Tensor] = []

    def stop(_: Any, inputs: Inputs) -> None:
        found.append(inputs[0].detach())
        raise _ReachedError

    handle = prepared.get_submodule(name).register_forward_pre_hook(stop)
    try:
        for batch in batches:
            try:
                with torch.no_grad():
                    prepared(*batch)
            except _ReachedError:
                yield found.pop()
    finally:
        handle.remove()


__all__ = ["Inputs", "float_twin", "in_float", "inputs_of", "layers_with_weights"]
