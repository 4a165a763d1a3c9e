"""Mixed precision for a whole network: sensitivities × allocators under a budget, compared in one table."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeq.errors import BudgetError, EdgeqError, InputError
from edgeq.progress import Progress, silent
from edgeq.quant import Recipe
from edgeq.quant.recipe import Number
from edgeq.search.allocators import ALLOCATORS
from edgeq.search.allocators.baselines import random, uniform
from edgeq.search.costs import COSTS
from edgeq.search.ladder import make_ladder
from edgeq.search.methods import DEFAULT_METHOD, calibrated, checked_methods, example_of
from edgeq.search.network import Network
from edgeq.search.problem import Array, Assignment, Found, Problem, Row
from edgeq.search.sensitivity import SENSITIVITIES
from edgeq.search.sensitivity._loss import divergence
from edgeq.search.space import Space, bits_of, make_space
from edgeq.search.store import Store, key_of
from edgeq.search.task import Task, outputs

WIDTHS: tuple[Number, ...] = (2, 3, 4, 5, 6, 7, 8)
#: costs that every row of the table has, whatever the budget is of
SHOWN = ("bytes", "bitops")
RANDOM_SEEDS = 3
#: begins a phase of the search: what it is called -> the progress to report to
Phase = Callable[[str], Progress]


@dataclass(frozen=True)
class Settings:
    """What is searched.

    options: widths that every choice may take; cost, budget: what is bounded, and by how much (`budget_of`);
    sensitivities, allocators: every pair of them is tried; baselines: also the widest uniform widths that fit, and
    random ones; base: recipe of all that is not chosen; joins: "equal" or "free" (`edgeq.search.space`);
    method: of post-training quantisation, by which every result is judged.
    """

    budget: str
    cost: str = "bytes"
    options: tuple[Number, ...] = WIDTHS
    sensitivities: tuple[str, ...] = ("measured",)
    allocators: tuple[str, ...] = ("ilp",)
    baselines: bool = True
    base: Recipe = field(default_factory=Recipe)
    joins: str = "equal"
    method: str = DEFAULT_METHOD

    def __post_init__(self) -> None:
        for what, names, known in (
            ("sensitivity", self.sensitivities, SENSITIVITIES), ("allocator", self.allocators, ALLOCATORS),
            ("cost", (self.cost,), COSTS),
        ):  # fmt: skip
            for name in names or ("none",):
                if name not in known:
                    raise InputError(f"search: {what} {name!r} is unknown; choose of {', '.join(known)}")
        checked_methods([self.method])


@dataclass(frozen=True)
class Result:
    """One row of the table.

    widths: choice -> option; loss: what the sensitivity expects (None for baselines); costs: by name;
    accuracy: on the test samples after calibration; divergence: of the calibration samples' probabilities from the
    float network's; exact: whether the allocator's answer is the best for its losses; note: what else is to be said.
    """

    sensitivity: str
    allocator: str
    assignment: Assignment | None
    widths: Mapping[str, Number]
    loss: float | None
    costs: Mapping[str, float]
    weight_bits: float | None
    accuracy: float | None
    divergence: float | None
    exact: bool
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        found = {k: v for k, v in self.__dict__.items() if k != "assignment"}
        return found | {"widths": dict(self.widths), "costs": dict(self.costs)}


@dataclass(frozen=True)
class Search:
    """What came out: all rows; the best of them, by divergence on the calibration samples; its recipe.

    exported: what the integer program of that recipe takes: bytes of constants and of the arena.
    """

    task: Task
    space: Space
    settings: Settings
    budget: float
    float_accuracy: float
    rows: tuple[Result, ...]
    best: Result
    recipe: Recipe
    exported: Mapping[str, int]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The object of `edgeq search widths --json`."""
        return {
            "network": self.task.name,
            "judged_by": self.task.judged_by,
            "test_samples": len(self.task.test),
            "cost": self.settings.cost,
            "budget": self.budget,
            "method": self.settings.method,
            "options": list(self.space.options),
            "float_accuracy": self.float_accuracy,
            "rows": [row.to_json() for row in self.rows],
            "best": self.best.to_json(),
            "exported": dict(self.exported),
            "seconds": round(self.seconds, 1),
        }


