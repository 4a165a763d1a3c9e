"""Tensors on their way from torch's layout to channels-last: permutations are carried along, not computed.

A tensor of the source network is a value of the graph and a permutation: axis i of the value is axis
`permutation[i]` of the source tensor, batch not counted. An operator that cares asks for the layout it wants, and
only then, and once, a transpose (or, where only axes of size one move, a reshape) goes into the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgeq.formats import Format
from edgeq.ir import GraphBuilder

Shape = tuple[int, ...]
Permutation = tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """A computed tensor: value `name` of the graph, with its permutation; `shape` is the source's, without batch."""

    name: str
    shape: Shape
    permutation: Permutation

    @property
    def laid_out(self) -> Shape:
        """Shape of the value."""
        return tuple(self.shape[p] for p in self.permutation)


@dataclass(frozen=True)
class Fixed:
    """A constant tensor with the shape that the source gives it (no batch); laid out where it is used."""

    name: str
    codes: npt.NDArray[np.int64]
    format: Format


def identity(rank: int) -> Permutation:
    """The source's own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Permutation:
    """(C, *spatial) -> (*spatial, C)."""
    return (*range(1, rank), 0)


@dataclass
class Origin:
    """Where the numbers of a graph value stand in the source: output of `node`, permuted, then reshaped."""

    node: str
    permutation: Permutation


@dataclass
class Layouts:
    """Makes layouts on demand in a graph under construction, each at most once, and remembers origins."""

    builder: GraphBuilder
    origins: dict[str, Origin] = field(default_factory=dict)
    _made: dict[tuple[str, Permutation], str] = field(default_factory=dict)

    def to(self, x: Placed, permutation: Permutation) -> Placed:
        """`x` with another permutation."""
        if x.permutation == permutation:
            return x
        axes = tuple(x.permutation.index(p) for p in permutation)
        if (x.name, axes) not in self._made:
            self._made[x.name, axes] = self._transpose(x, axes)
        return Placed(self._made[x.name, axes], x.shape, permutation)

    def _transpose(self, x: Placed, axes: Permutation) -> str:
        fmt, source = self.builder.values[x.name].format, self.builder.values[x.name].source
        shape = tuple(x.laid_out[a] for a in axes)
        if moves_only_ones(x.laid_out, axes):
            name = self.builder.node("reshape", f"{x.name}.reshape", [x.name], fmt, source, shape=shape)
        else:
            name = self.builder.node("transpose", f"{x.name}.transpose", [x.name], fmt, source, permutation=axes)
        origin = self.origins.get(x.name)
        if origin is not None and len(origin.permutation) == len(axes):
            self.origins[name] = Origin(origin.node, tuple(origin.permutation[a] for a in axes))
        return name

    def flat(self, x: Placed) -> Placed:
        """`x` with its elements in the source's order (axes of size one may stand anywhere)."""
        ordered = [p for p in x.permutation if x.shape[p] != 1]
        return x if ordered == sorted(ordered) else self.to(x, identity(len(x.shape)))


def moves_only_ones(shape: Sequence[int], axes: Sequence[int]) -> bool:
    """Whether a transpose leaves all axes longer than one in their order."""
    kept = [a for a in axes if shape[a] != 1]
    return kept == sorted(kept)
