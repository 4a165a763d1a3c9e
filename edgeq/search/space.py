"""Space: what may be chosen in a network, the width of each layer's weights and of each tensor of activations.

Tensors that an addition, a concatenation or the like joins get one width together, as in HAWQ-V3 (arXiv 2011.10680,
section 3.3: equal widths at residual joins), unless they are asked to be free.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, fx, nn

from edgeq.errors import InputError
from edgeq.quant import Recipe, prepare
from edgeq.quant import operations as ops
from edgeq.quant.layers import Output, Weighted
from edgeq.quant.quantizers import binary_point
from edgeq.quant.recipe import Number
from edgeq.quant.spec import QuantSpec

#: what joins tensors
JOINS = (ops.Add, ops.Sub, ops.Concat, ops.Maximum, ops.Minimum)
KEYS = ("weights", "activations")


@dataclass(frozen=True)
class Choice:
    """One width to be chosen: that of the "weights" of a layer, or of the "activations" of layers that are joined."""

    key: str
    layers: tuple[str, ...]

    @property
    def name(self) -> str:
        """For tables: layer and key."""
        return f"{'+'.join(self.layers)} {self.key}"


@dataclass(frozen=True)
class Space:
    """All choices of a network.

    base: the recipe of what is not chosen; options: the numbers that every choice may take, in rising width.
    """

    base: Recipe
    options: tuple[Number, ...]
    choices: tuple[Choice, ...]

    def recipe(self, assignment: Sequence[int]) -> Recipe:
        """The recipe of an assignment; layers that nothing was chosen for keep those of the base."""
        layers: dict[str, dict[str, Any]] = {name: dict(found) for name, found in self.base.layers.items()}
        for choice, k in zip(self.choices, assignment, strict=True):
            for layer in choice.layers:
                layers.setdefault(glob.escape(layer), {})[choice.key] = self.options[k]
        return replace(self.base, layers=layers)

    def uniform(self, weights: Number, activations: Number) -> Recipe:
        """The recipe with the same options everywhere."""
        layers: dict[str, dict[str, Any]] = {name: dict(found) for name, found in self.base.layers.items()}
        for choice in self.choices:
            for layer in choice.layers:
                number = weights if choice.key == "weights" else activations
                layers.setdefault(glob.escape(layer), {})[choice.key] = number
        return replace(self.base, layers=layers)

    def where(self, layer: str, key: str) -> int | None:
        """The index of the choice that a layer's weights or activations belong to; None where they are fixed."""
        for index, choice in enumerate(self.choices):
            if choice.key == key and layer in choice.layers:
                return index
        return None


def bits_of(number: Number) -> int:
    """The width of an option."""
    return QuantSpec("an option", number).bits


def checked_options(options: Sequence[Number]) -> tuple[Number, ...]:
    """Options in rising width; InputError for none, an unknown one, or one that a weight cannot have."""
    found: list[Number] = []
    for option in options:
        recipe = Recipe(weights=option)  # names the mistake
        assert isinstance(recipe.weights, (int, str))
        found.append(recipe.weights)
    if not found:
        raise InputError("search: no widths to choose from")
    return tuple(sorted(dict.fromkeys(found), key=lambda n: (bits_of(n), isinstance(n, str), str(n))))


def make_space(
    model: nn.Module,
    example: Tensor,
    options: Sequence[Number],
    base: Recipe | None = None,
    joins: str = "equal",
) -> Space:
    """The choices of a float network.

    options: bits 2 to 8 or names of minifloats; joins: "equal", or "free" for a width of its own for each tensor.
    What `prepare` gives other widths than the recipe's (inputs, outputs, constants) is no choice.
    """
    if joins not in ("equal", "free"):
        raise InputError(f"search: joins {joins!r}; choose equal or free")
    base = base or Recipe()
    if base.input is None:
        base = replace(base, input=8)
    chosen = checked_options(options)
    names = {key: _moving(model, example, base, key) for key in KEYS}
    prepared = prepare(model, replace(base, weights=8, activations=8), example)
    groups = _joined(prepared, names["activations"]) if joins == "equal" else [(n,) for n in names["activations"]]
    choices = [Choice("weights", (name,)) for name in names["weights"]]
    choices += [Choice("activations", group) for group in groups]
    if not choices:
        raise InputError("search: there is nothing to choose; the network has no layer whose width may change")
    return Space(base, chosen, tuple(choices))


def named_outputs(prepared: nn.Module) -> dict[str, Any]:
    """Modules that end in a quantiser, by name."""
    return {name: module for name, module in prepared.named_modules() if isinstance(module, Output)}


def _moving(model: nn.Module, example: Tensor, base: Recipe, key: str) -> list[str]:
    """Layers whose weights or activations take another width where the recipe gives another one to all."""
    found: list[dict[str, int]] = []
    for bits in (4, 5):
        # what the base says of single layers stays as it says
        recipe = replace(base, weights=bits) if key == "weights" else replace(base, activations=bits)
        modules = named_outputs(prepare(model, recipe, example))
        quantisers = {
            name: getattr(m, "weight_quant" if key == "weights" else "output_quant")
            for name, m in modules.items()
            if key == "activations" or isinstance(m, Weighted)
        }
        found.append({name: binary_point(q).spec.bits for name, q in quantisers.items()})
    return [name for name, bits in found[0].items() if found[1][name] != bits]


def _joined(prepared: fx.GraphModule, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Layers in groups: those whose outputs are operands of one join."""
    owners = {id(m.output_quant): name for name, m in named_outputs(prepared).items()}
    group = {name: {name} for name in names}
    for module in prepared.modules():
        if isinstance(module, JOINS):
            operands = [owners[id(s)] for s in module.sources if owners[id(s)] in group]
            together = set().union(*(group[name] for name in operands))
            for name in together:
                group[name] = together
    return list(dict.fromkeys(tuple(n for n in names if n in group[name]) for name in names))
