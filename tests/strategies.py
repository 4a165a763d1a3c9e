"""Hypothesis strategies: random graphs that shrink by losing their last nodes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st

from edgeq.ir import Graph
from edgeq.verify.random_formats import Kind
from edgeq.verify.random_graphs import random_graph, random_inputs

#: a graph and codes for its inputs
Case = tuple[Graph, dict[str, np.ndarray]]


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    ops: Iterable[str] | None = None,
    max_nodes: int = 12,
    formats: Kind | None = None,
    samples: int = 3,
) -> Case:
    """A random graph with input codes; a smaller `max_nodes` of one seed gives the beginning of the same graph."""
    nodes = draw(st.integers(1, max_nodes), label="max_nodes")
    kind = formats or draw(st.sampled_from(("fixed", "mixed", "minifloat")), label="formats")
    # A seed has no meaning to shrink by, so it is drawn from few bits and left to be what it is.
    seed = draw(st.integers(0, (1 << 32) - 1).map(lambda s: s), label="seed")
    graph = random_graph(np.random.default_rng(seed), ops=ops, max_nodes=nodes, formats=kind)
    return graph, random_inputs(graph, np.random.default_rng(seed + 1), samples)
