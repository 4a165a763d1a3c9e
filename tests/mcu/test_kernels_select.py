"""Which kernel runs a node, and that the reason names what was refused and why."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.errors import UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder, Node, analyse
from edgeq.mcu.ops import KERNELS, _groups, inplace_candidates, lower
from edgeq.mcu.select import Call, Context, Variant, always, choose, lower_with

S8 = FixedPoint(8, 4)


def conv(channels: int, filters: int, groups: int) -> Graph:
    builder = GraphBuilder("net")
    x = builder.input("x", (5, 5, channels), S8)
    w = builder.constant("w", np.ones((filters, 3, 3, channels // groups)), S8)
    one = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    return builder.build([builder.node("conv", "features.0", [x, w], S8, groups=groups, **one)])


def context(graph: Graph) -> Context:
    return Context(graph, graph.nodes[0], analyse(graph))


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "kernel", "why"),
    [
        (6, 6, 6, "conv_depthwise", "conv_depthwise: four channels side by side"),
        (6, 4, 1, "conv", "not conv_depthwise: 1 groups for 6 channels; a depthwise layer has one for each"),
        (6, 12, 6, "conv", "not conv_depthwise: 2 filters for each channel; it takes one"),
        (1, 1, 1, "conv_depthwise", "conv_depthwise"),
    ],
)
def test_depthwise_or_generic(channels: int, filters: int, groups: int, kernel: str, why: str) -> None:
    graph = conv(channels, filters, groups)
    step = lower(graph, graph.nodes[0], analyse(graph))
    assert step is not None
    assert (step.kernel, step.variant) == (kernel, "portable")
    assert why in step.why


def variant(kernel: str, feature: str) -> Variant:
    """A variant that needs one feature of the board."""

    def supports(ctx: Context) -> str | None:
        return None if feature in ctx.features else f"the board has no {feature}"

    return Variant(feature, kernel, f"uses {feature}", supports, lambda ctx: Call((), {}, ("x",)))


def test_a_fallback_names_every_better_variant() -> None:
    generic = Variant("portable", "conv", "runs everywhere", always, lambda ctx: Call((), {}, ("x",)))
    ladder = (variant("conv_mve", "mve"), variant("conv_dsp", "dsp"), generic)
    ctx = context(conv(4, 4, 1))
    found = choose(ladder, ctx)
    assert found.variant is generic
    assert found.why == "conv: runs everywhere; not conv_mve: the board has no mve; not conv_dsp: the board has no dsp"
    step = lower_with(ladder, Context(ctx.graph, ctx.node, ctx.ranges, frozenset({"dsp", "fpu"})))
    assert (step.kernel, step.variant) == ("conv_dsp", "dsp")
    assert step.why.startswith("conv_dsp: uses dsp")
    assert step.why.endswith("; not conv_mve: the board has no mve")
    assert step.brief == step.why, "these reasons are about the layer"


@pytest.mark.parametrize(("features", "other"), [(("dsp", "fpu"), "mve"), (("thumb2",), "dsp"), (("rv32m",), "dsp")])
@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (4, 4), (6, 2), (3, 1)])
def test_a_person_reads_of_no_kernel_of_another_core(
    channels: int, groups: int, features: tuple[str, ...], other: str
) -> None:
    graph = conv(channels, 12, groups)
    step = lower(graph, graph.nodes[0], analyse(graph), features)
    assert step is not None
    assert f"_{other}: the core has no" in step.why
    assert f"_{other}:" not in step.brief
    assert "the core" not in step.brief
    # A depthwise kernel is news only where the layer has groups.
    assert ("depthwise" in step.brief) == (groups > 1)


def test_no_variant_is_an_error_with_the_layer() -> None:
    with pytest.raises(UnsupportedError, match=r"conv features\.0 \(layer features\.0\): no kernel .* no mve"):
        choose((variant("conv_mve", "mve"),), context(conv(4, 4, 1)))


def test_an_unknown_operator_is_an_error_with_the_layer() -> None:
    graph = conv(4, 4, 1)
    node = Node("fft", "spectrum", ("x",), ("y",), source="front.fft")
    with pytest.raises(UnsupportedError, match=r"fft spectrum \(layer front\.fft\): operator fft has no C kernel"):
        lower(graph, node, analyse(graph))


def test_every_operator_ends_in_a_portable_kernel_that_takes_every_node() -> None:
    """Group scales beyond 32 bits, which the last one may leave, are taken by a portable one before it."""
    for op, variants in KERNELS.items():
        portable = [v.supports for v in variants if v.name == "portable"]
        assert not variants or variants[-1].name == "portable", op
        assert not variants or portable[-1] is always or {_groups.in_words, _groups.supports} <= set(portable), op


def test_in_place_needs_size_and_width() -> None:
    builder = GraphBuilder("net")
    wide, narrow = builder.input("wide", (4, 3), FixedPoint(16, 4)), builder.input("narrow", (3,), S8)
    same = builder.input("same", (4, 3), S8)
    both = builder.node("add", "both", [wide, same], S8)
    repeated = builder.node("add", "repeated", [narrow, both], S8)
    wider = builder.node("requantise", "wider", [repeated], FixedPoint(16, 8))
    graph = builder.build([wider])
    assert [inplace_candidates(graph, node) for node in graph.nodes] == [(0, 1), (1,), ()]
