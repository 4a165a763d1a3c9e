"""Learned widths: what bits cost in hardware as a differentiable penalty, the widths that came out, freezing them.

    penalty = WidthPenalty(prepared, example)            # of a recipe with width: learned, width_cost: bitops
    loss = criterion(prepared(x), y) + 0.5 * penalty()   # penalty() is 1 at the widths of the recipe

A width is a real number that the forward pass rounds, with a straight-through gradient (as in arXiv 1905.11452), so
that at any moment the network has whole bits, and export only reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.errors import InputError
from edgeq.quant import operations as ops
from edgeq.quant.batches import checked_example, input_tensors
from edgeq.quant.binary_point import BinaryPoint
from edgeq.quant.calibration import observing
from edgeq.quant.layers import ConvTranspose1d, ConvTranspose2d, Output, Weighted
from edgeq.quant.preparation import is_prepared, quantisers
from edgeq.quant.quantizers import binary_point
from edgeq.quant.recipe import COSTS

#: look-up tables of a product of X x W bits in logic, its part of the adder tree included: W * (LOGIC * X + PLANE);
#: the figures of ECP5 cells that edgeq.fpga.styles plans with
LOGIC, PLANE = 1.0, 2.5


@dataclass(frozen=True)
class _Work:
    """One layer: its products (or sums, without weights) for one sample, the elements of its output."""

    module: Any
    count: int
    elements: int


class WidthPenalty:
    """The hardware cost of a prepared network by its widths, over the cost at those of its recipe.

    prepared: what `edgeq.prepare` returned; with `width` other than fixed in its recipe something can be learned.
    example:  an input batch, of which only the shape counts.
    cost:     "bitops": bits x bits of every product, and the wider operand's bits of every sum. "luts": look-up tables
              of the same in logic, all products at once; a K-hot weight takes an adder for each digit where that is
              less. "bytes": weights and biases, and every tensor once. None: the recipe's `width_cost`.
    Errors: InputError for a module that is not prepared, or an unknown cost.
    """

    def __init__(self, prepared: nn.Module, example: Any, cost: str | None = None) -> None:
        if not is_prepared(prepared):
            raise InputError("WidthPenalty takes the module that edgeq.prepare returned")
        chosen = cost or prepared.recipe.width_cost  # type: ignore[union-attr]
        if chosen not in COSTS:
            raise InputError(f"width cost {chosen!r} is unknown; choose one of {', '.join(COSTS)}")
        self.kind: str = str(chosen)
        self.works = _measure(prepared, example)
        self.start = sum(float(self._of(w, _most)) for w in self.works)

    def cost(self) -> Tensor:
        """The cost at the widths of now, in bit operations, look-up tables or bytes; differentiable in the widths."""
        return torch.stack([self._of(w, _now).reshape(()) for w in self.works]).sum()

    def __call__(self) -> Tensor:
        """The cost over that at the recipe's widths: 1 at the start."""
        return self.cost() / self.start

    def _of(self, work: _Work, bits: Callable[[BinaryPoint], Tensor]) -> Tensor:
        operands = [bits(binary_point(s)) for s in work.module.sources]
        weighted = isinstance(work.module, Weighted)
        if self.kind == "bytes":
            return self._bytes(work, bits)
        if not operands:
            # A constant, or an input: nothing is computed.
            return 0 * bits(binary_point(work.module.output_quant))
        if weighted:
            point = binary_point(work.module.weight_quant)
            return work.count * self._product(operands[0], bits(point), point)
        if isinstance(work.module, (ops.Mul, ops.MatMul, ops.Prelu)):
            return work.count * self._product(operands[0], operands[1], None)
        return work.count * torch.stack(operands).max()

    def _product(self, x: Tensor, w: Tensor, weights: BinaryPoint | None) -> Tensor:
        if self.kind == "bitops":
            return x * w
        khot = None if weights is None else weights.spec.khot
        logic = w * (LOGIC * x + PLANE)
        return logic if khot is None else torch.minimum(logic, khot.khot * (x + w))

    def _bytes(self, work: _Work, bits: Callable[[BinaryPoint], Tensor]) -> Tensor:
        module = work.module
        total = work.elements * bits(binary_point(module.output_quant))
        if isinstance(module, Weighted):
            total = total + module.weight.numel() * bits(binary_point(module.weight_quant))
            if module.bias is not None:
                own = module.own_bias
                width = float(module.bias_bits) if own is None else bits(own.scaling_impl)
                total = total + module.bias.numel() * width
        return total / 8


def widths(prepared: nn.Module) -> dict[str, int]:
    """Bits of every quantiser by name, as an export would have them now."""
    return {name: point.spec.bits for name, point in quantisers(prepared).items()}


def freeze_widths(prepared: nn.Module) -> dict[str, int]:
    """End the learning of widths: each stays at its whole number, for the last epochs of training. Returns them."""
    found = widths(prepared)
    for name, point in quantisers(prepared).items():
        if point.bits is not None:
            with torch.no_grad():
                point.bits.fill_(found[name])
            point.bits.requires_grad_(False)
            point.bits.grad = None
    return found


def _now(point: BinaryPoint) -> Tensor:
    return point.width()


def _most(point: BinaryPoint) -> Tensor:
    return torch.tensor(float(point.most_bits))


def _measure(prepared: nn.Module, example: Any) -> list[_Work]:
    """Run once, as in calibration but without leaving a trace, and count."""
    found: list[_Work] = []
    layers = [m for m in prepared.modules() if isinstance(m, Output)]

    def see(module: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        found.append(_work(module, [i for i in inputs if isinstance(i, Tensor)], output))

    handles = [m.register_forward_hook(see) for m in layers if isinstance(m, nn.Module)]
    training = prepared.training
    prepared.eval()
    try:
        with torch.no_grad(), observing(prepared, "max", keep=False):
            prepared(*input_tensors(prepared, checked_example(example)))
    finally:
        prepared.train(training)
        for handle in handles:
            handle.remove()
    return found


def _work(module: Any, inputs: list[Tensor], output: Tensor) -> _Work:
    elements = output[:1].numel() if inputs else output.numel()
    if isinstance(module, (ConvTranspose1d, ConvTranspose2d)):
        count = inputs[0][:1].numel() * module.weight[0].numel()
    elif isinstance(module, Weighted):
        count = elements * module.by_channel(module.weight).shape[1]
    elif isinstance(module, ops.MatMul):
        count = elements * inputs[0].shape[-1]
    elif isinstance(module, (ops.Mul, ops.Prelu, ops.Add, ops.Sub, ops.Maximum, ops.Minimum)):
        count = elements
    elif isinstance(module, (ops.Mean, ops.Sum, ops.AveragePool, ops.AdaptiveAveragePool, ops.ResizeLinear)):
        count = max(inputs[0][:1].numel(), elements)
    else:
        # Tables and changes of format: no arithmetic to speak of.
        count = 0
    return _Work(module, count, elements)


__all__ = ["WidthPenalty", "freeze_widths", "widths"]
