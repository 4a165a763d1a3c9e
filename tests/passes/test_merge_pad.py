"""Pads of zeros inside the padding of convolutions and pools, and the pads that must stay."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, count, node_of, same_answers

from edgeq.formats import FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.passes.merge_pad import merge_pad

S8 = FixedPoint(8, 4)
ZEROS = {"padding": (1, 2, 0, 1, 0, 0), "mode": "constant"}


def padded(op: str, pad: dict[str, Attr] | None = None, lo: int = -128, **attrs: Attr) -> Graph:
    rng = np.random.default_rng(0)
    b = GraphBuilder("padded")
    x = b.input("x", (5, 6, 4), S8)
    v = b.node("requantise", "v", [x], S8, lo=lo)
    v = b.node("pad", "pad", [v], S8, **(ZEROS if pad is None else pad))  # type: ignore[arg-type]
    names = [v]
    if op == "conv":
        names += [b.constant("w", rng.integers(-9, 9, (6, 3, 3, 2)), S8), b.constant("b", rng.integers(-99, 99, 6), S8)]
    window = {"stride": (2, 1), "padding": (0, 1, 0, 0), **attrs}
    return b.build([b.node(op, "y", names, S8, **window)])  # type: ignore[arg-type]


CONV: dict[str, Attr] = {"dilation": (1, 1), "groups": 2}
POOL: dict[str, Attr] = {"kernel": (4, 4)}


def test_conv_takes_it() -> None:
    before = padded("conv", **CONV)
    after = merge_pad(before)
    assert node_of(after, "conv").attrs["padding"] == (1, 3, 0, 1)
    assert count(after, "pad") == 0
    assert_kept(before, after)


def test_average_pool_takes_it() -> None:
    for attrs in ({"include_pad": 1}, {"include_pad": 0, "padding": (0, 0, 0, 0)}):
        before = padded("average_pool", **POOL, **attrs)  # type: ignore[arg-type]
        after = merge_pad(before)
        assert count(after, "pad") == 0
        assert node_of(after, "average_pool").attrs["include_pad"] == 1
        assert_kept(before, after)


def test_max_pool_takes_it_of_values_that_are_never_negative() -> None:
    before = padded("max_pool", lo=0, **POOL, dilation=(1, 1))
    after = merge_pad(before)
    assert count(after, "pad") == 0
    assert_kept(before, after)


@pytest.mark.parametrize(
    "before",
    [
        padded("conv", {**ZEROS, "value": 1}, **CONV),
        padded("conv", {**ZEROS, "mode": "replicate"}, **CONV),
        padded("average_pool", **POOL, include_pad=0),
        padded("average_pool", {"padding": (2, 2, 0, 0, 0, 0), "mode": "constant"}, kernel=(2, 2), include_pad=1),
        padded("max_pool", **POOL, dilation=(1, 1)),
        padded("max_pool", {**ZEROS, "padding": (1, 1, 1, 1, 1, 0)}, lo=0, **POOL, dilation=(1, 1)),
    ],
    ids=["value", "mode", "divisor differs", "window of pad only", "negative values", "channels"],
)
def test_pad_stays(before: Graph) -> None:
    assert merge_pad(before) is before


def test_merging_a_divisor_that_differs_would_be_wrong() -> None:
    before = padded("average_pool", **POOL, include_pad=0)
    pool = node_of(before, "average_pool")
    attrs = {**pool.attrs, "padding": (1, 3, 0, 1)}
    wrong = before.replace(
        nodes=(before.nodes[0], type(pool)(pool.op, pool.name, ("v",), pool.outputs, attrs)),
        values={k: v for k, v in before.values.items() if k != "pad"},
    )
    assert not same_answers(before, wrong)


def test_other_readers_keep_the_pad() -> None:
    b = GraphBuilder("both")
    x = b.input("x", (5, 3), S8)
    v = b.node("pad", "pad", [x], S8, padding=(1, 1, 0, 0), mode="constant")
    w = b.constant("w", np.arange(9).reshape(1, 3, 3), S8)
    y = b.node("conv", "y", [v, w], S8, stride=(1,), padding=(0, 0), dilation=(1,), groups=1)
    graph = b.build([y, b.node("requantise", "z", [v], S8, lo=0)])
    after = merge_pad(graph)
    assert count(after, "pad") == 1
    assert node_of(after, "conv").inputs[0] == "x"
    assert_kept(graph, after)
