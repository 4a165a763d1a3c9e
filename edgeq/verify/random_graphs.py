"""Random graphs over all operators, and inputs for them: what differential tests of every backend run on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.ir import Graph, check
from edgeq.verify.random_formats import Kind, Rng, between, chance, input_codes, pick, random_format
from edgeq.verify.random_nodes import MAKERS, Growth

#: chance that a graph ends after a node; with fewer `max_nodes` the same seed gives the beginning of the same graph
_STOP = 0.1
#: operators that networks use most are drawn more often
_WEIGHTS = {"conv": 4, "linear": 2, "add": 2, "requantise": 2}

#: operators of imported networks and of patches; a seed of all the others keeps its graph
ON_REQUEST = frozenset(
    {
        *("gather", "resize_bilinear", "maximum", "minimum", "prelu", "select", "sigmoid_lines"),
        *("softmax_lines", "softmax_reciprocal", "sum", "within"),
    }
)


def random_graph(
    rng: Rng,
    *,
    ops: Iterable[str] | None = None,
    max_nodes: int = 12,
    formats: Kind = "fixed",
    modes: bool = False,
    groups: bool = False,
) -> Graph:
    """A graph that `edgeq.ir.check` passes, the same for the same state of `rng`.

    ops:       names of the operators to draw from; None takes all (matmul may bring a transpose along).
    max_nodes: most nodes; graphs with one node and more occur.
    formats:   "fixed", "minifloat" or "mixed" numbers.
    modes:     draw from all rounding rules and overflow modes of fixed point, not only from the rules of every format.
    groups:    most weights have a scale for each group of input channels.
    """
    names = sorted(MAKERS.keys() - ON_REQUEST if ops is None else set(ops))
    unknown = [n for n in names if n not in MAKERS]
    if unknown or not names or max_nodes < 1:
        raise InputError(f"random graph of operators {names}, max_nodes {max_nodes}: {unknown} are not operators")
    drawn = [n for n in names for _ in range(_WEIGHTS.get(n, 1))]
    borders = np.random.default_rng(int(rng.integers(1 << 62)))
    growth = Growth(rng, formats, "random", modes, groups)
    while len(growth.builder.nodes) < max_nodes:
        if not growth.builder.nodes or chance(rng, 0.05):
            # Inputs come first, later ones now and then; a shape that no operator takes gets company.
            _add_input(growth)
        for _ in range(8):
            if MAKERS[pick(rng, drawn)](growth) is not None:
                break
        if growth.builder.nodes and chance(rng, _STOP):
            break
    return _finish(growth, borders)


def _add_input(growth: Growth) -> None:
    rng = growth.rng
    channels = pick(rng, (1, 2, 3, 4, 5, 7, 8, 8, 16))
    shape = pick(
        rng,
        (
            (between(rng, 1, 9), between(rng, 1, 9), channels),
            (between(rng, 2, 10), between(rng, 2, 10), channels),
            (between(rng, 1, 24), channels),
            (between(rng, 1, 24),),
        ),
    )
    growth.input(shape, random_format(rng, growth.kind))


def _finish(growth: Growth, rng: Rng) -> Graph:
    """Choose outputs (values that nothing reads, sometimes others, rarely an input) and check the graph."""
    builder = growth.builder
    read = {name for node in builder.nodes for name in node.inputs}
    made = [node.outputs[0] for node in builder.nodes]
    outputs = [n for n in made if n not in read and chance(rng, 0.9)] or [made[-1]]
    outputs += [n for n in made if n not in outputs and chance(rng, 0.05)]
    outputs += [n for n in builder.inputs if chance(rng, 0.02)]
    # A constant of a node that was taken back stays away from the graph.
    used = read | set(made) | set(builder.inputs)
    values = {name: value for name, value in builder.values.items() if name in used}
    layouts = dict(builder.layouts)
    for name in outputs:
        if name not in layouts and chance(rng, 0.2):
            layouts[name] = tuple(int(i) for i in rng.permutation(len(values[name].shape)))
    graph = Graph(builder.name, tuple(builder.nodes), values, tuple(builder.inputs), tuple(outputs), layouts)
    check(graph)
    return graph


def random_inputs(graph: Graph, rng: Rng, n: int) -> dict[str, npt.NDArray[np.int64]]:
    """Codes for every input, `n` samples in the graph's layout: even, extreme, tie-aimed, constant and small ones."""
    found = {}
    for name in graph.inputs:
        value = graph.values[name]
        found[name] = np.stack([input_codes(value.format, rng, value.shape) for _ in range(n)])
    return found
