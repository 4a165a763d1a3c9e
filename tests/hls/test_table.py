"""eq_table: entries by the raw bits of the code, as the operator `table` says."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, memory, needs_simulator, run

pytestmark = needs_simulator


@pytest.mark.parametrize("rom", ["auto", "block", "distributed"])
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("stalls", [(0, 0), (40, 60)])
def test_table(rom: str, lanes: int, stalls: tuple[int, int]) -> None:
    """Signed 6-bit codes to signed 11-bit entries; every code is asked for."""
    rng = np.random.default_rng(lanes)
    entries = {code: int(rng.integers(-1024, 1024)) for code in range(-32, 32)}
    codes = [*range(-32, 32), *(int(c) for c in rng.integers(-32, 32, 3 * 64 - 64))]
    words = [entries[(raw ^ 32) - 32] for raw in range(64)]
    out = run(
        "eq_table",
        {"LANES": lanes, "IN_BITS": 6, "OUT_BITS": 11, "FILE": "t.mem", "ROM": rom},
        {"s": Source(6 * lanes, beats_of(codes, lanes, 6))},
        {"m": Sink(11 * lanes, len(codes) // lanes)},
        files={"t.mem": memory(words, 11)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], lanes, 11, True) == [entries[c] for c in codes]
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == len(codes) // lanes - 1, "one beat a cycle"


def test_a_wrong_entry_is_seen() -> None:
    """The bench can fail: one entry changed is one output changed."""
    words = list(range(16))
    results = []
    for last in (15, 14):
        files = {"t.mem": memory([*words[:-1], last], 4)}
        parameters = {"IN_BITS": 4, "OUT_BITS": 4, "FILE": "t.mem"}
        results.append(run("eq_table", parameters, {"s": Source(4, words)}, {"m": Sink(4, 16)}, files=files).beats["m"])
    assert results == [words, [*words[:-1], 14]]
