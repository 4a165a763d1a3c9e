"""Random networks in patches of mixed widths: ordinary networks, split, with a width drawn for each map of a patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph
from edgeq.schedule.branches import Branches, cuts, split_patches
from edgeq.schedule.twins import with_twins, without_idle
from edgeq.search.reformat import groups, with_formats, with_weights, without_left_shifts
from edgeq.verify.data import random_inputs
from tests.differential.cases import SAMPLES, Case
from tests.differential.networks import ordinary_network

Rng = np.random.Generator
WIDTHS = (8, 4, 2)


def branch_case(seed: int, samples: int = SAMPLES) -> Case:
    """The network of a seed; every second one decides places at run time."""
    rng = np.random.default_rng([seed, 31])
    while True:
        try:
            graph = mixed_network(rng, f"b{seed}", at_run_time=seed % 2 == 1)
        except EdgeqError:  # no patches, or sums that these widths take beyond 64 bits
            continue
        if graph is not None:
            return Case(graph, random_inputs(graph, samples, seed))


def mixed_network(rng: Rng, name: str, *, at_run_time: bool) -> Graph | None:
    """A network in patches of mixed widths; None where the draw has no stage of two nodes and two patches."""
    whole = ordinary_network(rng, int(rng.integers(3, 7)), name)
    ends = [nodes for value, nodes in cuts(whole) if len(nodes) > 1 and len(whole.values[value].shape) == 3]
    grid = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    if not ends or grid == (1, 1):
        return None
    branches = split_patches(whole, ends[int(rng.integers(len(ends)))], grid)
    if at_run_time:
        branches = _with_twins(rng, branches)
    graph = with_formats(branches.graph, _widths(rng, branches.graph))
    layers = [node.name for node in graph.nodes if node.op in ("conv", "linear") and rng.random() < 0.7]
    graph = with_weights(graph, int(rng.choice(WIDTHS)), set(layers))
    if rng.random() < 0.5:
        graph = without_left_shifts(graph, branches.graph)
    return replace(without_idle(graph), name=name)


def _with_twins(rng: Rng, branches: Branches) -> Branches:
    """Both branches for some places, decided by bounds around the middle of the input's numbers."""
    places = [place for place in branches.nodes if rng.random() < 0.7] or list(branches.nodes)
    low, high = branches.graph.values[branches.source].format.grid_range
    least, most = sorted(int(n) for n in rng.integers(low, high, 2, endpoint=True))
    return with_twins(branches, places, least, most)[0]


def _widths(rng: Rng, graph: Graph) -> dict[str, FixedPoint]:
    """Formats of half of the values, each group with one of its own."""
    found: dict[str, FixedPoint] = {}
    for names in groups(graph):
        old = graph.values[names[0]].format
        width = int(rng.choice(WIDTHS))
        if rng.random() < 0.3 or width >= old.bits:
            continue
        assert isinstance(old.frac, int)
        drop = old.bits - width + int(rng.integers(-2, 1))
        found |= dict.fromkeys(names, FixedPoint(width, old.frac - drop, bool(rng.random() < 0.5)))
    return found
