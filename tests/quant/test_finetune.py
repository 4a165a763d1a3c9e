"""Fine-tuning of a graph: the twin computes the graph's very numbers, learns, and gives a graph of the same formats."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.errors import UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.ir import GraphBuilder
from edgeq.search.patches import Settings, search_patches
from tests.search.test_patches import network, samples

torch = pytest.importorskip("torch")


def test_the_twin_computes_the_numbers_of_the_graph_and_learns() -> None:
    from edgeq.quant.finetune import Twin, finetune

    graph = network(size=16)
    codes = samples(graph, 24)
    mixed = search_patches(graph, codes, Settings((2, 2), split="join", phi=9.0, lam=0.2)).graph
    assert {v.format.bits for v in mixed.values.values()} & {2, 4}
    x = torch.from_numpy(mixed.values["x"].format.decode(codes)).float()
    twin = Twin(mixed).double()
    want = mixed.run(x.double().numpy())
    assert np.array_equal(twin(x.double()).detach().numpy(), want)
    with torch.no_grad():  # the comparison sees a weight of another code
        next(p for p in twin.parameters() if p.ndim == 2).add_(0.25)
    assert not np.array_equal(twin(x.double()).detach().numpy(), want)

    y = torch.arange(24) % 2 * 7
    x[y == 7] = x[y == 7].flip(1) * 0.5
    torch.manual_seed(0)
    learned = finetune(mixed, x, y, epochs=8, rate=1e-2, batch=8)
    assert {n: v.format for n, v in learned.values.items()} == {n: v.format for n, v in mixed.values.items()}
    right = [(net.run(x.numpy()).argmax(axis=1) == y.numpy()).mean() for net in (mixed, learned)]
    assert right[1] > max(right[0], 0.8)


def test_what_it_does_not_know_is_named() -> None:
    from edgeq.quant.finetune import Twin

    g = GraphBuilder("net")
    x = g.input("x", (4,), FixedPoint(8, 4))
    with pytest.raises(UnsupportedError, match="argmax most"):
        Twin(g.build([g.node("argmax", "most", [x], FixedPoint(8, 0), axis=0, keep_axes=1)]))
