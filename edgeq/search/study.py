"""Study: accuracy and cost of a network in every pair of formats by every method of post-training quantisation."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from edgeq.errors import EdgeqError, InputError, ToolError
from edgeq.progress import Progress, silent
from edgeq.quant import Recipe
from edgeq.quant.recipe import Number
from edgeq.search.methods import DEFAULT_METHOD, calibrated, checked_methods, example_of
from edgeq.search.space import bits_of, checked_options
from edgeq.search.store import Store, key_of
from edgeq.search.sweep import Job, run
from edgeq.search.task import Source, Task, classes, load_task

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.ir import Graph

#: bits that formats of a study have
LEAST_BITS, MOST_BITS = 3, 8
#: how instructions come about: counted in a build of each pair of formats, from cost tables, or not at all
COUNTING = ("counted", "estimated", "none")
BOARD = "cortex-m4"
#: sums of so many bits are fast in the emulator
FAST_BITS = 63
#: of the interval: two standard deviations, 95 %
SIGMAS = 1.959964


@functools.cache
def formats() -> tuple[Number, ...]:
    """All formats of 3 to 8 bits that recipes know: integers, and minifloats eEmM."""
    found: list[Number] = list(range(LEAST_BITS, MOST_BITS + 1))
    for exponent in range(1, 6):
        for mantissa in range(MOST_BITS - 1 - exponent + 1):
            name = f"e{exponent}m{mantissa}"
            if 1 + exponent + mantissa < LEAST_BITS:
                continue
            try:
                found += checked_options([name])
            except EdgeqError:
                continue
    return tuple(found)


@dataclass(frozen=True)
class Point:
    """Formats of weights and of activations, and a method."""

    weights: Number
    activations: Number
    method: str

    @property
    def name(self) -> str:
        """As tables write it: W4A8, E2M1/8."""
        return f"{_written(self.weights)}/{_written(self.activations)}"

    @property
    def family(self) -> str:
        """What is compared: "integer", "minifloat", or "mixed"."""
        kinds = {isinstance(self.weights, str), isinstance(self.activations, str)}
        return "mixed" if len(kinds) > 1 else "minifloat" if True in kinds else "integer"


def _written(number: Number) -> str:
    return number.upper() if isinstance(number, str) else f"int{number}"


@dataclass(frozen=True)
class Plan:
    """What is swept: every pair of weights and activations (or equal ones only), by every method.

    base: recipe of everything else (borders, first and last layer); counting: see `COUNTING`; luts: whether engines are
    synthesised.
    """

    source: Source
    weights: tuple[Number, ...]
    activations: tuple[Number, ...]
    methods: tuple[str, ...] = (DEFAULT_METHOD,)
    same: bool = False
    base: Recipe = field(default_factory=Recipe)
    counting: str = "counted"
    luts: bool = True

    def __post_init__(self) -> None:
        for key in ("weights", "activations"):
            object.__setattr__(self, key, checked_options(getattr(self, key)))
        object.__setattr__(self, "methods", tuple(checked_methods(self.methods)))
        if self.counting not in COUNTING:
            raise InputError(f"search: instructions {self.counting!r}; choose of {', '.join(COUNTING)}")
        if not self.pairs:
            raise InputError("search: no format is among both weights and activations; leave --same, or name others")

    @property
    def pairs(self) -> list[tuple[Number, Number]]:
        """Pairs of formats."""
        return [(w, a) for w in self.weights for a in self.activations if not self.same or w == a]

    @property
    def points(self) -> list[Point]:
        """All points."""
        return [Point(w, a, method) for w, a in self.pairs for method in self.methods]


@dataclass(frozen=True)
class Row:
    """One finished point; what is not known is None, and `notes` says why.

    accuracy: share of test samples, low and high: its 95 % interval (Wilson); as_float: share with the float network's
    class; weight_bytes: all constants, packed; instructions: of one inference; luts: of the engine (`engines`).
    front: names of the costs at which no other point of the study is both cheaper and better.
    """

    point: Point
    accuracy: float | None
    low: float | None
    high: float | None
    as_float: float | None
    weight_bytes: int | None
    instructions: int | None
    luts: int | None
    notes: tuple[str, ...] = ()
    front: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, flat."""
        point = {"name": self.point.name, "family": self.point.family, **self.point.__dict__}
        rest = {k: v for k, v in self.__dict__.items() if k not in ("point", "notes", "front")}
        return {**point, **rest, "notes": list(self.notes), "front": list(self.front)}


#: costs of a row, and what they are called
COSTS = {
    "weight_bytes": "bytes of weights and biases",
    "luts": "LUTs of an engine of 16 products",
    "instructions": "instructions on a Cortex-M4",
}


