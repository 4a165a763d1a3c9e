"""Packing: offsets for blocks in one arena, so that blocks that live at the same time do not overlap.

A block needs `profile[t]` bytes at time t, from one offset that never moves. The height of a packing is the bytes
of the arena; no packing is lower than the most bytes that live at one time. Several greedy orders are tried first;
then a depth-first search, which is exact when it ends before its cap, and a local search over orders for what is
too large for it. Everything is deterministic: effort is counted in steps, not in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.schedule.lifetimes import Profile

#: states that the exact search may visit; blocks beyond which it is not tried; placements of the local search
SEARCH_STATES = 20_000
SEARCH_BLOCKS = 64
LOCAL_STEPS = 200_000


@dataclass(frozen=True)
class Packing:
    """Offsets in the order of the blocks.

    height: bytes of the arena; bound: most bytes live at one time, which no packing undercuts.
    optimal: whether no packing is lower; method: what found it.
    """

    offsets: tuple[int, ...]
    height: int
    bound: int
    optimal: bool
    method: str


def pack(profiles: Sequence[Profile]) -> Packing:
    """Pack blocks of these profiles (bytes at each time, all of one length, already multiples of the alignment)."""
    if not profiles:
        return Packing((), 0, 0, True, "nothing to pack")
    table = np.stack(profiles)
    bound = int(table.sum(axis=0).max())
    reach = _reach(table)
    best = _greedy(table, reach, bound)
    if best.height > bound and len(table) <= SEARCH_BLOCKS:
        best = _Search(table, best).run()
    if best.height > bound and not best.optimal:
        best = _local(reach, best)
    return best


def lower_bound(profiles: Sequence[Profile]) -> int:
    """Most bytes that live at one time."""
    return int(np.stack(profiles).sum(axis=0).max()) if profiles else 0


def _reach(table: npt.NDArray[np.int64]) -> list[list[int]]:
    """reach[a][b]: the most bytes that a needs while b lives; 0 where they never meet."""
    alive = table > 0
    return [[int(row[alive[b]].max(initial=0)) for b in range(len(table))] for row in table]


def _place(order: Sequence[int], reach: list[list[int]], tight: bool) -> list[int]:
    """Offsets when blocks are placed one after another: lowest gap that fits, or (`tight`) the smallest one."""
    offsets = [-1] * len(order)
    placed: list[int] = []
    for b in order:
        # b at offset o collides with c when o lies strictly between these two ends.
        walls = [(offsets[c] - reach[b][c], offsets[c] + reach[c][b]) for c in placed if reach[b][c]]
        spots = sorted({0, *(end for _, end in walls)})
        free = [o for o in spots if not any(low < o < high for low, high in walls)]
        if tight:
            room = {o: min((low - o for low, _ in walls if low >= o), default=1 << 60) for o in free}
            free.sort(key=lambda o: (room[o], o))
        offsets[b] = free[0]
        placed.append(b)
    return offsets


def _height(offsets: Sequence[int], reach: list[list[int]]) -> int:
    return max(o + reach[b][b] for b, o in enumerate(offsets))


def _orders(table: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Orders worth trying, by name."""
    size, alive = table.max(axis=1), table > 0
    life, first = alive.sum(axis=1), alive.argmax(axis=1)
    peak = int(table.sum(axis=0).argmax())
    keys: dict[str, Callable[[int], tuple[int, ...]]] = {
        "largest first": lambda b: (-size[b], -life[b]),
        "longest first": lambda b: (-life[b], -size[b]),
        "largest area first": lambda b: (-size[b] * life[b], -size[b]),
        "peak first": lambda b: (-table[b, peak], -size[b]),
        "in order of birth": lambda b: (first[b], -size[b]),
        "in order of death": lambda b: (-(first[b] + life[b]), -size[b]),
    }
    return {name: sorted(range(len(table)), key=lambda b: (*key(b), b)) for name, key in keys.items()}


def _greedy(table: npt.NDArray[np.int64], reach: list[list[int]], bound: int) -> Packing:
    found = []
    for name, order in _orders(table).items():
        for tight in (False, True):
            offsets = _place(order, reach, tight)
            height = _height(offsets, reach)
            method = f"{name}, {'best' if tight else 'first'} fit"
            found.append(Packing(tuple(offsets), height, bound, height == bound, method))
    return min(found, key=lambda p: p.height)


class _Search:
    """Depth-first over packings in which each block rests on what lies below it.

    Any packing can be pressed down into such a one without growing. Placed by rising offset, each block then
    starts exactly at the top of the placed blocks that it meets, so only the order is searched.
    """

    def __init__(self, table: npt.NDArray[np.int64], start: Packing) -> None:
        self.table = table
        self.best = start
        self.spans = [np.flatnonzero(row) for row in table]
        self.left = SEARCH_STATES

    def run(self) -> Packing:
        """The best packing found; `optimal` when the search was exhaustive."""
        rest = self.table.sum(axis=0)
        self._visit({}, np.zeros_like(rest), rest, 0)
        optimal = self.best.height == self.best.bound or self.left > 0
        best = self.best
        return Packing(best.offsets, best.height, best.bound, optimal, best.method)

    def _visit(self, placed: dict[int, int], tops: Profile, rest: Profile, floor: int) -> None:
        if len(placed) == len(self.table):
            height = int(tops.max())
            offsets = tuple(placed[b] for b in range(len(self.table)))
            self.best = Packing(offsets, height, self.best.bound, False, "depth-first search")
            return
        moves = []
        for b, span in enumerate(self.spans):
            if b not in placed:
                offset = int(tops[span].max())
                if offset >= floor:
                    moves.append((offset, -int(self.table[b].max()), b))
        for offset, _, b in sorted(moves):
            if self.left <= 0 or self.best.height == self.best.bound:
                return
            self.left -= 1
            higher, fewer = tops.copy(), rest - self.table[b]
            higher[self.spans[b]] = offset + self.table[b][self.spans[b]]
            # What is still to be placed at a time goes on top of what lies there, and starts no lower than here.
            base = np.where(fewer > 0, np.maximum(higher, offset), higher)
            if int((base + fewer).max()) < self.best.height:
                self._visit({**placed, b: offset}, higher, fewer, offset)


def _local(reach: list[list[int]], start: Packing) -> Packing:
    """Swap two blocks of the order again and again, keeping what is no worse; the seed is fixed."""
    count = len(reach)
    order = sorted(range(count), key=lambda b: (start.offsets[b], b))
    best, height = start, _height(_place(order, reach, False), reach)
    rng = random.Random(0)
    for _ in range(LOCAL_STEPS // (count * count)):
        a, b = rng.randrange(count), rng.randrange(count)
        order[a], order[b] = order[b], order[a]
        offsets = _place(order, reach, False)
        now = _height(offsets, reach)
        if now <= height:
            height = now
        else:
            order[a], order[b] = order[b], order[a]
        if now < best.height:
            best = Packing(tuple(offsets), now, start.bound, now == start.bound, "local search")
        if best.height == best.bound:
            break
    return best
