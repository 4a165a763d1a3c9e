"""Patches decided for each input: the rule of VDPC as bounds of codes, and how often data take the narrow branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator import encode_inputs
from edgeq.errors import GraphError, InputError
from edgeq.schedule.branches import Branches
from edgeq.schedule.twins import Twin, with_twins
from edgeq.search.quantmcu import Gaussian, Histogram, gaussian

Place = tuple[int, int]


@dataclass(frozen=True)
class Source:
    """The stage's input in calibration samples.

    codes: as they are, batch first; model: their distribution; least, most: numbers of patches, (samples, patches).
    """

    codes: npt.NDArray[Any]
    model: Gaussian
    least: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]


def look(branches: Branches, samples: Any) -> Source:
    """The stage's input in samples, (samples, …) in the layout of the network, floats or codes."""
    if not len(samples):
        raise InputError("search: no calibration samples")
    fmt = branches.graph.values[branches.source].format
    low, high = fmt.grid_range
    if high - low >= 1 << 16:
        raise InputError(f"search: {branches.source} has codes of more than 16 bits; patches need 8 bits")
    codes = encode_inputs(branches.graph, samples)[0][branches.source]
    grid = fmt.to_grid(codes)
    counts = np.bincount((grid - low).reshape(-1), minlength=high - low + 1)
    parts = [_patch(branches, grid, patch).reshape(len(grid), -1) for patch in branches.nodes]
    least, most = (np.stack([end(part) for part in parts], axis=1) for end in (_least, _most))
    return Source(codes, gaussian(Histogram(low, counts)), least, most)


def _least(part: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(part.min(axis=1))


def _most(part: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(part.max(axis=1))


def _patch(branches: Branches, grid: npt.NDArray[np.int64], patch: Place) -> npt.NDArray[np.int64]:
    """What a patch reads of the stage's input, halo included."""
    rows, columns = branches.regions[branches.nodes[patch][0]]
    return grid[:, rows.begin : rows.end, columns.begin : columns.end]


@dataclass(frozen=True)
class Choice:
    """How the class of a place is decided for each input.

    least, most: grid integers of the stage's input; a patch with a number beyond them runs with 8 bits. twins: of each
    place that is decided so, its narrow branch. narrow: whether it runs in each calibration sample, by place. typical:
    codes of the calibration sample with as many narrow patches as half of the others, batch first.
    """

    least: int
    most: int
    twins: Mapping[Place, Twin]
    narrow: Mapping[Place, npt.NDArray[np.bool_]]
    typical: npt.NDArray[Any]

    @property
    def runs(self) -> dict[str, npt.NDArray[np.bool_]]:
        """The same by node and value of the narrow branches."""
        return {name: self.narrow[place] for place, twin in self.twins.items() for name in twin.nodes}

    @property
    def shares(self) -> dict[Place, float]:
        """Share of the calibration samples in which each place is narrow."""
        return {place: float(narrow.mean()) for place, narrow in self.narrow.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        shares = [{"patch": list(place), "narrow": share} for place, share in self.shares.items()]
        return {"least": self.least, "most": self.most, "share_of_calibration": shares}


def with_choice(branches: Branches, seen: Source, places: Sequence[Place], phi: float) -> tuple[Branches, Choice]:
    """Branches with a second, narrow one at those of the places that are narrow in some calibration sample."""
    reach, fmt = phi * seen.model.deviation, branches.graph.values[branches.source].format
    low, high = fmt.grid_range
    least, most = max(ceil(seen.model.mean - reach), low), min(floor(seen.model.mean + reach), high)
    inside = (seen.least >= least) & (seen.most <= most)
    order = list(branches.nodes)
    narrow = {p: inside[:, order.index(p)] for p in places if inside[:, order.index(p)].any()}
    if not narrow:
        raise GraphError(
            f"{branches.graph.name}: no patch is ever narrow: all hold values beyond {least}..{most}, which is "
            f"{phi:g} standard deviations, in more than the share of samples allowed; raise --phi or --share"
        )
    made, twins = with_twins(branches, list(narrow), least, most)
    counts = np.sum(list(narrow.values()), axis=0)
    middle = int(np.argsort(counts, kind="stable")[len(counts) // 2])
    return made, Choice(least, most, twins, narrow, seen.codes[middle : middle + 1])


def decided(branches: Branches, choice: Choice, samples: Any) -> dict[Place, npt.NDArray[np.bool_]]:
    """Which samples run the narrow branch of each place, as `Choice.narrow`."""
    fmt = branches.graph.values[branches.source].format
    grid = fmt.to_grid(encode_inputs(branches.graph, samples)[0][branches.source])
    parts = {place: _patch(branches, grid, place).reshape(len(grid), -1) for place in choice.twins}
    return {p: (_least(part) >= choice.least) & (_most(part) <= choice.most) for p, part in parts.items()}


def narrow_sample(branches: Branches, choice: Choice) -> npt.NDArray[np.int64]:
    """Codes of a sample, batch first, in which every place is narrow."""
    value = branches.graph.values[branches.source]
    return value.format.from_grid(np.full((1, *value.shape), (choice.least + choice.most) // 2))


def wide_sample(branches: Branches, choice: Choice) -> npt.NDArray[np.int64] | None:
    """Codes of a sample in which no place is: the last number of each patch lies outside. None where none can."""
    value = branches.graph.values[branches.source]
    low, high = value.format.grid_range
    if (choice.least, choice.most) == (low, high):
        return None
    grid = np.full((1, *value.shape), (choice.least + choice.most) // 2)
    for place in choice.twins:
        _patch(branches, grid, place)[0, -1, -1, -1] = high if choice.most < high else low
    return value.format.from_grid(grid)
