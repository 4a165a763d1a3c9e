"""Twins: a second branch for places of a patch stage, and a choice between the two for each input.

Both branches of a place start from the same slice of the stage's input. `within` looks at all of that slice, halo
included, and `select` takes the twin's output where no number lies beyond the bounds, else that of the first branch.
As made here both branches compute the same; the twin's values may then get other formats (edgeq/search/patches.py), and
a requantise at its end brings them back to that of the first. No machine that runs node after node computes both:
edgeq/schedule/guards.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node, Value, check
from edgeq.ir.ops.within import BIT
from edgeq.schedule.branches import PATCH, Branches

#: behind the patch in the names of a twin's nodes and values; of the condition, the choice, and the twin's last node
TWIN, WITHIN, CHOSEN, BACK = "n", " within", " chosen", " back"


@dataclass(frozen=True)
class Twin:
    """The second branch of a place: its nodes, and the value that is 1 where it is chosen."""

    nodes: tuple[str, ...]
    condition: str


def with_twins(
    branches: Branches, places: Collection[tuple[int, int]], least: int, most: int
) -> tuple[Branches, dict[tuple[int, int], Twin]]:
    """Branches with a twin at some places, chosen where all numbers of the patch lie within least..most.

    least, most: grid integers of the stage's input, values of its format. `origin` and `regions` of the result hold the
    twins' values too; what is chosen is of the patch's output.
    """
    if len(branches.nodes) < 2:
        raise GraphError(f"{branches.output}: a single patch has no places to choose for; take a grid of more")
    graph, origin, regions = branches.graph, dict(branches.origin), dict(branches.regions)
    values, twins = dict(graph.values), {}
    made: dict[str, list[Node]] = {}
    renamed: dict[str, str] = {}
    by_name = {node.name: node for node in graph.nodes}
    for patch in places:
        taken, *rest = (by_name[name] for name in branches.nodes[patch])
        tag = f"{PATCH}{patch[0]}.{patch[1]}"
        names = {n.outputs[0]: n.outputs[0].replace(tag, f"{tag}{TWIN}", 1) for n in rest}
        nodes = [_twin(node, names) for node in rest]
        for old, new in names.items():
            values[new] = replace(values[old], name=new)
            origin[new], regions[new] = origin[old], regions[old]
        condition, last = f"{branches.source}{tag}{WITHIN}", rest[-1].outputs[0]
        chosen, back = f"{branches.output}{tag}{CHOSEN}", f"{names[last]}{BACK}"
        renamed[last] = chosen
        values[condition] = Value(condition, (1,), BIT, source=taken.source)
        for new in (chosen, back):
            values[new] = replace(values[last], name=new)
            origin[new], regions[new] = origin[last], regions[last]
        bounds = {"least": least, "most": most}
        test = Node("within", condition, taken.outputs, (condition,), bounds, taken.source)
        nodes.append(Node("requantise", back, (names[last],), (back,), {}, rest[-1].source))
        choice = Node("select", chosen, (condition, back, last), (chosen,), {}, rest[-1].source)
        made[taken.name], made[rest[-1].name] = [test, *nodes], [choice]
        twins[patch] = Twin(tuple(node.name for node in nodes), condition)
    found = graph.replace(nodes=_inserted(graph, made, renamed), values=values)
    check(found)
    return replace(branches, graph=found, origin=origin, regions=regions), twins


def without_idle(graph: Graph) -> Graph:
    """The graph without requantises at the ends of twins that change nothing."""
    same = {
        node.name: node.inputs[0]
        for node in graph.nodes
        if node.name.endswith(BACK) and graph.ins(node)[0].format == graph.outs(node)[0].format
    }
    nodes = [
        replace(node, inputs=tuple(same.get(name, name) for name in node.inputs))
        for node in graph.nodes
        if node.name not in same
    ]
    return graph.replace(nodes=tuple(nodes), values={n: v for n, v in graph.values.items() if n not in same})


def _twin(node: Node, names: dict[str, str]) -> Node:
    """The node of a twin, on the twin's values; constants and the slice are shared."""
    (out,) = node.outputs
    inputs = tuple(names.get(name, name) for name in node.inputs)
    return replace(node, name=names[out], inputs=inputs, outputs=(names[out],))


def _inserted(graph: Graph, made: dict[str, list[Node]], renamed: dict[str, str]) -> tuple[Node, ...]:
    """All nodes, new ones behind those that they follow; what reads a patch reads what is chosen."""
    found: list[Node] = []
    for node in graph.nodes:
        found += [replace(node, inputs=tuple(renamed.get(n, n) for n in node.inputs)), *made.get(node.name, ())]
    return tuple(found)