def search_widths(
    task: Task, settings: Settings, store: Store | None = None, phase: Phase = lambda name: silent
) -> Search:
    """Find the widths of a network under a budget, and judge what each sensitivity and allocator finds.

    store: where sensitivities and judged assignments are kept; a search with the same data goes on with them.
    Raises BudgetError where no widths fit, InputError for wrong settings.
    """
    start = time.perf_counter()
    space = make_space(task.model, task.calibration, settings.options, settings.base, settings.joins)
    run = _Run(task, settings, space, Store() if store is None else store, phase)
    names = dict.fromkeys((settings.cost, *SHOWN))
    network = Network(task, space, phase("costs"))
    rows = {name: COSTS[name].rows(network) for name in names}
    budget = budget_of(settings.budget, rows[settings.cost], space)
    found = run.rows(rows, budget, run.losses())
    best = min((r for r in found if r.assignment is not None), key=lambda r: (r.divergence or 0.0, -(r.accuracy or 0)))
    assert best.assignment is not None
    recipe = space.recipe(best.assignment)
    taken, accuracy = exported(task, settings, recipe), task.accuracy(task.model)
    seconds = time.perf_counter() - start
    return Search(task, space, settings, budget, accuracy, tuple(found), best, recipe, taken, seconds)


def exported(task: Task, settings: Settings, recipe: Recipe) -> dict[str, int]:
    """What the calibrated network's integer program takes: bytes of constants, packed, and of the arena on an M4.

    The arena is that of the default packing, of a search for RAM that of the smallest (`--packing all`).
    """
    from edgeq.boards import load_board
    from edgeq.frontends.torch import export
    from edgeq.mcu.program import make_program
    from edgeq.mcu.scheduling import LAYERWISE
    from edgeq.report.layers import packed_bytes
    from edgeq.search.costs.ram import BOARD, SCHEDULE

    schedule = SCHEDULE if settings.cost == "ram" else LAYERWISE
    graph = export(calibrated(task, recipe, settings.method), example_of(task))
    constants = sum(packed_bytes(value) for value in graph.values.values() if value.constant)
    return {
        "constant_bytes": constants,
        "arena_bytes": make_program(graph, load_board(BOARD), schedule).plan.arena_bytes,
    }


def budget_of(text: str, rows: Sequence[Row], space: Space) -> float:
    """A budget from its text: "12000", "12k", "1.5M"; "50%" of the widest options; "4bit": what 4 bits everywhere cost.

    InputError for anything else, or a number that is not positive.
    """
    count = len(space.choices)

    def everywhere(k: int) -> float:
        return max(row.of((k,) * count) for row in rows)

    words = re.fullmatch(r"([\d.]+)\s*(k|M|G|%|bit|bits)?", text.strip())
    try:
        number = float(words[1]) if words else math.nan
    except ValueError:
        number = math.nan
    if not words or not math.isfinite(number) or number <= 0:
        raise InputError(f"search: budget {text!r}; give a number (12000, 12k, 1.5M), 50% of the widest, or 4bit")
    if words[2] in ("bit", "bits"):
        if number not in space.options:
            given = ", ".join(map(str, space.options))
            raise InputError(
                f"search: budget {text}: {number:g} bits are not among the widths to choose from ({given})"
            )
        return everywhere(space.options.index(int(number)))
    if words[2] == "%":
        return number / 100 * everywhere(len(space.options) - 1)
    return number * {"k": 1e3, "M": 1e6, "G": 1e9, None: 1.0}[words[2]]


