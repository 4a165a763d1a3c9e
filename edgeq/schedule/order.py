"""Execution order: any order that computes a value before it is read; one that keeps fewer bytes alive is better.

A beam search over sets of finished nodes. It matters where branches meet: running the branch that shrinks its
data first frees room for the other. Chains have one order only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeq.ir import Graph, Node

BEAM_WIDTH = 32


@dataclass(frozen=True)
class _State:
    """A set of finished nodes (a bit each), reached by `order`; `live` bytes are alive, `peak` were at most."""

    done: int
    order: tuple[int, ...]
    live: int
    peak: int


def given_order(graph: Graph) -> list[Node]:
    """The order of the graph itself."""
    return list(graph.nodes)


def beam_order(graph: Graph, sizes: Mapping[str, int], aliases: Mapping[str, str]) -> list[Node] | None:
    """An order whose most bytes alive are few; None where the graph has only one order.

    Aliases cost nothing while their host lives; in-place results are not counted here, the planner does.
    """
    search = _Beam(graph, sizes, aliases)
    if search.is_chain():
        return None
    return [graph.nodes[i] for i in search.run()]


class _Beam:
    def __init__(self, graph: Graph, sizes: Mapping[str, int], aliases: Mapping[str, str]) -> None:
        self.graph = graph
        root = {name: name for name in graph.values}
        for node in graph.nodes:
            for out in node.outputs:
                root[out] = root[aliases[out]] if out in aliases else out
        self.bytes = {name: sizes[name] for name in sizes if root[name] == name}
        makers = {out: i for i, node in enumerate(graph.nodes) for out in node.outputs}
        self.needs = [sum({1 << makers[v] for v in node.inputs if v in makers}) for node in graph.nodes]
        # A buffer dies when all nodes that read it or any alias of it are done; outputs never die.
        self.readers: dict[str, int] = dict.fromkeys(self.bytes, 0)
        for i, node in enumerate(graph.nodes):
            for name in (*node.inputs, *node.outputs):
                if root[name] in self.readers:
                    self.readers[root[name]] |= 1 << i
        for name in graph.outputs:
            self.readers[root[name]] |= 1 << len(graph.nodes)
        self.reads = [{root[v] for v in node.inputs if root[v] in self.bytes} for node in graph.nodes]
        self.writes = [[v for v in node.outputs if v in self.bytes] for node in graph.nodes]

    def is_chain(self) -> bool:
        """Whether each node needs the one before it, so that there is one order only."""
        return all(self.needs[i] >> (i - 1) & 1 for i in range(1, len(self.needs)))

    def run(self) -> tuple[int, ...]:
        live = sum(self.bytes[name] for name in self.graph.inputs if name in self.bytes)
        beam = [_State(0, (), live, live)]
        for _ in self.graph.nodes:
            found: dict[int, _State] = {}
            for state in beam:
                for i, need in enumerate(self.needs):
                    if not state.done >> i & 1 and state.done & need == need:
                        after = self._step(state, i)
                        rival = found.get(after.done)
                        if rival is None or (after.peak, after.order) < (rival.peak, rival.order):
                            found[after.done] = after
            beam = sorted(found.values(), key=lambda s: (s.peak, s.live, s.order))[:BEAM_WIDTH]
        return beam[0].order

    def _step(self, state: _State, i: int) -> _State:
        done = state.done | 1 << i
        during = state.live + sum(self.bytes[v] for v in self.writes[i])
        touched = self.reads[i] | set(self.writes[i])
        freed = sum(self.bytes[v] for v in touched if self.readers[v] & ~done == 0)
        return _State(done, (*state.order, i), during - freed, max(state.peak, during))
