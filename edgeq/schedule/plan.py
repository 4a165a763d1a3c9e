"""Plan: the order in which nodes run and the offset of every value in one arena."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node
from edgeq.schedule.guards import Guard, guarded, guards, idle
from edgeq.schedule.lifetimes import Block, Profile, lifetimes, make_blocks
from edgeq.schedule.order import beam_order, given_order
from edgeq.schedule.packing import Packing, lower_bound, pack
from edgeq.schedule.stream import ALIGNMENT, Stretch, contracted


@dataclass(frozen=True)
class Placement:
    """Where and when a value lives: `bytes` from `offset`, from time `first` to time `last`, both included."""

    offset: int
    bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """First byte after the value."""
        return self.offset + self.bytes


@dataclass(frozen=True)
class Plan:
    """A memory plan.

    order:       node names in execution order.
    buffers:     value name -> Placement, for every value that is not constant.
    arena_bytes: size of the arena, a multiple of `alignment`; every offset is one too.
    lower_bound: most bytes (rounded up to the alignment) that live at one time in this order.
    optimal:     whether no placement of this order is smaller; method: what found it.
    aliases:     value -> the value whose bytes it is (reshape).
    in_place:    value -> the input of its node that it overwrites.
    scratch:     node name -> bytes that its kernel needs while it runs, and only then.
    stretches:   nodes that run by rows or by patches; `order` and `scratch` name the stretch in their place, and
                 values that only live inside it have no buffer of their own.
    guards:      node name -> conditions under which it has to run, for nodes that need not run for every input; run
                 where they do not hold, it spoils bytes of others (see edgeq/schedule/guards.py).
    idle:        value -> times within its life at which its bytes are free, because what runs then only runs for inputs
                 for which nobody needs the value.
    """

    order: tuple[str, ...]
    buffers: Mapping[str, Placement]
    arena_bytes: int
    alignment: int
    lower_bound: int
    optimal: bool
    method: str
    aliases: Mapping[str, str]
    in_place: Mapping[str, str]
    scratch: Mapping[str, Placement] = field(default_factory=dict)
    stretches: tuple[Stretch, ...] = ()
    guards: Mapping[str, Guard] = field(default_factory=dict)
    idle: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def stretch(self, name: str) -> Stretch | None:
        """The stretch of that name in `order`, or None where it is something else."""
        return next((s for s in self.stretches if s.name == name), None)

    @property
    def times(self) -> int:
        """Number of points in time: before the first node, each node, after the last."""
        return len(self.order) + 2

    def root(self, name: str) -> str:
        """The value whose bytes `name` is, through any number of aliases."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def label(self, time: int) -> str:
        """What happens at a time: "inputs", a node's name, or "outputs"."""
        return ("inputs", *self.order, "outputs")[time]

    def live(self, time: int) -> list[str]:
        """Values whose bytes are needed at a time, by offset."""
        names = [n for n, b in self.buffers.items() if b.first <= time <= b.last and time not in self.idle.get(n, ())]
        return sorted(names, key=lambda n: (self.buffers[n].offset, n))

    def live_bytes(self, time: int) -> int:
        """Bytes occupied at a time; bytes that values share count once."""
        total = end = 0
        scratch = [place for place in self.scratch.values() if place.first == time]
        for place in sorted([*(self.buffers[name] for name in self.live(time)), *scratch], key=lambda p: p.offset):
            total += max(place.end - max(place.offset, end), 0)
            end = max(end, place.end)
        return total

    @property
    def peak(self) -> int:
        """The time at which most bytes are live (the first of them)."""
        return max(range(self.times), key=lambda t: (self.live_bytes(t), -t))

    def peak_values(self) -> list[tuple[str, int]]:
        """The values that hold the peak and their bytes, largest first; bytes that values share count once."""
        time = self.peak
        kept: dict[str, int] = {}
        for name in self.live(time):
            overwrites_now = name in self.in_place and self.buffers[name].first == time
            if not overwrites_now:
                kept.setdefault(self.root(name), self.buffers[name].bytes)
        kept |= {f"scratch of {node}": place.bytes for node, place in self.scratch.items() if place.first == time}
        return sorted(kept.items(), key=lambda pair: (-pair[1], pair[0]))

    def timeline(self) -> list[dict[str, Any]]:
        """One row for each value and scratch, for a plot: place, first and last time, what it shares bytes with."""
        places = [*self.buffers.items(), *((f"scratch of {node}", place) for node, place in self.scratch.items())]
        return [
            {
                "value": name,
                "offset": place.offset,
                "bytes": place.bytes,
                "first": place.first,
                "last": place.last,
                "alias_of": self.aliases.get(name),
                "overwrites": self.in_place.get(name),
            }
            for name, place in places
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object, with the live bytes of each time and the values at the peak."""
        return {
            "arena_bytes": self.arena_bytes,
            "alignment": self.alignment,
            "lower_bound": self.lower_bound,
            "optimal": self.optimal,
            "method": self.method,
            "order": list(self.order),
            "times": [self.label(t) for t in range(self.times)],
            "live_bytes": [self.live_bytes(t) for t in range(self.times)],
            "peak": {
                "time": self.peak,
                "at": self.label(self.peak),
                "values": [{"value": n, "bytes": b} for n, b in self.peak_values()],
            },
            "buffers": self.timeline(),
            "stretches": [stretch.to_json() for stretch in self.stretches],
            "guards": {name: dict(guard) for name, guard in self.guards.items()},
        }


def reshape_aliases(graph: Graph) -> dict[str, str]:
    """Values that are another value's bytes under another shape."""
    return {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op == "reshape"}


def make_plan(
    graph: Graph,
    sizes: Mapping[str, int],
    in_place: Mapping[str, Sequence[str]] | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    alignment: int = ALIGNMENT,
    reorder: bool = True,
    scratch: Mapping[str, int] | None = None,
    stretches: Sequence[Stretch] = (),
) -> Plan:
    """Order the nodes and place every value in one arena.

    sizes:     bytes of every value that is not constant.
    in_place:  node name -> inputs that its kernel may overwrite while it reads them (default: none).
    aliases:   value -> the value whose bytes it is (default: the reshapes).
    alignment: of every offset and of the arena's size, in bytes.
    reorder:   whether another topological order may be taken when its arena is smaller.
    scratch:   node name -> bytes that its kernel needs while it runs (default: none).
    stretches: nodes that run by rows or by patches; their kernels' scratch is in their own `bytes`.
    """
    if stretches:
        made = _contracted(graph, sizes, in_place, aliases, alignment, reorder, scratch, stretches)
        return replace(made, stretches=tuple(stretches))
    sharing = reshape_aliases(graph) if aliases is None else aliases
    missing = [v.name for v in graph.values.values() if not v.constant and sizes.get(v.name, 0) <= 0]
    if missing:
        raise GraphError(f"value {missing[0]!r} has no size to plan with")
    kernels, extra, found = in_place or {}, scratch or {}, guards(graph)
    graph = guarded(graph, found)
    best = _planned(graph, given_order(graph), sizes, sharing, kernels, extra, alignment, found)
    other = beam_order(graph, sizes, sharing) if reorder else None
    if other is not None:
        rival = _planned(graph, other, sizes, sharing, kernels, extra, alignment, found)
        best = min(best, rival, key=lambda plan: plan.arena_bytes)
    return best


def _contracted(
    graph: Graph,
    sizes: Mapping[str, int],
    in_place: Mapping[str, Sequence[str]] | None,
    aliases: Mapping[str, str] | None,
    alignment: int,
    reorder: bool,
    scratch: Mapping[str, int] | None,
    stretches: Sequence[Stretch],
) -> Plan:
    """The plan of the graph in which each stretch is one node that needs its area as scratch."""
    inside = {name for stretch in stretches for name in stretch.nodes}
    sharing = reshape_aliases(graph) if aliases is None else aliases
    coarse = contracted(graph, stretches)
    return make_plan(
        coarse,
        {name: size for name, size in sizes.items() if name in coarse.values},
        {name: hosts for name, hosts in (in_place or {}).items() if name not in inside},
        aliases={name: host for name, host in sharing.items() if name not in inside},
        alignment=alignment,
        reorder=reorder,
        scratch={
            **{name: need for name, need in (scratch or {}).items() if name not in inside},
            **{stretch.name: stretch.bytes for stretch in stretches},
        },
    )


def _planned(
    graph: Graph,
    order: Sequence[Node],
    sizes: Mapping[str, int],
    aliases: Mapping[str, str],
    in_place: Mapping[str, Sequence[str]],
    scratch: Mapping[str, int],
    alignment: int,
    conditions: Mapping[str, Guard],
) -> Plan:
    """Place the values of one order, with in-place results and, if that is not yet the bound, without."""
    found, free = [], idle(graph, order, conditions)
    for kernels in (in_place, {}) if in_place else ({},):
        blocks, taken = make_blocks(graph, order, sizes, aliases, kernels)
        lives = lifetimes(graph, order)
        profiles = _aligned(
            [*(b.profile(sizes, lives, len(order) + 2, free) for b in blocks), *_moments(order, scratch)], alignment
        )
        packing = pack(profiles)
        places = _placements(blocks, packing, sizes, graph, order)
        names = tuple(n.name for n in order)
        used = [(name, time) for time, name in enumerate(names, start=1) if scratch.get(name)]
        offsets = packing.offsets[len(blocks) :]
        found.append(
            Plan(
                names,
                places,
                packing.height,
                alignment,
                lower_bound(profiles),
                packing.optimal,
                packing.method,
                dict(aliases),
                taken,
                {n: Placement(o, scratch[n], t, t) for (n, t), o in zip(used, offsets, strict=True)},
                guards=conditions,
                idle=free,
            )
        )
        if packing.height == packing.bound:
            # Overwriting an input only removes bytes that live at the same time, so the other bound is no lower.
            break
    return min(found, key=lambda plan: plan.arena_bytes)


def _moments(order: Sequence[Node], scratch: Mapping[str, int]) -> list[Profile]:
    """The profile of every scratch, in the order in which they are used: bytes at one time only."""
    found = []
    for time, node in enumerate(order, start=1):
        if scratch.get(node.name):
            found.append(np.zeros(len(order) + 2, dtype=np.int64))
            found[-1][time] = scratch[node.name]
    return found


def _aligned(profiles: Sequence[Profile], alignment: int) -> list[Profile]:
    return [np.asarray(-(-p // alignment) * alignment, dtype=np.int64) for p in profiles]


def _placements(
    blocks: Sequence[Block], packing: Packing, sizes: Mapping[str, int], graph: Graph, order: Sequence[Node]
) -> dict[str, Placement]:
    offsets = {
        name: offset
        for block, offset in zip(blocks, packing.offsets[: len(blocks)], strict=True)
        for name in block.values
    }
    lives = lifetimes(graph, order)
    return {name: Placement(offsets[name], sizes[name], lives[name].first, lives[name].last) for name in lives}
