"""Network: the integer graphs of a task under uniform widths, and which choice each operand of a node belongs to.

What backends say of a layer depends on its formats only, so a table of every pair (weights, activations) follows from
graphs that have the same widths everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeq.ir import Graph, Node, Value
from edgeq.passes import MOST_ROUNDS, PASSES
from edgeq.progress import Progress, silent
from edgeq.search.methods import calibrated, example_of
from edgeq.search.space import Space, named_outputs
from edgeq.search.task import Task

#: Weights that an option rounds to zero can leave a channel dead. Whether they do depends on more than widths, so the
#: graphs that costs are taken from keep such channels.
KEEPS = "dead_channels"
#: samples that the binary points of these graphs are taken from; costs do not depend on them
SAMPLES = 8


@dataclass
class Network:
    """A task, its space, and graphs of it that are made when they are asked for."""

    task: Task
    space: Space
    progress: Progress = silent
    _graphs: dict[tuple[int, int], Graph] = field(default_factory=dict)

    @property
    def widest(self) -> Graph:
        """The graph with the widest option everywhere."""
        last = len(self.space.options) - 1
        return self.graph(last, last)

    def graph(self, weights: int, activations: int) -> Graph:
        """The graph with one option for all weights that are chosen, and one for all activations."""
        key = (weights, activations)
        if key not in self._graphs:
            from edgeq.frontends.torch import export

            options = self.space.options
            recipe = self.space.uniform(options[weights], options[activations])
            prepared = calibrated(self.task, recipe, "max", [self.task.calibration[:SAMPLES]])
            if not self._graphs:
                self.layers = set(named_outputs(prepared))
            self._graphs[key] = _simplified(export(prepared, example_of(self.task), optimise=False))
            count = len(options)
            self.progress(min(len(self._graphs), count * count), count * count)
        return self._graphs[key]

    def weights_of(self, node: Node) -> int | None:
        """The choice of a node's weights."""
        return self.space.where(node.source, "weights")

    def activation_of(self, graph: Graph, value: Value) -> int | None:
        """The choice of the width of a value, through what only moves codes; None where it is fixed."""
        producers = {name: node for node in graph.nodes for name in node.outputs}
        name = value.name
        while name in producers:
            node = producers[name]
            if node.source in self.layers:
                return self.space.where(node.source, "activations")
            name = node.inputs[0]
        return None

    def operands(self, graph: Graph, node: Node) -> tuple[int | None, int | None]:
        """The choices that the first two operands of a node belong to: data, and weights or other data."""
        ins = graph.ins(node)
        first = None if ins[0].constant else self.activation_of(graph, ins[0])
        if len(ins) < 2:
            return first, None
        second = self.weights_of(node) if ins[1].constant else self.activation_of(graph, ins[1])
        return first, second


def _simplified(graph: Graph) -> Graph:
    """All passes but the one that looks at the weights' values, to their fixed point."""
    for _ in range(MOST_ROUNDS):
        before = graph
        for name, run in PASSES.items():
            graph = graph if name == KEEPS else run(graph)
        if graph is before:
            break
    return graph
