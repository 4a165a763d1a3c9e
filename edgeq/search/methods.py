"""Methods of post-training quantisation that a search can take: one list, from what recipes and calibration know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, fx

from edgeq.errors import InputError
from edgeq.quant import Recipe, calibrate, prepare
from edgeq.quant.ptq import METHODS
from edgeq.quant.recipe import STATISTICS
from edgeq.search.task import Task

#: what is taken where nobody says
DEFAULT_METHOD = "mse+bias"


#: name -> keys of the recipe
Methods = Mapping[str, Mapping[str, Any]]


def ptq_methods() -> Methods:
    """All methods by name: each statistic of binary points, with and without bias correction, and those of recipes.

    A method of the recipe's key `ptq` is taken by itself, with its default options.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name in STATISTICS:
        found[name] = {"statistics": name}
        found[f"{name}+bias"] = {"statistics": name, "ptq": ["bias_correction"]}
    return found | {name: {"ptq": [name]} for name in METHODS if name != "bias_correction"}


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
    prepared = prepare(task.model, replace(recipe, **ptq_methods()[method]), example_of(task))
    calibrate(prepared, task.batches() if batches is None else batches)
    return prepared


def example_of(task: Task) -> Tensor:
    """A few samples that show whether the input has negative elements."""
    x = task.calibration
    least = int(x.reshape(len(x), -1).amin(dim=1).argmin())
    return x[sorted({0, min(1, len(x) - 1), least})]
