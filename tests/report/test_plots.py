"""Histograms and the timeline against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Value
from edgeq.mcu.storage import value_bytes
from edgeq.report.histograms import histogram
from edgeq.report.timeline import timeline
from edgeq.schedule import make_plan
from tests.verify.nets import residual_net


def test_a_histogram_counts_codes_over_the_representable_range() -> None:
    value = Value("w", (6,), FixedPoint(4, 3), source="layer")
    found = histogram(value, np.array([-8, -8, 0, 1, 7, 0]), "weight")
    assert (found.lo, found.hi) == (-1.0, 0.875)
    assert len(found.counts) == 16
    assert found.counts[0] == 2
    assert found.counts[8] == 2
    assert found.counts[9] == found.counts[15] == 1
    assert sum(found.counts) == found.total == 6
    assert found.used == 1
    assert found.saturated == pytest.approx(3 / 6)
    assert found.zeros == pytest.approx(2 / 6)


def test_zeros_of_an_unsigned_format_are_no_saturation() -> None:
    found = histogram(Value("y", (4,), FixedPoint(4, 2, False)), np.array([0, 0, 3, 15]), "activation")
    assert (found.lo, found.hi) == (0, 3.75)
    assert found.saturated == pytest.approx(1 / 4)
    assert found.zeros == pytest.approx(1 / 2)


def test_a_histogram_of_a_minifloat_is_over_its_values() -> None:
    found = histogram(Value("w", (4,), NAMED["e2m1"]), np.array([0, 7, 15, 1]), "weight")
    assert (found.lo, found.hi) == (-6.0, 6.0)
    assert sum(found.counts) == 4
    assert found.counts[0] == found.counts[-1] == 1


def test_wide_and_per_channel_formats_have_few_bars() -> None:
    value = Value("w", (2, 3), FixedPoint(16, (4, 6), axis=0))
    found = histogram(value, np.array([[0, 1, 2], [-32768, 5, 32767]]), "weight")
    assert len(found.counts) == 64
    assert sum(found.counts) == 6
    assert found.lo == -2048


def test_blocks_of_the_timeline_lie_where_the_plan_says() -> None:
    net = residual_net()
    plan = make_plan(net, {v.name: value_bytes(v) for v in net.values.values() if not v.constant})
    found = timeline(plan)
    assert found.arena_bytes == plan.arena_bytes
    assert len(found.steps) == len(found.live) == len(net.nodes) + 2
    assert max(found.live) <= 100
    for block in found.blocks:
        place = plan.buffers[block.value]
        assert block.height == pytest.approx(100 * place.bytes / plan.arena_bytes)
        assert block.y + block.height == pytest.approx(100 - 100 * place.offset / plan.arena_bytes)
        assert block.x == pytest.approx(100 * place.first / plan.times)
        assert block.x + block.width == pytest.approx(100 * (place.last + 1) / plan.times)
    # Buffers that live at the same time do not overlap in the picture either.
    for i, a in enumerate(found.blocks):
        for b in found.blocks[:i]:
            apart_in_time = a.x + a.width <= b.x + 1e-9 or b.x + b.width <= a.x + 1e-9
            apart_in_space = a.y + a.height <= b.y + 1e-9 or b.y + b.height <= a.y + 1e-9
            assert apart_in_time or apart_in_space