@dataclass(frozen=True)
class Study:
    """A finished sweep. instructions_by: how instructions were found; tools: of synthesis."""

    name: str
    judged_by: str
    test_samples: int
    calibration_samples: int
    float_accuracy: float
    rows: tuple[Row, ...]
    instructions_by: str
    tools: str

    def to_json(self) -> dict[str, Any]:
        """The object of `edgeq search pareto --json`."""
        return {**self.__dict__, "rows": [row.to_json() for row in self.rows]}


def study(
    plan: Plan,
    store: Store | None = None,
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress = silent,
) -> Study:
    """Sweep, or finish a sweep that a store holds parts of; the rows are the same either way."""
    store = store if store is not None else Store()
    task = load_task(plan.source)
    jobs = _jobs(plan, task)
    reasons = run(list(jobs.values()), store, workers=workers, cluster=cluster, progress=progress)
    found = {name: store.get(job.key) for name, job in jobs.items()}
    said = {name: reasons.get(job.key, "") for name, job in jobs.items()}
    rows = [_row(plan, point, found, said, len(task.test)) for point in plan.points]
    if all(row.accuracy is None for row in rows):
        raise InputError(f"search: no point could be finished: {rows[0].notes[0] if rows[0].notes else 'no reason'}")
    hows = {str(found[n]["how"]) for n in found if n[0] == "instructions" and found[n]}  # type: ignore[index]
    tools = {str(found[n]["tools"]) for n in found if n[0] == "luts" and found[n]}  # type: ignore[index]
    return Study(
        task.name, task.judged_by, len(task.test), len(task.calibration), task.accuracy(task.model),
        tuple(with_fronts(rows)), "; ".join(sorted(hows)), "; ".join(sorted(tools)),
    )  # fmt: skip


#: ("accuracy", point), ("instructions", pair) or ("luts", pair)
Name = tuple[str, Any]


def _jobs(plan: Plan, task: Task) -> dict[Name, Job]:
    """Everything that has to be found out."""
    about = (plan.source, task.digest, plan.base)
    known = (task.digest, plan.base.to_dict())
    jobs: dict[Name, Job] = {}
    for p in plan.points:
        key = key_of("accuracy", p.weights, p.activations, p.method, *known)
        jobs["accuracy", p] = Job(key, accuracy_of, (*about, p))
    for pair in plan.pairs:
        if plan.counting != "none":
            key = key_of("instructions", plan.counting, *pair, *known)
            jobs["instructions", pair] = Job(key, instructions_of, (*about, *pair, plan.counting))
        if plan.luts:
            jobs["luts", pair] = Job(key_of("luts", *pair), luts_of, pair)
    return jobs


def _task(source: Source, digest: str) -> Task:
    task = load_task(source)
    if task.digest != digest:
        raise InputError(
            f"{source.model}: gives another network or other data each time it is loaded; let it load saved weights"
        )
    return task


def recipe_of(base: Recipe, weights: Number, activations: Number) -> Recipe:
    """The base with formats; the input keeps 8 bits where the base does not say."""
    return replace(base, weights=weights, activations=activations, input=8 if base.input is None else base.input)


def accuracy_of(source: Source, digest: str, base: Recipe, point: Point) -> dict[str, Any]:
    """Calibrate and judge one point."""
    from edgeq.frontends.torch import export
    from edgeq.ir.ranges import analyse
    from edgeq.report.layers import packed_bytes

    task = _task(source, digest)
    prepared = calibrated(task, recipe_of(base, point.weights, point.activations), point.method)
    graph = export(prepared, example_of(task))
    if any(acc is not None and acc.bits > FAST_BITS for acc in analyse(graph).accumulators.values()):
        found = classes(prepared, task.test)  # such sums are slow in the emulator, Python's integers
    else:
        found = torch.from_numpy(graph.run(task.test.numpy()).argmax(axis=1))  # a fraction of the module's time
    return {
        "kind": "accuracy",
        "point": [point.weights, point.activations, point.method],
        "right": int((found == task.labels).sum()),
        "as_float": int((found == task.float_classes).sum()),
        "samples": len(found),
        "weight_bytes": sum(packed_bytes(v) for v in graph.values.values() if v.constant),
    }


