"""Lifetimes: at which times a value must keep its bytes, and which values share one place.

Time 0 is before the first node, when the caller writes the inputs; time i + 1 is node i of the order; the last
time is after the run, when the caller reads the outputs. A value lives from the time it is written to the time it
is last read, both included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node

Profile = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lifetime:
    """First and last time at which a value is needed, both included."""

    first: int
    last: int

    def covers(self, time: int) -> bool:
        """Whether the value is needed at `time`."""
        return self.first <= time <= self.last

    def meets(self, other: Lifetime) -> bool:
        """Whether both are needed at some time."""
        return self.first <= other.last and other.first <= self.last


def lifetimes(graph: Graph, order: Sequence[Node]) -> dict[str, Lifetime]:
    """The lifetime of every value that is not constant, when nodes run in `order`."""
    first: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    last = dict(first)
    for time, node in enumerate(order, start=1):
        for name in node.inputs:
            if name in first:
                last[name] = time
        for name in node.outputs:
            first[name] = last[name] = time
    for name in graph.outputs:
        last[name] = len(order) + 1
    return {name: Lifetime(first[name], last[name]) for name in first}


@dataclass
class Block:
    """Values that start at the same offset: aliases of one buffer, and results computed in place."""

    values: list[str] = field(default_factory=list)

    def profile(
        self,
        sizes: Mapping[str, int],
        lives: Mapping[str, Lifetime],
        times: int,
        idle: Mapping[str, Collection[int]] | None = None,
    ) -> Profile:
        """Bytes that the block needs at each time; idle: times at which nobody needs a value, see `guards.idle`."""
        need = np.zeros(times, dtype=np.int64)
        for name in self.values:
            own = np.zeros(times, dtype=np.int64)
            own[lives[name].first : lives[name].last + 1] = sizes[name]
            own[list((idle or {}).get(name, ()))] = 0
            np.maximum(need, own, out=need)
        return need


def make_blocks(
    graph: Graph,
    order: Sequence[Node],
    sizes: Mapping[str, int],
    aliases: Mapping[str, str],
    in_place: Mapping[str, Sequence[str]],
) -> tuple[list[Block], dict[str, str]]:
    """Group values into blocks; also which value each in-place result overwrites.

    aliases:  value -> the value whose bytes it is.
    in_place: node name -> inputs that its kernel may overwrite with its output while it reads them.
    """
    lives = lifetimes(graph, order)
    block_of: dict[str, Block] = {}
    taken: dict[str, str] = {}
    for name in graph.inputs:
        block_of[name] = Block([name])
    for time, node in enumerate(order, start=1):
        (out,) = node.outputs
        host = aliases.get(out)
        if host is not None and sizes[host] != sizes[out]:
            raise GraphError(f"{node.op} {node.name}: {out} cannot alias {host}, its size differs")
        if host is None:
            host = _overwritten(node, time, in_place.get(node.name, ()), block_of, lives, sizes)
            if host is not None:
                taken[out] = host
        block_of[out] = block_of[host] if host is not None else Block()
        block_of[out].values.append(out)
    # Blocks keep the order in which they come to life.
    unique = {id(b): b for b in block_of.values()}
    return list(unique.values()), taken


def _overwritten(
    node: Node,
    time: int,
    candidates: Sequence[str],
    block_of: Mapping[str, Block],
    lives: Mapping[str, Lifetime],
    sizes: Mapping[str, int],
) -> str | None:
    """The largest candidate whose bytes nobody needs after this node, or None."""
    (out,) = node.outputs
    fit = []
    for name in candidates:
        block = block_of.get(name)
        if block is None or sizes[out] > sizes[name]:
            continue
        # Another view of the same bytes is read in another order, so it would see half of the result.
        others = [i for i in node.inputs if i != name and block_of.get(i) is block]
        if not others and all(lives[v].last <= time for v in block.values):
            fit.append(name)
    return max(fit, key=lambda n: sizes[n], default=None)
