"""eq_argmax: against the operator's reference, equal codes and both zeros of minifloats included."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, needs_simulator, run

from edgeq.formats import Minifloat

pytestmark = needs_simulator


def grids(signed: int) -> list[int]:
    """Grid integer of each raw 5-bit code."""
    if signed == 2:
        return [int(g) for g in Minifloat(2, 2).to_grid(np.arange(32))]
    return [(raw ^ 16) - 16 if signed else raw for raw in range(32)]


@pytest.mark.parametrize("signed", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 7, 16])
@pytest.mark.parametrize("stalls", [(0, 0), (40, 60)])
def test_argmax(signed: int, count: int, stalls: tuple[int, int]) -> None:
    raw = np.random.default_rng(count).integers(0, 32, (30, count))
    raw[0], raw[1], raw[2, : count // 2], raw[2, count // 2 :] = 0, 31, 16, 0
    expected = [int(i) for i in np.argmax(np.array(grids(signed))[raw], axis=1)]
    out = run(
        "eq_argmax",
        {"BITS": 5, "SIGNED": signed, "COUNT": count, "OUT_BITS": 6},
        {"s": Source(5, [int(r) for r in raw.reshape(-1)])},
        {"m": Sink(6, 30)},
        stalls=stalls,
    )
    assert out.beats["m"] == expected


def test_a_wrong_order_is_seen() -> None:
    """The bench can fail: codes compared by a wrong rule choose another."""
    rows = [
        run("eq_argmax", {"BITS": 2, "SIGNED": s, "COUNT": 2}, {"s": Source(2, [3, 1])}, {"m": Sink(8, 1)})
        for s in (0, 1)
    ]
    assert [row.beats["m"] for row in rows] == [[0], [1]]
