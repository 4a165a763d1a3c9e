"""Random graphs: legal, the same for the same seed, and varied enough to be worth running."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgeq.errors import InputError
from edgeq.formats import FixedPoint, Minifloat
from edgeq.ir import OPERATORS, Graph, check
from edgeq.verify.random_formats import Kind
from edgeq.verify.random_graphs import ON_REQUEST, random_graph, random_inputs
from edgeq.verify.random_nodes import MAKERS

#: what makers bring along: operands that the graph lacks
BRINGS = {"matmul": ("transpose",), "select": ("requantise", "within")}
KINDS: tuple[Kind, ...] = ("fixed", "minifloat", "mixed")


def graphs(count: int, kind: Kind = "mixed", **options: object) -> list[Graph]:
    return [random_graph(np.random.default_rng(s), formats=kind, **options) for s in range(count)]  # type: ignore[arg-type]


def test_every_operator_has_a_maker_and_is_drawn() -> None:
    assert MAKERS.keys() == OPERATORS.keys()
    drawn = Counter(node.op for graph in graphs(150) for node in graph.nodes)
    assert drawn.keys() == OPERATORS.keys() - ON_REQUEST
    assert min(drawn.values()) >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_pass_the_checker(kind: Kind) -> None:
    for graph in graphs(25, kind):
        check(graph)


def test_same_seed_same_graph_and_inputs() -> None:
    for seed in range(20):
        a, b = (random_graph(np.random.default_rng(seed), formats="mixed") for _ in range(2))
        assert a == b
        xa, xb = (random_inputs(a, np.random.default_rng(seed), 3) for _ in range(2))
        assert all(np.array_equal(xa[n], xb[n]) for n in a.inputs)
    assert random_graph(np.random.default_rng(0)) != random_graph(np.random.default_rng(1))


def test_fewer_nodes_are_the_beginning_of_the_same_graph() -> None:
    for seed in range(20):
        whole = random_graph(np.random.default_rng(seed))
        for nodes in range(1, len(whole.nodes)):
            part = random_graph(np.random.default_rng(seed), max_nodes=nodes)
            assert part.nodes == whole.nodes[: len(part.nodes)]


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_one_operator_alone(op: str) -> None:
    found = graphs(5, ops=[op], max_nodes=3)
    assert {n.op for g in found for n in g.nodes} <= {op, *BRINGS.get(op, ())}
    assert all(any(n.op == op for n in g.nodes) for g in found)


def test_unknown_operator_is_named() -> None:
    with pytest.raises(InputError, match="convolve"):
        random_graph(np.random.default_rng(0), ops=["convolve"])


def test_variety() -> None:
    """What backends find hard occurs: each kind of convolution, sharing, joins, several borders, every width."""
    seen: Counter[str] = Counter()
    widths: set[int] = set()
    floats: set[str] = set()
    for graph in [*graphs(150), *graphs(150, "fixed")]:
        reads = Counter(name for node in graph.nodes for name in node.inputs)
        seen["shared constant"] += any(graph.values[n].constant and c > 1 for n, c in reads.items())
        seen["read twice"] += any(not graph.values[n].constant and c > 1 for n, c in reads.items())
        seen["two inputs"] += len(graph.inputs) > 1
        seen["two outputs"] += len(graph.outputs) > 1
        seen["output that is read"] += any(reads[n] for n in graph.outputs)
        seen["layout"] += bool(graph.layouts)
        for value in graph.values.values():
            if isinstance(value.format, FixedPoint):
                widths.add(value.format.width)
            elif isinstance(value.format, Minifloat):
                floats.add(value.format.name + value.format.specials)
        for node in graph.nodes:
            _note(graph, node, seen)
    rare = {k: n for k, n in seen.items() if n < 5}
    assert not rare
    assert len(seen) == 21, sorted(seen)
    assert widths == {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 31, 32} | widths
    assert {"E2M1none", "E2M3none", "E3M2none", "E4M3ocp", "E5M2ocp"} < floats
    assert any(name.endswith("fnuz") for name in floats)


def _note(graph: Graph, node: object, seen: Counter[str]) -> None:
    """Count what is special about a node."""
    ins = graph.ins(node)  # type: ignore[arg-type]
    attrs = node.attrs  # type: ignore[attr-defined]
    seen["lo"] += "lo" in attrs
    seen["hi"] += "hi" in attrs
    for rule in ("half_even", "floor"):
        seen[rule] += attrs.get("rounding") == rule
    if node.op in ("conv", "conv_transpose"):  # type: ignore[attr-defined]
        channels, groups = ins[0].shape[-1], attrs["groups"]
        seen[f"rank {len(ins[0].shape) - 1}"] += 1
        seen["depthwise"] += groups == channels > 1
        seen["grouped"] += 1 < groups < channels
        seen["padding"] += any(attrs["padding"])
        seen["stride"] += max(attrs["stride"]) > 1
        seen["dilation"] += max(attrs["dilation"]) > 1
        seen["bias"] += len(ins) == 3
        seen["per channel"] += ins[1].format.channel_axis == 0
        data = ins[1].data
        assert data is not None
        seen["dead channel"] += bool((ins[1].format.to_grid(data).reshape(len(data), -1) == 0).all(axis=1).any())
    if node.op == "add":  # type: ignore[attr-defined]
        seen["add of two computed"] += not any(v.constant for v in ins)


def test_inputs_are_valid_codes_and_reach_the_extremes() -> None:
    extremes = 0
    for graph in graphs(40):
        for name, codes in random_inputs(graph, np.random.default_rng(0), 12).items():
            value = graph.values[name]
            assert codes.shape == (12, *value.shape)
            value.format.check_codes(codes, name)
            grid = value.format.to_grid(codes)
            extremes += (grid.min(), grid.max()) == value.format.grid_range
    assert extremes > 30