@dataclass
class _Run:
    """One search at work."""

    task: Task
    settings: Settings
    space: Space
    store: Store
    phase: Phase

    def __post_init__(self) -> None:
        choices = [[c.key, list(c.layers)] for c in self.space.choices]
        self.about = (self.task.digest, list(self.space.options), self.space.base.to_dict(), choices)

    def losses(self) -> dict[str, list[Array]]:
        """Losses of each option by each sensitivity, from the store where they are known."""
        ladder = None
        found: dict[str, list[Array]] = {}
        for name in dict.fromkeys(self.settings.sensitivities):
            key = key_of("sensitivity", name, *self.about)
            known = self.store.get(key)
            if known is None:
                ladder = ladder or make_ladder(self.task, self.space, self.phase("options"))
                ladder.progress = self.phase(f"sensitivity {name}")
                made = SENSITIVITIES[name](ladder)
                known = {"sensitivity": name, "losses": [line.tolist() for line in made]}
                self.store.put(key, known)
            found[name] = [np.array(line) for line in known["losses"]]
        return found

    def rows(
        self, costs: Mapping[str, tuple[Row, ...]], budget: float, losses: Mapping[str, list[Array]]
    ) -> list[Result]:
        """Every pair of sensitivity and allocator, then the baselines, each judged."""
        bound = costs[self.settings.cost]
        made: list[tuple[str, str, Problem, Callable[[Problem], Found]]] = []
        for sensitivity, loss in losses.items():
            problem = Problem(tuple(loss), bound, budget)
            made += [(sensitivity, name, problem, ALLOCATORS[name]) for name in dict.fromkeys(self.settings.allocators)]
        if self.settings.baselines:
            first = Problem(tuple(next(iter(losses.values()))), bound, budget)
            keys = [choice.key for choice in self.space.choices]
            made.append(("–", "uniform", first, lambda p: uniform(p, keys)))
            for seed in range(RANDOM_SEEDS):
                made.append(("–", "random", first, lambda p, seed=seed: random(p, seed)))  # type: ignore[misc]
        progress = self.phase("judging")
        found, errors = [], []
        for done, (sensitivity, name, problem, allocate) in enumerate(made):
            progress(done, len(made))
            try:
                chosen = allocate(problem)
            except EdgeqError as error:
                errors.append(error)
                found.append(Result(sensitivity, name, None, {}, None, {}, None, None, None, False, str(error)))
                continue
            found.append(self.judged(sensitivity, name, problem, chosen, costs))
        if errors and (len(errors) == len(found) or isinstance(errors[0], BudgetError)):
            raise errors[0]  # no widths fit, or nothing could be done at all
        return found

    def judged(
        self, sensitivity: str, allocator: str, problem: Problem, chosen: Found, costs: Mapping[str, tuple[Row, ...]]
    ) -> Result:
        """The row of an assignment."""
        space, assignment = self.space, chosen.assignment
        figures = self.evaluated(assignment)
        options = [space.options[k] for k in assignment]
        return Result(
            sensitivity,
            allocator,
            assignment,
            {choice.name: option for choice, option in zip(space.choices, options, strict=True)},
            None if sensitivity == "–" else problem.loss(assignment),
            {name: max(row.of(assignment) for row in rows) for name, rows in costs.items()},
            mean_weight_bits(self.task, space, assignment),
            figures["accuracy"],
            figures["divergence"],
            chosen.exact,
            chosen.note,
        )

    @torch.no_grad()
    def evaluated(self, assignment: Assignment) -> dict[str, float]:
        """Accuracy and divergence of the calibrated network, from the store where they are known."""
        key = key_of("judged", self.settings.method, list(assignment), *self.about)
        known = self.store.get(key)
        if known is None:
            prepared = calibrated(self.task, self.space.recipe(assignment), self.settings.method)
            models = (prepared, self.task.model)
            mine, wanted = (self.task.scores(outputs(m, self.task.calibration).double()) for m in models)
            known = {"accuracy": self.task.accuracy(prepared), "divergence": max(0.0, float(divergence(mine, wanted)))}
            self.store.put(key, known)
        return {"accuracy": known["accuracy"], "divergence": known["divergence"]}


def mean_weight_bits(task: Task, space: Space, assignment: Sequence[int]) -> float | None:
    """Mean width of the weights that are chosen, weight by weight; None where none is."""
    modules = dict(task.model.named_modules())
    total = bits = 0
    for choice, k in zip(space.choices, assignment, strict=True):
        for layer in choice.layers if choice.key == "weights" else ():
            weight: Any = getattr(modules.get(layer), "weight", None)
            count = 0 if weight is None else weight.numel()
            total, bits = total + count, bits + count * bits_of(space.options[k])
    return bits / total if total else None


def write_recipe(found: Search, path: Path) -> None:
    """The recipe as YAML, with a comment that says where it is from; reads back equal."""
    import os
    import tempfile

    import yaml

    from edgeq.errors import FileError

    best, settings = found.best, found.settings
    default = Recipe().to_dict()
    plain = {key: value for key, value in found.recipe.to_dict().items() if value != default[key]}
    text = (
        f"# {found.task.name}: widths by sensitivity {best.sensitivity} and allocator {best.allocator}\n"
        f"# {settings.cost} {best.costs[settings.cost]:,.0f} of {found.budget:,.0f}; calibrated ({settings.method}): "
        f"{best.accuracy:.2%}, float {found.float_accuracy:.2%}\n"
        f"# train with it: model = edgeq.prepare(float_model, edgeq.Recipe.from_yaml({path.name!r}))\n"
    ) + yaml.safe_dump(plain, sort_keys=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            made = Path(scratch, path.name)
            made.write_text(text, "utf-8")
            if Recipe.from_yaml(made) != found.recipe:
                raise InputError(f"recipe {path}: did not read back equal; please report this network")
            os.replace(made, path)
    except OSError as error:
        raise FileError(f"recipe {path}: cannot be written ({error.strerror})") from None
