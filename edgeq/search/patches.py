"""Patches: the first part of an 8-bit network by patches whose feature maps have widths of their own (QuantMCU).

The stage is written out patch by patch (edgeq/schedule/branches.py). Patches that hold outliers keep their 8 bits, the
others' feature maps get 8, 4 or 2 (edgeq/search/quantmcu.py). What is input and output of the stage keeps its format,
so that patches of different width meet in one map; a halo is computed again by each patch that needs it, in its own
widths, and no patch reads another's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator import trace
from edgeq.errors import GraphError, InputError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, Node, operator
from edgeq.mcu.storage import value_bytes
from edgeq.progress import Progress, silent
from edgeq.schedule.branches import Branches, Region, cuts, split_patches
from edgeq.schedule.guards import guarded, guards, idle
from edgeq.schedule.lifetimes import lifetimes
from edgeq.schedule.twins import without_idle
from edgeq.search.at_run_time import Choice, look, with_choice
from edgeq.search.quantmcu import (
    FeatureMap,
    Gaussian,
    Histogram,
    Moment,
    best_quantiser,
    chosen_widths,
    classified,
    scores,
)
from edgeq.search.reformat import groups, positive, with_formats, with_weights, without_left_shifts

#: samples that are traced at once
BATCH = 8


@dataclass(frozen=True)
class Settings:
    """What is asked for.

    grid: patches along rows and columns; split: name (or layer) of the value that ends the stage, None: where least
    RAM is needed; ram: most bytes alive at once, or None; phi, share: see `quantmcu.classified`; lam: weight of entropy
    against BitOPs, 0 to 1; widths: falling, 8 first; joint: whether all patches without outliers share their widths;
    rest: whether maps behind the stage get widths, too; weights: most bits of a weight of the stage (and of the rest,
    where that is asked for), which all patches share. at_run_time: whether patches that do not keep 8 bits have both
    branches, and each input decides which one runs.
    """

    grid: tuple[int, int]
    split: str | None = None
    ram: int | None = None
    phi: float = 2.0
    share: float = 0.5
    lam: float = 0.5
    widths: tuple[int, ...] = (8, 4, 2)
    joint: bool = False
    rest: bool = False
    weights: int = 8
    at_run_time: bool = False

    def __post_init__(self) -> None:
        if (
            self.widths[:1] != (8,)
            or list(self.widths) != sorted(set(self.widths), reverse=True)
            or self.widths[-1] < 2
        ):
            raise InputError(f"search: widths {self.widths}; give them falling, from 8 down to 2 at least")
        if not 2 <= self.weights <= 8:
            raise InputError(f"search: weights of {self.weights} bits; give 2 to 8")


@dataclass(frozen=True)
class Mixed:
    """What was found.

    graph: the mixed network; baseline: the same patches with 8 bits; whole: the network as it was given;
    outliers: of each patch, whether it holds them, so that it has 8 bits for every input; model: of the values at the
    stage's input; chosen: value of a branch (or, if jointly chosen, of the whole map) -> width; choice: how patches are
    decided at run time, where they are.
    """

    settings: Settings
    whole: Graph
    baseline: Graph
    graph: Graph
    branches: Branches
    model: Gaussian
    outliers: Mapping[tuple[int, int], bool]
    chosen: Mapping[str, int]
    choice: Choice | None = None

    @property
    def stage(self) -> tuple[str, ...]:
        """Nodes of the patch stage's branches, without twins."""
        return tuple(name for names in self.branches.nodes.values() for name in names)

    def to_json(self) -> dict[str, Any]:
        """What was chosen, as plain data."""
        return {
            "split": self.branches.output,
            "grid": list(self.settings.grid),
            "phi": self.settings.phi,
            "lambda": self.settings.lam,
            "mean": self.model.mean,
            "deviation": self.model.deviation,
            "outlier_patches": [list(patch) for patch, held in self.outliers.items() if held],
            "widths": dict(self.chosen),
            "at_run_time": self.choice.to_json() if self.choice else None,
        }


