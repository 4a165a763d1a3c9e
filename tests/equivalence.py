"""Do two graphs answer the same? Both run by the reference on the same arrays of the user, output by output."""

from __future__ import annotations

import numpy as np

from edgeq.emulator import decode_outputs, encode_inputs, reference
from edgeq.ir import Graph, Node, check
from edgeq.verify.random_graphs import random_inputs


def user_arrays(graph: Graph, seed: int, samples: int) -> dict[str, np.ndarray]:
    """Random input codes in the layout of the source model."""
    found = {}
    for name, codes in random_inputs(graph, np.random.default_rng(seed), samples).items():
        layout = graph.layouts.get(name, tuple(range(codes.ndim - 1)))
        found[name] = codes.transpose(0, *(layout.index(i) + 1 for i in range(len(layout))))
    return found


def answers(graph: Graph, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Output codes in the layout of the source model, by name."""
    found = decode_outputs(graph, reference(graph, encode_inputs(graph, arrays)[0]), floats=False)
    return dict(zip(graph.outputs, found if len(graph.outputs) > 1 else [found], strict=True))


def same_answers(before: Graph, after: Graph, seed: int = 0, samples: int = 8) -> bool:
    """Whether every output has the same codes and format from both graphs."""
    arrays = user_arrays(before, seed, samples)
    want, got = answers(before, arrays), answers(after, arrays)
    formats = all(before.values[n].format == after.values[n].format for n in before.outputs)
    return formats and want.keys() == got.keys() and all(np.array_equal(want[n], got[n]) for n in want)


def assert_kept(before: Graph, after: Graph, seed: int = 0, samples: int = 8) -> None:
    """A pass keeps the meaning, the names of the borders, and the rules of the checker."""
    check(after)
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    assert same_answers(before, after, seed, samples)


def count(graph: Graph, op: str) -> int:
    """Nodes of one operator."""
    return sum(n.op == op for n in graph.nodes)


def node_of(graph: Graph, op: str) -> Node:
    """The only node of an operator."""
    (node,) = [n for n in graph.nodes if n.op == op]
    return node
