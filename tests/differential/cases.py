"""What is compared: a graph with input codes, drawn from a seed or made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.formats import NAMED
from edgeq.ir import Graph
from edgeq.verify.data import random_inputs as border_inputs
from edgeq.verify.random_graphs import random_graph, random_inputs
from tests.differential.networks import ordinary_network

#: value name -> codes, batch first
Trace = Mapping[str, npt.NDArray[Any]]
SAMPLES = 5
MINIFLOATS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")
_KINDS = ("fixed", "mixed", "minifloat")


@dataclass(frozen=True)
class Case:
    """A graph, whose name is a C identifier of its own, and input codes; `maker(seed, nodes)` makes it again."""

    graph: Graph
    inputs: Trace
    seed: int | None = None
    nodes: int = 0
    maker: Callable[[int, int], Case] | None = None

    @property
    def samples(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def label(self) -> str:
        """How to make it again."""
        return self.graph.name if self.maker is None else f"{self.maker.__name__}({self.seed}, {self.nodes})"


def random_case(seed: int, nodes: int | None = None) -> Case:
    """The random graph of a seed. With fewer `nodes` it is the beginning of the same graph, so that a failure shrinks.

    A third of the seeds each is fixed point, mixed and minifloat; one in five may grow to 20 nodes, the rest to 12.
    """
    most = nodes if nodes is not None else 20 if seed % 5 == 0 else 12
    graph = random_graph(np.random.default_rng(seed), max_nodes=most, formats=_KINDS[seed % 3])  # type: ignore[arg-type]
    inputs = random_inputs(graph, np.random.default_rng(seed + 1), SAMPLES)
    return Case(replace(graph, name=f"g{seed}"), inputs, seed, most, random_case)


def network_case(seed: int, nodes: int | None = None) -> Case:
    """The ordinary network of a seed, of 2 to 9 nodes; shrinks as random graphs do."""
    rng = np.random.default_rng(seed)
    most = int(rng.integers(2, 10))
    graph = ordinary_network(rng, most if nodes is None else nodes, f"n{seed}")
    return Case(graph, border_inputs(graph, SAMPLES, seed), seed, len(graph.nodes), network_case)


def minifloat_case(seed: int, nodes: int | None = None) -> Case:
    """An ordinary network in the named minifloat of a seed, every second one with another beside it."""
    rng = np.random.default_rng(seed)
    most, names = int(rng.integers(2, 8)), (MINIFLOATS[seed % 5], MINIFLOATS[int(rng.integers(5))])
    floats = [NAMED[name] for name in names[: 1 + seed // 5 % 2]]
    graph = ordinary_network(rng, most if nodes is None else nodes, f"f{seed}", floats)
    return Case(graph, border_inputs(graph, SAMPLES, seed), seed, len(graph.nodes), minifloat_case)


def made_case(graph: Graph, inputs: Trace | None = None, samples: int = 16) -> Case:
    """A case of a graph made by hand; without inputs, samples that include all extremes."""
    return Case(graph, inputs if inputs is not None else border_inputs(graph, samples))
