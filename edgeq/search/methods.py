"""Methods of post-training quantisation that a search can take: one list, from what recipes and calibration know."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, fx

from edgeq.errors import InputError
from edgeq.quant import Recipe, calibrate, prepare
from edgeq.quant.recipe import STATISTICS
from edgeq.search.task import Task

#: what is taken where nobody says
DEFAULT_METHOD = "mse+bias"


@dataclass(frozen=True)
class Method:
    """One way from a float network to a calibrated one: keys of the recipe, and whether biases are corrected."""

    keys: Mapping[str, Any] = field(default_factory=dict)
    correct_bias: bool = False


def ptq_methods() -> dict[str, Method]:
    """All methods by name: each statistic of binary points, with and without bias correction, and those of recipes.

    Methods that a recipe names under `ptq` are taken from its registry, each by itself.
    """
    found: dict[str, Method] = {}
    for name in STATISTICS:
        found[name] = Method({"statistics": name})
        found[f"{name}+bias"] = Method({"statistics": name}, correct_bias=True)
    if "ptq" in Recipe.__dataclass_fields__:
        registry = importlib.import_module("edgeq.quant.ptq").METHODS
        found |= {name: Method({"ptq": [name]}) for name in registry if name != "bias_correction"}
    return found


def checked_methods(names: Iterable[str]) -> list[str]:
    """The names, each once; InputError for an unknown one."""
    known = ptq_methods()
    found = list(dict.fromkeys(names))
    for name in found:
        if name not in known:
            raise InputError(f"search: method {name!r} is unknown; choose of {', '.join(known)}")
    if not found:
        raise InputError(f"search: no method; choose of {', '.join(known)}")
    return found


def calibrated(task: Task, recipe: Recipe, method: str, batches: Iterable[Tensor] | None = None) -> fx.GraphModule:
    """The network of a task with a recipe, calibrated by a method, in eval mode."""
    chosen = ptq_methods()[method]
    prepared = prepare(task.model, replace(recipe, **chosen.keys), example_of(task))
    statistics = str(chosen.keys.get("statistics", recipe.statistics))
    calibrate(prepared, task.batches() if batches is None else batches, statistics, correct_bias=chosen.correct_bias)
    return prepared


def example_of(task: Task) -> Tensor:
    """A few samples that show whether the input has negative elements."""
    x = task.calibration
    least = int(x.reshape(len(x), -1).amin(dim=1).argmin())
    return x[sorted({0, min(1, len(x) - 1), least})]
