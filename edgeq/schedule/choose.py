"""Choosing how each part of a network runs, for least RAM, or for least work within a RAM limit.

Every way to run a network is a path over its cuts (edgeq/schedule/parts.py), whose edges are one part run layer by
layer, or several run as one stretch by rows, and where the backend can fuse steps one such stretch for each height of
tiles, with all its blocks fused, and one for each grid of patches, with all of its nodes fused. The arena of a path is
that of its worst edge, its work the sum of their extra work, so both searches are exact over these edges: shortest
paths by Dijkstra's algorithm, with edges evaluated only when a lower bound makes them the next.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgeq.errors import BudgetError, GraphError
from edgeq.ir import Graph
from edgeq.schedule.parts import LAYERS, NOWHERE, Needs, Part, Parts, Way
from edgeq.schedule.stream import ALIGNMENT, Stretch


@dataclass(frozen=True)
class Choice:
    """A whole network in parts; bytes: of its worst part, before placement; work: extra instructions, about."""

    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        return max((part.bytes for part in self.parts), default=0)

    @property
    def work(self) -> float:
        return sum(part.work for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that are done again."""
        return sum(part.macs for part in self.parts)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The parts that run by rows or patches."""
        return tuple(part.stretch for part in self.parts if part.stretch is not None)


class Chooser:
    """The searches over the parts of one network; fed: whether the caller pushes the rows of its input."""

    def __init__(self, graph: Graph, needs: Needs, *, fed: bool = False) -> None:
        self.graph, self.fed = graph, fed
        self.parts = Parts(graph, needs, fed)
        self.last = len(self.parts.cuts) - 1
        if fed and (len(graph.inputs) != 1 or self.parts.cuts[0][1] == NOWHERE):
            raise GraphError(f"{graph.name}: only the one input of a network can be pushed by rows")

    def least_ram(self) -> Choice:
        """The parts whose worst needs the fewest bytes, and of those with as few the one of least work."""
        return self.within(self._least_bytes())

    def within(self, limit: int) -> Choice:
        """The parts of least work of which each fits in `limit` bytes; BudgetError where there are none."""
        found = self.fitting(limit)
        if found is None:
            raise BudgetError(
                f"{self.graph.name}: no schedule fits {limit} bytes of arena; the least is {self._least_bytes()} bytes"
            )
        return found

    def fitting(self, limit: int) -> Choice | None:
        """The same, None where there are none."""
        return self._search(limit)

    def front(self) -> Iterator[Choice]:
        """Every point of the front of RAM against work, from least work to least RAM."""
        limit = 1 << 62
        while (found := self.fitting(limit)) is not None:
            yield found
            limit = found.bytes - ALIGNMENT

    def _least_bytes(self) -> int:
        found = self._search(None)
        if found is None:
            raise GraphError(f"{self.graph.name}: its input cannot be pushed by rows: {self._why_not_fed()}")
        return found.bytes

    def _why_not_fed(self) -> str:
        first = [n for n in self.graph.nodes if self.graph.inputs[0] in n.inputs]
        reasons = [reason for n in first if isinstance(reason := self.parts.reads[n.name], str)]
        return reasons[0] if reasons else "its first layers do not lead from one value to one value"

    def _search(self, limit: int | None) -> Choice | None:
        """The path of least weight: the sum of the parts' work under a limit, without one the most bytes of one."""

        def join(a: float, b: float) -> float:
            return max(a, b) if limit is None else a + b

        queue: list[tuple[float, int, int, Way, bool]] = [(0.0, 0, -1, LAYERS, True)]
        came: dict[int, tuple[int, Way]] = {}
        reached: dict[int, float] = {}
        while queue:
            cost, to, start, way, known = heapq.heappop(queue)
            if to in reached:
                continue
            if not known:
                part = self.parts.part(start, to, way, limit)
                if part is not None and (limit is None or part.bytes <= limit):
                    weight = float(part.bytes) if limit is None else part.work
                    heapq.heappush(queue, (join(reached[start], weight), to, start, way, True))
                continue
            reached[to], came[to] = cost, (start, way)
            if to == self.last:
                return self._path(came, limit)
            for then, then_way, least in self._edges(to, limit):
                heapq.heappush(queue, (join(cost, least), then, to, then_way, False))
        return None

    def _edges(self, start: int, limit: int | None) -> Iterator[tuple[int, Way, float]]:
        """The edges from a cut that may fit the limit, and what they weigh at least."""
        for end in range(start + 1, self.last + 1):
            fits = limit is None or self.parts.ends(start, end) <= limit
            for way in self.parts.ways if fits else (LAYERS,):
                least = self.parts.bound(start, end, way)
                if least is not None and (limit is None or least.bytes <= limit):
                    yield end, way, least.bytes if limit is None else least.work

    def _path(self, came: Mapping[int, tuple[int, Way]], limit: int | None) -> Choice:
        at, parts = self.last, []
        while at != 0:
            start, way = came[at]
            part = self.parts.part(start, at, way, limit)
            assert part is not None
            parts.append(self.parts.with_stretch(start, at, part))
            at = start
        return Choice(tuple(reversed(parts)))
