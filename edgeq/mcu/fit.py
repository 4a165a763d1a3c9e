"""Fitting a network into RAM: how it runs and what shares bytes, from what costs least work to what takes least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from edgeq.boards import Board
from edgeq.errors import InputError
from edgeq.ir import Graph, check, operator
from edgeq.mcu.packing import PACKINGS, Sharers, narrow_values, sharers
from edgeq.mcu.program import Program, fitting_program, front, make_program
from edgeq.mcu.scheduling import KINDS, Schedule
from edgeq.mcu.storage import Packed
from edgeq.schedule.stream import ALIGNMENT

#: bytes of RAM left for static data and the stack when a schedule is chosen for a budget, before either is known
STATIC_RESERVE = 1536
#: plans that are made at most until one fits, each with less room or more values that share bytes
ROUNDS = 12


def scheduled(
    graph: Graph,
    board: Board,
    schedule: str,
    push_rows: bool,
    budget_ram: int | None,
    packing: str = "auto",
    mac_factor: float | None = None,
) -> Program:
    """The program of a graph by the schedule and packing that were asked for; see `build`.

    The first that fits; where none does, the one with the least arena.
    """
    for what, given, known in (("schedule", schedule, KINDS), ("packing", packing, PACKINGS)):
        if given not in ("auto", *known):
            raise InputError(f"{what} {given!r}: unknown; give one of auto, {', '.join(known)}")
    if mac_factor is not None:
        if schedule != "auto":
            raise InputError(f"mac_factor: it chooses the schedule by itself; leave out schedule {schedule!r}")
        return least_ram(graph, board, push_rows, "fast" if packing == "auto" else packing, mac_factor)
    limits = [r for r in (budget_ram, board.ram.size if board.kind == "mcu" else None) if r is not None]
    search = _Search(graph, board, schedule, push_rows, None if not limits else min(limits) - STATIC_RESERVE)
    tried: list[Program] = []
    for found in search.programs(packing):
        if search.fits(found):
            return found
        tried.append(found)
    return min(tried, key=lambda program: program.plan.arena_bytes)


def least_ram(graph: Graph, board: Board, push_rows: bool, packing: str, mac_factor: float) -> Program:
    """The program with the least arena of those with so many times the network's multiply-accumulates at most.

    Exact over the points of the front of RAM against work.
    """
    if not mac_factor >= 1:
        raise InputError(f"mac_factor {mac_factor}: fewer than the network's own are not possible; give 1 or more")
    macs = sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)
    points = [p for p in front(graph, board, pushed=push_rows, kind=KINDS[-1]) if macs + p.macs <= mac_factor * macs]
    for point in sorted(points, key=lambda point: point.bytes):
        found = fitting_program(graph, board, Schedule(KINDS[-1], point.bytes, push_rows, packing))
        if found is not None and found.macs <= mac_factor * macs:  # fewer slices may fit, too, with more work
            return found
    return make_program(graph, board, Schedule(KINDS[1], None, push_rows, packing))


@dataclass(frozen=True)
class _Search:
    """What programs are made of; room: bytes of arena that one should have at most, None: as many as it takes."""

    graph: Graph
    board: Board
    schedule: str
    push_rows: bool
    room: int | None

    def fits(self, program: Program) -> bool:
        """Whether the arena is small enough."""
        return self.room is None or program.plan.arena_bytes <= self.room

    def programs(self, packing: str) -> Iterator[Program]:
        """Programs to try, those of least work first."""
        first = "fast" if packing == "auto" else packing
        for tight in (False, True):
            yield from self._by_kind(first, tight)
        if packing != "auto" or self.room is None or not narrow_values(self.graph):
            return
        for tight in (False, True):
            for kind in self._kinds():
                schedule = Schedule(kind, None, self.push_rows, tight=tight)
                found = packed_to_fit(self.graph, self.board, schedule, self.room)
                if found is not None:
                    yield found
        yield from self._by_kind("all", True)

    def _kinds(self) -> Sequence[str]:
        if self.schedule != "auto":
            return (self.schedule,)
        return KINDS[1:] if self.push_rows else KINDS

    def _by_kind(self, packing: str, tight: bool) -> Iterator[Program]:
        """Layer by layer, then by rows and in tiles with the least work that fits, then with the least arena."""
        schedules = [Schedule(kind, None, self.push_rows, packing, tight) for kind in self._kinds()]
        if self.room is None:
            yield make_program(self.graph, self.board, schedules[0])
            return
        for schedule in schedules:
            if schedule.kind == KINDS[0]:
                yield make_program(self.graph, self.board, schedule)
            elif self.schedule == "auto":
                yield from self._within(schedule, self.room)
        # Where the least work did not fit, neither will the least arena; but it says how much is missing.
        if schedules[-1].kind != KINDS[0] and (tight or self.schedule != "auto"):
            yield make_program(self.graph, self.board, schedules[-1])

    def _within(self, schedule: Schedule, room: int) -> Iterator[Program]:
        """Programs of least work that the planner takes to fit, with less room where placing their values took more."""
        limit = room
        for _ in range(ROUNDS):
            found = fitting_program(self.graph, self.board, replace(schedule, limit=limit))
            if found is None:
                return
            yield found
            limit -= max(found.plan.arena_bytes - room, ALIGNMENT)


def packed_to_fit(graph: Graph, board: Board, schedule: Schedule, room: int) -> Program | None:
    """The program in which only so many values share bytes that `room` bytes of arena are enough; None: too few can.

    Greedy: at each step at which more bytes are alive, the fullest first, those follow that save most bytes there for
    each code that kernels then have to bring out or put back.
    """
    program = make_program(graph, board, schedule)
    shared = frozenset(n for n, v in program.network.values.items() if isinstance(v.format, Packed))
    known = [one for one in sharers(graph, check(graph), board.isa) if not one.names <= shared]
    for _ in range(ROUNDS):
        if program.plan.arena_bytes <= room:
            return _less_work(graph, board, schedule, program, room)
        more = _crowded(program, [one for one in known if not one.names & shared], room)
        if not more:
            return None
        shared |= more
        program = make_program(graph, board, replace(schedule, packing=shared))
    return None


def _less_work(graph: Graph, board: Board, schedule: Schedule, program: Program, room: int) -> Program:
    """The same values sharing bytes, with the least work that fits in place of the least arena."""
    if schedule.kind == KINDS[0]:
        return program
    shared = frozenset(n for n, v in program.network.values.items() if isinstance(v.format, Packed))
    found = fitting_program(graph, board, replace(schedule, packing=shared, limit=room))
    return found if found is not None and found.plan.arena_bytes <= room else program


def _crowded(program: Program, known: Sequence[Sharers], room: int) -> frozenset[str]:
    """Names to pack so that no step needs more than `room` bytes; empty where that does not suffice."""
    plan, taken = program.plan, list[Sharers]()
    alive = {time: plan.live_bytes(time) for time in range(plan.times)}
    goal = room - (plan.arena_bytes - max(alive.values()))  # what the placement loses it may lose again
    for time in sorted(alive, key=lambda time: (-alive[time], time)):
        sizes = _alive(program, time)
        over = alive[time] - goal - sum(one.saved(sizes, program.network) for one in taken)
        while over > 0:
            left = [(one.saved(sizes, program.network), one) for one in known if one not in taken]
            saved, best = max(left, key=lambda each: (each[0] / (1 + each[1].touched), each[0]), default=(0, None))
            if best is None or saved <= 0:
                return frozenset()
            taken.append(best)
            over -= saved
    return frozenset[str]().union(*(one.names for one in taken))


def _alive(program: Program, time: int) -> Mapping[str, int]:
    """Bytes of each value that has some at a time, those within a stretch included; none of what shares bytes."""
    plan = program.plan
    found = {name: plan.buffers[name].bytes for name in plan.live(time)}
    stretch = plan.stretch(plan.label(time))
    if stretch is not None:
        found |= {name: rows.bytes for name, rows in stretch.rows.items() if rows.offset is not None}
    values = program.network.values
    return {n: size for n, size in found.items() if n in values and not isinstance(values[n].format, Packed)}
