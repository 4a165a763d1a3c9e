"""Packing: offsets for blocks in one arena, so that blocks that live at the same time do not overlap.

A block needs `profile[t]` bytes at time t, from one offset that never moves. The height of a packing is the bytes
of the arena; no packing is lower than the most bytes that live at one time. Several greedy orders are tried first; then
a depth-first search, which is exact when it ends before its cap; for what is too large for it an order that is repaired
until all blocks fit under that bound; and last a local search over orders. Everything is deterministic: effort is
counted in steps, not in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.schedule.lifetimes import Profile

#: states that the exact search may visit; blocks beyond which it is not tried; repairs of an order; collision checks of
#: the local search
SEARCH_STATES = 20_000
SEARCH_BLOCKS = 64
REPAIRS = 500
LOCAL_CHECKS = 6_000_000


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
    meetings = _Meetings(table)
    best = _greedy(table, meetings, bound)
    if best.height > bound and len(table) <= SEARCH_BLOCKS:
        best = _Search(table, best).run()
    if best.height > bound and not best.optimal:
        offsets = _repaired(table, meetings, bound)
        best = _local(meetings, best) if offsets is None else Packing(tuple(offsets), bound, bound, True, "repair")
    return best


def lower_bound(profiles: Sequence[Profile]) -> int:
    """Most bytes that live at one time."""
    return int(np.stack(profiles).sum(axis=0).max()) if profiles else 0


class _Meetings:
    """Who meets whom: `of[a]` holds, for each block b that lives at a time of a, the most bytes that a needs while b
    lives and the most that b needs while a lives. `sizes` are the most bytes that each ever needs.
    """

    def __init__(self, table: npt.NDArray[np.int64]) -> None:
        alive = table > 0
        self.sizes = [int(row.max()) for row in table]
        self.of: list[dict[int, tuple[int, int]]] = [{} for _ in table]
        for a, row in enumerate(table):
            for b in np.flatnonzero(alive[:, alive[a]].any(axis=1)).tolist():
                if b != a:
                    self.of[a][b] = int(row[alive[b]].max()), int(table[b][alive[a]].max())


def _place(order: Sequence[int], meetings: _Meetings, tight: bool) -> list[int]:
    """Offsets when blocks are placed one after another: lowest gap that fits, or (`tight`) the smallest one."""
    offsets = [-1] * len(order)
    for b in order:
        # b at offset o collides with c when o lies strictly between these two ends.
        walls = [(offsets[c] - mine, offsets[c] + its) for c, (mine, its) in meetings.of[b].items() if offsets[c] >= 0]
        spots = sorted({0, *(end for _, end in walls)})
        free = [o for o in spots if not any(low < o < high for low, high in walls)]
        if tight:
            room = {o: min((low - o for low, _ in walls if low >= o), default=1 << 60) for o in free}
            free.sort(key=lambda o: (room[o], o))
        offsets[b] = free[0]
    return offsets


def _height(offsets: Sequence[int], meetings: _Meetings) -> int:
    return max(o + size for o, size in zip(offsets, meetings.sizes, strict=True))


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


def _greedy(table: npt.NDArray[np.int64], meetings: _Meetings, bound: int) -> Packing:
    found = []
    for name, order in _orders(table).items():
        for tight in (False, True):
            offsets = _place(order, meetings, tight)
            height = _height(offsets, meetings)
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


def _repaired(table: npt.NDArray[np.int64], meetings: _Meetings, height: int) -> list[int] | None:
    """Offsets under a height, or None where none are found.

    Each block goes to the lowest or the highest place, in an order. One that finds none comes before one that it meets,
    and it or a neighbour may change sides. To start with, values change sides as they come, which fits any chain of
    them with scratch between. The seed is fixed.
    """
    rng = random.Random(0)
    born, life = (table > 0).argmax(axis=1), (table > 0).sum(axis=1)
    order = sorted(range(len(table)), key=lambda b: (-life[b], born[b]))
    top = [False] * len(table)
    for place, b in enumerate(b for b in np.argsort(born, kind="stable").tolist() if life[b] > 1):
        top[b] = place % 2 == 1
    for _ in range(REPAIRS):
        offsets, stuck = _place_under(order, top, meetings, height)
        if stuck is None:
            return offsets
        near = list(meetings.of[stuck])
        change = rng.choice((stuck, rng.choice(near), None))
        if change is not None:
            top[change] = not top[change]
        before = min(near, key=order.index) if rng.random() < 0.3 else rng.choice(near)
        at, to = order.index(stuck), order.index(before)
        if to < at:
            order.insert(to, order.pop(at))
    return None


def _place_under(
    order: Sequence[int], top: Sequence[bool], meetings: _Meetings, height: int
) -> tuple[list[int], int | None]:
    """Offsets when blocks are placed one after another, as low or as high as they can be, and the first that cannot."""
    offsets = [-1] * len(order)
    for b in order:
        last = height - meetings.sizes[b]
        walls = [(offsets[c] - mine, offsets[c] + its) for c, (mine, its) in meetings.of[b].items() if offsets[c] >= 0]
        spots = {last, *(low for low, _ in walls)} if top[b] else {0, *(end for _, end in walls)}
        inside = sorted((o for o in spots if 0 <= o <= last), reverse=top[b])
        free = next((o for o in inside if not any(low < o < end for low, end in walls)), None)
        if free is None:
            return offsets, b
        offsets[b] = free
    return offsets, None


def _local(meetings: _Meetings, start: Packing) -> Packing:
    """Let a block that sticks out change places in the order with one that it meets; keep what is no worse.

    The seed is fixed. After Vela's hill climbing, which likewise works on the blocks at the top.
    """
    count = len(meetings.sizes)
    order = sorted(range(count), key=lambda b: (start.offsets[b], b))
    offsets = _place(order, meetings, False)
    height, best = _height(offsets, meetings), start
    rng = random.Random(0)
    checks = sum((len(others) + 1) ** 2 for others in meetings.of)
    for _ in range(LOCAL_CHECKS // checks):
        high = [b for b in range(count) if offsets[b] + meetings.sizes[b] == height]
        moved = _swapped(order, rng.choice(high), meetings, rng)
        trial = _place(moved, meetings, False)
        now = _height(trial, meetings)
        if now <= height:
            order, offsets, height = moved, trial, now
        if now < best.height:
            best = Packing(tuple(trial), now, start.bound, now == start.bound, "local search")
        if best.height == best.bound:
            break
    return best


def _swapped(order: list[int], block: int, meetings: _Meetings, rng: random.Random) -> list[int]:
    """The order with the block, or one that it meets, before another block that this one meets."""
    near = list(meetings.of[block]) or [block]
    other = rng.choice(near)
    if rng.random() < 0.5:
        block, other = other, rng.choice(list(meetings.of[other]) or [other])
    found = list(order)
    i, j = found.index(block), found.index(other)
    found[i], found[j] = found[j], found[i]
    return found