def search_patches(graph: Graph, calibration: Any, settings: Settings, progress: Progress = silent) -> Mixed:
    """Split an 8-bit network into patches and choose their widths from calibration samples.

    calibration: one array, (samples, …) in the layout of the network, floats or codes. GraphError where the network has
    no patches, BudgetError where no widths meet the limit.
    """
    if len(graph.inputs) != 1:
        raise GraphError(f"{graph.name}: patches need a network of one input, this one has {len(graph.inputs)}")
    split = branches = _split(graph, settings)
    seen = look(split, np.asarray(calibration))
    patches = list(split.nodes)
    held = classified(seen.model, seen.least, seen.most, settings.phi, settings.share)
    outliers = dict(zip(patches, held, strict=True))
    free = [patch for patch in patches if not outliers[patch]]
    choice = None
    if settings.at_run_time:
        branches, choice = with_choice(split, seen, free, settings.phi)
        free = list(choice.twins)
        outliers = {patch: patch not in free for patch in patches}
    found = _Counts(branches, graph, np.asarray(calibration), choice, progress)
    sections = _sections(branches, [(choice.twins[p].nodes if choice else split.nodes[p]) for p in free], settings)
    flat = [group for section in sections for group in section]
    maps = [_joined(branches, section, found) for section in sections]
    tables = [scores(each, settings.widths, settings.lam) for each in maps if each]
    moments = _moments(branches.graph, flat)
    table = np.concatenate(tables) if flat else np.zeros((0, len(settings.widths)))
    bits = chosen_widths(table, settings.widths, moments, settings.ram)
    chosen: dict[str, int] = {}
    formats: dict[str, FixedPoint] = {}
    for group, each, width in zip(flat, [m for section in maps for m in section], bits, strict=True):
        chosen[each.name] = width
        for names in group if width < 8 else ():
            formats |= _formats(branches.graph, names, each, width)
    mixed = with_formats(branches.graph, formats)
    if settings.weights < 8:
        inside = {n.name for n in mixed.nodes if n.outputs[0] in branches.origin}
        mixed = with_weights(mixed, settings.weights, {n.name for n in mixed.nodes} if settings.rest else inside)
    mixed = without_idle(without_left_shifts(mixed, branches.graph))
    name = f"{graph.name}_patches"
    mixed = replace(mixed, name=name)
    return Mixed(settings, graph, split.graph, mixed, branches, seen.model, outliers, chosen, choice)


def bitops(graph: Graph, nodes: Sequence[str] | None = None) -> int:
    """Multiply-accumulates times the widths of both operands, of all nodes or of those named."""
    wanted = None if nodes is None else set(nodes)
    total = 0
    for node in graph.nodes:
        if wanted is None or node.name in wanted:
            ins = graph.ins(node)
            total += _macs(graph, node) * ins[0].format.bits * (ins[1].format.bits if len(ins) > 1 else 1)
    return total


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference."""
    return sum(_macs(graph, node) for node in graph.nodes)


def _macs(graph: Graph, node: Node) -> int:
    return operator(node.op, node.name).macs(node, graph.ins(node), graph.outs(node))


#: groups of values that get one width, each group a tuple of values that get one format
Group = tuple[tuple[str, ...], ...]


def _split(graph: Graph, settings: Settings) -> Branches:
    """The network's stage at the value that was asked for, or at that where fewest bytes are alive at once."""
    found = cuts(graph)
    if settings.split is not None:
        named = [(name, nodes) for name, nodes in found if settings.split in (name, graph.values[name].source)]
        if not named:
            known = ", ".join(dict.fromkeys(name for name, _ in found)) or "none"
            raise InputError(f"split {settings.split!r}: no patch stage can end there; it can at {known}")
        return split_patches(graph, named[-1][1], settings.grid)
    best: tuple[int, int, Branches] | None = None
    reason = "no node at its input computes patches"
    for _, nodes in found:
        try:
            branches = split_patches(graph, nodes, settings.grid, checked=False)
        except GraphError as error:
            reason = str(error)
            continue
        rank = (max(m.bytes(()) for m in _moments(branches.graph, [])), macs(branches.graph))
        if best is None or rank < best[:2]:
            best = (*rank, branches)
    if best is None:
        raise GraphError(f"{graph.name}: has no patch stage: {reason}")
    return best[2]


def _sections(branches: Branches, free: Sequence[Sequence[str]], settings: Settings) -> list[list[Group]]:
    """What may get a width: the maps of each branch in `free`, or of all of them jointly, and of the rest."""
    graph, found = branches.graph, groups(branches.graph)
    ends = {i for n in graph.nodes if n.outputs[0] in branches.joins for i in n.inputs} | set(branches.joins)
    inside = [g for g in found if not ends & set(g) and set(g) <= branches.origin.keys()]
    sections: list[list[Group]] = []
    for branch in map(set, free):
        sections.append([(g,) for g in inside if g[0] in branch])
    if settings.joint and sections:
        together: dict[str, list[tuple[str, ...]]] = {}
        for section in sections:
            for (names_of,) in section:
                together.setdefault(branches.origin[names_of[0]], []).append(names_of)
        sections = [[tuple(same) for same in together.values()]]
    if settings.rest:
        behind = [(g,) for g in found if not ends & set(g) and not set(g) & branches.origin.keys()]
        sections.append([*behind])
    return sections


