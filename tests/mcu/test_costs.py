"""The cost model: what it weighs, when it overrules the order of preference, and what the reason then says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu import costs
from edgeq.mcu.select import Call, Context, Foreign, Variant, always, choose, chosen_by_rank, preferred

S8 = FixedPoint(8, 4)


def conv(channels: int, filters: int, groups: int = 1, taps: int = 3) -> Graph:
    builder = GraphBuilder("net")
    x = builder.input("x", (5, 6, channels), S8)
    w = builder.constant("w", np.ones((filters, taps, taps, channels // groups)), S8)
    one = {"stride": (1, 1), "padding": (taps // 2,) * 4, "dilation": (1, 1)}
    return builder.build([builder.node("conv", "y", [x, w], S8, groups=groups, **one)])


def context(graph: Graph, *features: str) -> Context:
    return Context(graph, graph.nodes[0], analyse(graph), frozenset(features))


def variant(kernel: str, reason: str | None = None) -> Variant:
    return Variant("v", kernel, "gain", lambda ctx: reason, lambda ctx: Call((), {}, ("x",)))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Costs of one group of cores: a window of MACs by three kernels."""
    found = {
        "conv window fast": {"coefficients": [100, 0, 1.0, 0], "error": 0.01},
        "conv window slow": {"coefficients": [0, 0, 2.0, 0], "error": 0.01},
        "conv window near": {"coefficients": [0, 0, 0.98, 0], "error": 0.01},
    }
    monkeypatch.setattr(costs, "recorded", lambda: {"dsp": found})
    return found


@pytest.mark.parametrize(
    ("estimates", "rank"),
    [
        ([100, 50], 1),
        ([100, 96], 0),  # within what the fit may be off
        ([100, 80, 79, 90], 1),
        ([100, 80, 70, 90], 2),
        ([None, 50], 0),  # what is not known is not weighed
        ([100, None, 50], 2),
        ([100], 0),
        ([0, 0], 0),
    ],
)
def test_the_first_unless_another_is_clearly_cheaper(estimates: list[int | None], rank: int) -> None:
    assert preferred([None if e is None else costs.Estimate(1000 * e, 0.02) for e in estimates]) == rank


def test_a_poor_fit_overrules_less() -> None:
    good, poor = costs.Estimate(75_000, 0.01), costs.Estimate(75_000, 0.3)
    assert preferred([costs.Estimate(100_000, 0.01), good]) == 1
    assert preferred([costs.Estimate(100_000, 0.01), poor]) == 0


def test_a_few_instructions_are_not_worth_a_kernel() -> None:
    assert preferred([costs.Estimate(1500, 0.0), costs.Estimate(600, 0.0)]) == 0
    assert preferred([costs.Estimate(1700, 0.0), costs.Estimate(600, 0.0)]) == 1


def test_a_cheaper_kernel_overrules_the_order_and_the_reason_says_so(known: dict[str, Any]) -> None:
    ctx = context(conv(4, 8), "dsp", "fpu")
    macs = 5 * 6 * 8 * 36
    found = choose([variant("never", "too odd"), variant("slow"), variant("fast"), variant("other")], ctx)
    assert found.variant.kernel == "fast"
    mine, slow = f"fast: gain (about {macs + 100:,} instructions)", f"not slow: about {2 * macs:,} instructions"
    assert found.why == f"{mine}; {slow}; not other; not never: too odd"
    found = choose([variant("fast"), variant("near")], ctx)
    near = f"not near: about {round(0.98 * macs):,} instructions, too near"
    assert (found.variant.kernel, found.why) == ("fast", f"{mine}; {near}")
    assert found.brief == found.why


def test_a_person_reads_the_runner_up_and_nothing_that_the_core_lacks(known: dict[str, Any]) -> None:
    macs = 5 * 6 * 8 * 36
    known["conv window slower"] = {"coefficients": [0, 0, 3.0, 0], "error": 0.01}
    foreign, odd = variant("foreign", Foreign("no such core")), variant("odd", "4 channels")
    ladder = [foreign, odd, variant("fast"), variant("slower"), variant("slow"), variant("foreign", Foreign("no"))]
    found = choose(ladder, context(conv(4, 8), "dsp"))
    mine, slow = f"fast: gain (about {macs + 100:,} instructions)", f"not slow: about {2 * macs:,} instructions"
    slower = f"not slower: about {3 * macs:,} instructions"
    assert found.brief == f"{mine}; {slow}; not odd: 4 channels"
    assert found.why == f"{mine}; {slower}; {slow}; not foreign: no such core; not odd: 4 channels"
    overruling = choose([variant("slow"), variant("fast"), variant("slower")], context(conv(4, 8), "dsp"))
    assert overruling.brief == f"{mine}; {slow}; {slower}", "those that it overrules, and the runner-up behind it"
    alone = choose([foreign, variant("fast")], context(conv(4, 8), "dsp"))
    assert (alone.brief, alone.why) == ("fast: gain", "fast: gain; not foreign: no such core")