def instructions_of(
    source: Source, digest: str, base: Recipe, weights: Number, activations: Number, counting: str
) -> dict[str, Any]:
    """Instructions of one inference on a Cortex-M4, counted in a build or by the kernels' cost tables."""
    from edgeq.boards import load_board
    from edgeq.frontends.torch import export
    from edgeq.search.costs.instructions import estimated

    task = _task(source, digest)
    prepared = calibrated(task, recipe_of(base, weights, activations), "max", [task.calibration[:8]])
    graph = export(prepared, example_of(task), name="study")
    board = load_board(BOARD)
    if counting == "counted":
        count, how = _counted(graph, board)
    else:
        by_node, missing = estimated(graph, board)
        if missing:
            raise InputError(f"instructions are not estimated: no table for {', '.join(missing)}; count them instead")
        count, how = round(sum(by_node.values())), "estimated by the kernels' cost tables"
    return {"kind": "instructions", "pair": [weights, activations], "instructions": count, "how": how}


def _counted(graph: Graph, board: Board) -> tuple[int, str]:
    """Instructions of one run of the compiled firmware, and who counted them."""
    import tempfile
    from pathlib import Path

    from edgeq.mcu.build import build, golden_sample
    from edgeq.mcu.execute import measure

    with tempfile.TemporaryDirectory(prefix="edgeq-study-") as scratch:
        made = build(graph, board, Path(scratch, "net"))
        sample = golden_sample(made.graph)
        found = measure(made, {name: sample[name][None] for name in made.graph.inputs})
    if found.counts is None:
        raise ToolError(f"nothing counts instructions on {board.name}; take --instructions estimated")
    return found.counts.total, f"counted by {found.counts.method}, {found.runner}"


def luts_of(weights: Number, activations: Number) -> dict[str, Any]:
    """LUTs of the engine of a pair."""
    from edgeq.search.engines import synthesised

    used, tools = synthesised(weights, activations)
    return {"kind": "luts", "pair": [weights, activations], **used.to_json(), "tools": tools}


def _row(
    plan: Plan, point: Point, found: dict[Name, dict[str, Any] | None], said: dict[Name, str], samples: int
) -> Row:
    """Put the results of a point together."""
    pair = (point.weights, point.activations)
    names: list[Name] = [("accuracy", point), ("instructions", pair), ("luts", pair)]
    accuracy, counted, engine = (found.get(name) for name in names)
    notes = [f"{name[0]}: {said[name]}" for name in names if said.get(name)]
    share = low = high = None
    if accuracy is not None:
        share = accuracy["right"] / samples
        low, high = wilson(accuracy["right"], samples)
    return Row(
        point,
        share,
        low,
        high,
        None if accuracy is None else accuracy["as_float"] / samples,
        None if accuracy is None else accuracy["weight_bytes"],
        None if counted is None else counted["instructions"],
        None if engine is None else engine["luts"],
        tuple(notes),
    )


def wilson(right: int, samples: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    share, z = right / samples, SIGMAS
    middle = share + z * z / (2 * samples)
    width = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    below = 1 + z * z / samples
    return max(0.0, (middle - width) / below), min(1.0, (middle + width) / below)


def with_fronts(rows: Sequence[Row]) -> list[Row]:
    """Each row with the costs at which it is on the Pareto front."""
    fronts = {cost: front(rows, cost) for cost in COSTS}
    return [replace(row, front=tuple(cost for cost in COSTS if i in fronts[cost])) for i, row in enumerate(rows)]


def front(rows: Sequence[Row], cost: str) -> list[int]:
    """Indices of the rows that no other beats in accuracy at the same cost or less, by rising cost."""
    known = [(i, getattr(row, cost), row.accuracy) for i, row in enumerate(rows) if row.accuracy is not None]
    order = sorted((c, -a, i) for i, c, a in known if c is not None)
    found, best = [], -1.0
    for _, accuracy, i in order:
        if -accuracy > best:
            found.append(i)
            best = -accuracy
    return found


def better_format(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each width that both kinds have everywhere: the best integer and the best minifloat of it.

    `clear`: whether their intervals do not touch.
    """
    found = []
    for bits in range(LEAST_BITS, MOST_BITS + 1):
        best: dict[str, Row] = {}
        for row in rows:
            widths = {bits_of(row.point.weights), bits_of(row.point.activations)}
            if row.accuracy is None or widths != {bits} or row.point.family == "mixed":
                continue
            now = best.get(row.point.family)
            if now is None or row.accuracy > (now.accuracy or 0.0):
                best[row.point.family] = row
        if len(best) == 2:
            first, second = best["integer"], best["minifloat"]
            assert first.low is not None
            assert first.high is not None
            assert second.low is not None
            assert second.high is not None
            clear = first.low > second.high or second.low > first.high
            found.append({"bits": bits, "integer": first, "minifloat": second, "clear": clear})
    return found
