"""Ladder: the network in float, and every weight and activation of it as each option would round it.

All sensitivities measure on this: the float pass has the layer names of the prepared module (BatchNorm folded, clips
fused), and what an option does to a tensor is what the quantiser of a network prepared with that option does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from edgeq.progress import Progress, silent
from edgeq.quant import prepare
from edgeq.quant.calibration import observing
from edgeq.quant.layers import Weighted
from edgeq.quant.recipe import STATISTICS
from edgeq.search.methods import example_of
from edgeq.search.space import Choice, Space, named_outputs
from edgeq.search.task import Task


@contextmanager
def floating(prepared: nn.Module, method: str = "max", keep: bool = False) -> Iterator[None]:
    """Within: weights and activations of a prepared module are not rounded; with `keep`, activations are calibrated."""
    layers: list[Any] = [m for m in prepared.modules() if isinstance(m, Weighted)]
    with observing(prepared, method, keep):
        for layer in layers:
            layer.quantised_weight = lambda layer=layer: layer.weight
        try:
            yield
        finally:
            for layer in layers:
                del layer.quantised_weight


@dataclass
class Ladder:
    """float: the prepared module to be run within `floating`; rungs: one prepared module for each option."""

    task: Task
    space: Space
    float: fx.GraphModule
    rungs: tuple[fx.GraphModule, ...]
    progress: Progress = silent
    _layers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layers = named_outputs(self.float)
        self._of = [named_outputs(rung) for rung in self.rungs]

    def layer(self, name: str) -> Any:
        """A layer of the float pass."""
        return self._layers[name]

    @torch.no_grad()
    def weight(self, name: str, k: int) -> Tensor:
        """The weights of a layer as option k rounds them."""
        found: Tensor = self._of[k][name].quantised_weight()
        return found

    @torch.no_grad()
    def activation(self, name: str, k: int, x: Tensor) -> Tensor:
        """An output of a layer as option k rounds it."""
        found: Tensor = self._of[k][name].output_quant(x)
        return found

    def pairs(self, choice: Choice, tensors: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """For each tensor of a choice: its float values, and those of each option. tensors: outputs of layers."""
        for name in choice.layers:
            options = range(len(self.rungs))
            if choice.key == "weights":
                yield self.layer(name).weight.detach(), [self.weight(name, k) for k in options]
            else:
                x = tensors[name]
                yield x, [self.activation(name, k, x) for k in options]

    def layers(self, key: str) -> list[str]:
        """Layers whose "weights" or "activations" are chosen."""
        return [name for choice in self.space.choices if choice.key == key for name in choice.layers]

    def run(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """One batch in float: the network's output, and those of the layers whose activations are chosen."""
        seen: dict[str, Tensor] = {}
        with ExitStack() as stack:
            stack.enter_context(floating(self.float))
            for name in self.layers("activations"):
                hook = self.layer(name).register_forward_hook(_keeper(seen, name))
                stack.callback(hook.remove)
            return self.float(batch), seen

    @torch.no_grad()
    def activations(self) -> Iterator[dict[str, Tensor]]:
        """Outputs of all layers whose activations are chosen, in float, batch by batch."""
        for batch in self.task.batches():
            yield self.run(batch)[1]

    @torch.no_grad()
    def run_with(self, batch: Tensor, choice: Choice, k: int) -> Tensor:
        """The network's output for one batch in float, but for one choice, which has option k."""
        with ExitStack() as stack:
            stack.enter_context(floating(self.float))
            for name in choice.layers:
                layer = self.layer(name)
                if choice.key == "weights":
                    rounded = self.weight(name, k)
                    layer.quantised_weight = lambda rounded=rounded: rounded
                else:
                    stack.callback(layer.register_forward_hook(self._rounding(name, k)).remove)
            found: Tensor = self.float(batch)
            return found

    def _rounding(self, name: str, k: int) -> Callable[[Any, Any, Tensor], Tensor]:
        return lambda module, inputs, output: self.activation(name, k, output)


def _keeper(seen: dict[str, Tensor], name: str) -> Callable[[Any, Any, Tensor], None]:
    def keep(module: Any, inputs: Any, output: Tensor) -> None:
        seen[name] = output

    return keep


def make_ladder(task: Task, space: Space, progress: Progress = silent) -> Ladder:
    """Prepare and calibrate the network once for each option, each tensor by itself: from float inputs."""
    example = example_of(task)
    rungs = []
    for done, option in enumerate(space.options):
        progress(done, len(space.options))
        rung = prepare(task.model, space.uniform(option, option), example).eval()
        method = space.base.statistics
        assert method in STATISTICS
        with torch.no_grad(), floating(rung, method, keep=True):
            for batch in task.batches():
                rung(batch)
        rungs.append(rung)
    reference = prepare(task.model, space.uniform(space.options[-1], space.options[-1]), example).eval()
    return Ladder(task, space, reference, tuple(rungs), progress)