def test_without_costs_the_order_decides(known: dict[str, Any]) -> None:
    ladder = [variant("slow"), variant("fast")]
    for features in ((), ("fpu",), ("rv32m",)):
        assert choose(ladder, context(conv(4, 8), *features)).why == "slow: gain; not fast"
    pointwise = context(conv(4, 8, taps=1), "dsp")
    assert choose(ladder, pointwise).variant.kernel == "slow"
    assert choose([variant("unknown"), variant("fast")], context(conv(4, 8), "dsp")).variant.kernel == "unknown"


def test_every_kernel_can_be_asked_for_by_rank() -> None:
    ladder = [variant("a", "no"), variant("b"), variant("c")]
    ctx = context(conv(4, 8))
    asked = []
    for rank in range(3):
        with chosen_by_rank(rank):
            asked.append(choose(ladder, ctx).variant.kernel)
    assert asked == ["b", "c", "c"]
    assert choose(ladder, ctx).variant.kernel == "b"


def test_terms_count_what_is_read() -> None:
    assert costs.terms("k", context(conv(4, 8))) == (1, 240, 240 * 36, 30 * 36)
    assert costs.terms("k", context(conv(4, 4, groups=4))) == (1, 120, 120 * 9, 30 * 36)
    forms = (conv(4, 8), conv(4, 4, 4), conv(4, 8, taps=1), conv(3, 8), conv(3, 8, taps=1), conv(1, 1))
    assert [costs.key("k", context(g)) for g in forms] == [
        "conv window k", "conv depthwise k", "conv one tap k", "conv first k", "conv first tap k", "conv one channel k",
    ]  # fmt: skip
    assert costs.cores(frozenset({"dsp", "mve", "fpu"})) == "mve"
    assert costs.cores(frozenset({"fpu"})) is None


def test_the_recorded_costs_are_sound() -> None:
    for group, models in costs.recorded().items():
        assert group in costs.CORES
        for name, model in models.items():
            assert len(model["coefficients"]) == len(costs.names(name.split(" ")[0])), name
            assert min(model["coefficients"]) >= 0 < max(model["coefficients"]), name
            assert 0 <= model["error"] < 0.35, name
            assert model["held_out_layers"] >= 1, name
            assert 0 <= model["held_out"] < 0.4, name


def test_always_is_a_reason_for_everything() -> None:
    assert always(context(conv(4, 8))) is None


def pooled(op: str, channels: int, kernel: int, pad: int = 0, **attrs: Any) -> Context:
    builder = GraphBuilder("net")
    x = builder.input("x", (8, 8, channels), S8)
    window = {"kernel": (kernel, kernel), "stride": (kernel, kernel), "padding": (pad,) * 4}
    return context(builder.build([builder.node(op, "y", [x], S8, **window, **attrs)]), "mve", "dsp")


def test_terms_of_windows() -> None:
    # 16 windows of 4 elements in 6 channels, 2 of them behind the last four.
    halves = pooled("average_pool", 6, 2, include_pad=1)
    assert costs.terms("average_pool_dsp", halves) == (1, 96, 16, 64, 384, 128, 0, 0, 0)
    assert costs.terms("average_pool_scaled_mve", halves) == (1, 96, 16, 64, 384, 128, 16, 64, 0)
    assert costs.terms("k", pooled("average_pool", 4, 3, pad=1, include_pad=1))[-1] == 36, "by nine"
    assert costs.terms("k", pooled("average_pool", 4, 4, pad=2, include_pad=0))[-1] == 36, "by what each window sees"
    assert costs.terms("max_pool_mve", pooled("max_pool", 17, 2, dilation=(1, 1)))[-3:] == (32, 128, 0)
    assert len(costs.names("max_pool")) == len(costs.terms("k", halves))
