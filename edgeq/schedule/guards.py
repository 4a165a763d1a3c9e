"""Guards: under which conditions the result of a node is needed, where `select` chooses between two tensors.

What only one side of a select reads need not be computed for inputs for which the other side is chosen. A node's guard
is what has to hold for its result to be read by anything that counts: conditions that hold on every way from it to an
output. A condition is computed before anything that it guards, and by nodes whose own guards are no stricter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeq.ir import Graph, Node

#: conditions and the code that each must have, all of them together, in the order of the graph; none: always
Guard = tuple[tuple[str, int], ...]
_Terms = frozenset[tuple[str, int]]


def guards(graph: Graph) -> dict[str, Guard]:
    """Node name -> its guard, for the nodes that have one."""
    if all(node.op != "select" for node in graph.nodes):
        return {}
    needed: dict[str, _Terms] = {name: frozenset() for name in graph.outputs}
    found: dict[str, _Terms] = {}
    for node in reversed(graph.nodes):
        own = needed.get(node.outputs[0], frozenset())
        found[node.name] = own
        for place, name in enumerate(node.inputs):
            terms = own | _term(graph, node, place)
            needed[name] = needed[name] & terms if name in needed else terms
    order = {name: i for i, name in enumerate((*graph.inputs, *(node.outputs[0] for node in graph.nodes)))}
    return {
        node.name: tuple(sorted(found[node.name], key=lambda term: (order[term[0]], term[1])))
        for node in graph.nodes
        if found[node.name]
    }


def _term(graph: Graph, node: Node, place: int) -> _Terms:
    """What has to hold, beside what a node itself needs, for its input at `place` to be read."""
    if node.op != "select" or place == 0 or graph.values[node.inputs[0]].constant:
        return frozenset()
    return frozenset({(node.inputs[0], 1 if place == 1 else 0)})


def compatible(*found: Guard) -> bool:
    """Whether all of these can hold for one input."""
    terms = {term for guard in found for term in guard}
    return all((name, 1 - code) not in terms for name, code in terms)


def guarded(graph: Graph, found: Mapping[str, Guard]) -> Graph:
    """The graph in which nodes also read the conditions of their guards, in an order that allows it; for plans only."""
    if not found:
        return graph
    left = [
        replace(node, inputs=(*node.inputs, *(n for n, _ in found.get(node.name, ()) if n not in node.inputs)))
        for node in graph.nodes
    ]
    made = {node.outputs[0] for node in left}
    ordered: list[Node] = []
    while left:
        # The first that is ready: an order that is one already stays.
        ready = next(node for node in left if made.isdisjoint(node.inputs))
        left.remove(ready)
        made.discard(ready.outputs[0])
        ordered.append(ready)
    return graph.replace(nodes=tuple(ordered))


def idle(graph: Graph, order: Sequence[Node], found: Mapping[str, Guard]) -> dict[str, frozenset[int]]:
    """Value -> times within its life (see `lifetimes`) at which nobody needs it, for those that have some.

    At such a time a node runs whose guard cannot hold together with those of the value and of what still reads it, so
    that the bytes are free for that node. `order`: the nodes of `guarded`.
    """
    if not found:
        return {}
    at = [(), *(found.get(node.name, ()) for node in order), ()]
    made: dict[str, tuple[int, Guard]] = dict.fromkeys(graph.inputs, (0, ()))
    reads: dict[str, list[tuple[int, Guard]]] = {}
    for time, node in enumerate(order, start=1):
        made[node.outputs[0]] = time, at[time]
        for name in node.inputs:
            reads.setdefault(name, []).append((time, at[time]))
    for name in graph.outputs:
        reads.setdefault(name, []).append((len(order) + 1, ()))
    free = {}
    for name, (first, own) in made.items():
        later = reads.get(name, [])
        times = range(first + 1, max((time for time, _ in later), default=first))
        gaps = (t for t in times if not any(time >= t and compatible(own, at[t], g) for time, g in later))
        if gap := frozenset(gaps):
            free[name] = gap
    return free
