"""Methods of post-training quantisation that a search can take, by name: parts that `+` joins.

mse+bias                 binary points by squared error, then bias correction
equalise+clipping+bias   ranges equalised, points of weights by the layer's output, then bias correction
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor, fx

from edgeq.errors import InputError
from edgeq.quant import Recipe, calibrate, prepare
from edgeq.quant.ptq import METHODS, checked
from edgeq.quant.recipe import STATISTICS
from edgeq.search.task import Task

#: what is taken where nobody says
DEFAULT_METHOD = "mse+bias"
#: short names of the recipe's methods
SHORT = {"bias": "bias_correction"}


def ptq_methods() -> list[str]:
    """What "all" means: each statistic with and without bias correction, and each method of recipes by itself."""
    statistics = [name for known in STATISTICS for name in (known, f"{known}+bias")]
    return statistics + [name for name in METHODS if name != "bias_correction"]


def recipe_keys(method: str) -> dict[str, Any]:
    """What a method sets in a recipe: one of `STATISTICS`, and any of the recipe's `ptq` with their default options.

    InputError for an unknown part, two statistics, or methods that exclude each other.
    """
    statistics, ptq = [], []
    for part in (part.strip() for part in method.split("+")):
        name = SHORT.get(part, part)
        if name in STATISTICS:
            statistics.append(name)
        elif name in METHODS:
            ptq.append(name)
        else:
            known = ", ".join([*STATISTICS, *SHORT, *(m for m in METHODS if m not in SHORT.values())])
            raise InputError(f"search: method {part!r} is unknown; choose of {known}, or join some by +")
    if len(statistics) > 1:
        raise InputError(f"search: method {method!r}: {' and '.join(statistics)} both choose binary points; name one")
    found: dict[str, Any] = {"statistics": statistics[0]} if statistics else {}
    return found | ({"ptq": list(checked(ptq, f"search: method {method!r}"))} if ptq else {})


def checked_methods(names: Iterable[str]) -> list[str]:
    """The names, each once; InputError for one that means nothing."""
    found = list(dict.fromkeys(names))
    for name in found:
        recipe_keys(name)
    if not found:
        raise InputError(f"search: no method; choose of {', '.join(ptq_methods())}")
    return found


def calibrated(task: Task, recipe: Recipe, method: str, batches: Iterable[Tensor] | None = None) -> fx.GraphModule:
    """The network of a task with a recipe, calibrated by a method, in eval mode."""
    prepared = prepare(task.model, replace(recipe, **recipe_keys(method)), example_of(task))
    calibrate(prepared, task.batches() if batches is None else batches)
    return prepared


def example_of(task: Task) -> Tensor:
    """A few samples that show whether the input has negative elements."""
    x = task.calibration
    least = int(x.reshape(len(x), -1).amin(dim=1).argmin())
    return x[sorted({0, min(1, len(x) - 1), least})]
