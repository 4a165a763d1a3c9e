"""eq_max_pool: the greatest code of each window, padding never wins, against the grids of the formats."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, needs_simulator, run

from edgeq.formats import Minifloat

pytestmark = needs_simulator


def windows(taps: int, count: int) -> np.ndarray:
    """Which taps of each window are inside: at least one."""
    inside = np.random.default_rng(taps).random((count, taps)) < 0.7
    inside[np.arange(count), np.arange(count) % taps] = True
    return inside


@pytest.mark.parametrize("signed", [0, 1, 2])
@pytest.mark.parametrize("taps", [1, 4, 9])
@pytest.mark.parametrize("stalls", [(0, 0), (40, 60)])
def test_max_pool(signed: int, taps: int, stalls: tuple[int, int]) -> None:
    bits, lanes, count = 6, 2, 40
    raw = np.random.default_rng(signed).integers(0, 64, (count, taps, lanes))
    raw[0], raw[1] = 32, 63
    fmt = Minifloat(3, 2)
    grid = fmt.to_grid(raw) if signed == 2 else (raw ^ 32) - 32 if signed else raw
    inside = windows(taps, count)
    best = np.where(inside[:, :, None], grid, -(1 << 40)).max(axis=1)
    expected = [int(c) % 64 for c in (fmt.from_grid(best) if signed == 2 else best).reshape(-1)]
    beats = [b | int(i) << 12 for b, i in zip(beats_of(raw.reshape(-1), lanes, bits), inside.reshape(-1), strict=True)]
    out = run(
        "eq_max_pool",
        {"BITS": bits, "SIGNED": signed, "LANES": lanes, "TAPS": taps},
        {"s": Source(13, beats, fields=(("data", 12), ("inside", 1)))},
        {"m": Sink(12, count)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], lanes, bits, False) == expected
    if stalls == (0, 0):
        assert out.cycles["s"][-1] - out.cycles["s"][0] == taps * count - 1, "one tap a cycle"


def test_padding_is_seen() -> None:
    """The bench can fail: the same codes with another tap inside give another result."""
    fields = (("data", 8), ("inside", 1))
    found = []
    for inside in ([1, 1], [1, 0]):
        beats = [code | i << 8 for code, i in zip([3, 9], inside, strict=True)]
        found.append(run("eq_max_pool", {"TAPS": 2}, {"s": Source(9, beats, fields)}, {"m": Sink(8, 1)}).beats["m"])
    assert found == [[9], [3]]