def _joined(branches: Branches, section: Sequence[Group], found: _Counts) -> list[FeatureMap]:
    """The feature maps of a section."""
    graph = branches.graph
    maps = []
    for group in section:
        every = [name for names in group for name in names]
        firsts = [names[0] for names in group]
        histogram = found.of(firsts[0])
        for other in firsts[1:]:
            histogram = histogram + found.of(other)
        work = sum(
            _macs(graph, n) * graph.values[n.inputs[1]].format.bits
            for n in graph.nodes
            if n.inputs[0] in every and len(n.inputs) > 1 and _macs(graph, n)
        )
        name = firsts[0] if len(group) == 1 else branches.origin[firsts[0]]
        maps.append(FeatureMap(name, histogram, not positive(graph, every), work))
    return maps


def _formats(graph: Graph, names: Sequence[str], each: FeatureMap, width: int) -> dict[str, FixedPoint]:
    best = best_quantiser(each.histogram, width, each.signed)
    frac = graph.values[names[0]].format.frac
    assert isinstance(frac, int)
    return {name: FixedPoint(width, frac - best.drop, each.signed) for name in names}


def _moments(graph: Graph, flat: Sequence[Group]) -> list[Moment]:
    """What is alive while each node runs, in the order of the graph, no result in place of an operand."""
    index = {name: i for i, group in enumerate(flat) for names in group for name in names}
    views = {n.outputs[0] for n in graph.nodes if n.op == "reshape"}
    ordered = guarded(graph, conditions := guards(graph))
    free = idle(graph, ordered.nodes, conditions)
    lives = {name: life for name, life in lifetimes(ordered, ordered.nodes).items() if name not in views}
    found = []
    for time in range(1, len(graph.nodes) + 1):
        here = [name for name, life in lives.items() if life.covers(time) and time not in free.get(name, ())]
        alive = [graph.values[name] for name in here]
        codes: dict[int, int] = {}
        for value in alive:
            if value.name in index:
                codes[index[value.name]] = codes.get(index[value.name], 0) + value.size
        found.append(Moment(sum(value_bytes(v) for v in alive if v.name not in index), codes))
    return found


class _Counts:
    """Histograms of calibration data: of each value of a branch or behind the stage.

    Of a twin's values only those samples count for which the twin runs.
    """

    def __init__(
        self,
        branches: Branches,
        graph: Graph,
        calibration: npt.NDArray[Any],
        choice: Choice | None,
        progress: Progress,
    ) -> None:
        self.graph, self.branches = graph, branches
        self.wanted = {name for group in groups(branches.graph) for name in group[:1]}
        runs = choice.runs if choice is not None else {}
        self._found: dict[str, npt.NDArray[np.int64]] = {}
        for begin in range(0, len(calibration), BATCH):
            progress(begin, len(calibration))
            codes = trace(graph, calibration[begin : begin + BATCH])
            for name in self.wanted & (branches.origin.keys() | graph.values.keys()):
                part = self._part(codes, name)
                self._count(name, part[runs[name][begin : begin + BATCH]] if name in runs else part)
        progress(len(calibration), len(calibration))

    def of(self, name: str) -> Histogram:
        """Of a value that was counted."""
        whole = self.branches.origin.get(name, name)
        return Histogram(self.graph.values[whole].format.grid_range[0], self._found[name])

    def _part(self, codes: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[np.int64]:
        """Grid integers of a value of a branch, as the whole run has them."""
        whole = self.branches.origin.get(name, name)
        region: Region | None = self.branches.regions.get(name)
        found = codes[whole]
        if region is not None:
            found = found[:, region[0].begin : region[0].end, region[1].begin : region[1].end]
        return self.graph.values[whole].format.to_grid(found)

    def _count(self, name: str, grid: npt.NDArray[np.int64]) -> None:
        whole = self.branches.origin.get(name, name)
        low, high = self.graph.values[whole].format.grid_range
        counted = np.bincount((grid - low).reshape(-1), minlength=high - low + 1)
        self._found[name] = self._found[name] + counted if name in self._found else counted


__all__ = ["Mixed", "Settings", "bitops", "macs", "search_patches"]
