"""eq_fifo, eq_lanes, eq_fork: order kept, nothing lost, full throughput, under random gaps and back-pressure."""

from __future__ import annotations

import random

import pytest
from hls.harness import Sink, Source, beats_of, elements, needs_simulator, run

pytestmark = needs_simulator
STALLS = [(0, 0), (50, 0), (0, 60), (40, 40)]


def words(count: int, bits: int, seed: int = 0) -> list[int]:
    """Random words."""
    return [random.Random(seed * 1000 + index).getrandbits(bits) for index in range(count)]


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 17, 32, 33, 40])
@pytest.mark.parametrize("stalls", STALLS)
def test_fifo_keeps_order(depth: int, stalls: tuple[int, int]) -> None:
    beats = words(150, 12, depth)
    result = run(
        "eq_fifo", {"WIDTH": 12, "DEPTH": depth}, {"s": Source(12, beats)}, {"m": Sink(12, 150)}, stalls=stalls
    )
    assert result.beats["m"] == beats
    if stalls == (0, 0):
        cycles = result.cycles["m"]
        assert cycles[-1] - cycles[0] == 149, "one beat a cycle"


@pytest.mark.parametrize("depth", [2, 3, 16, 32, 33, 100])
def test_fifo_holds_its_depth(depth: int) -> None:
    """With a reader that hardly reads, the writer gets DEPTH beats in before the first one leaves."""
    beats = words(depth + 40, 8)
    sinks = {"m": Sink(8, len(beats))}
    result = run("eq_fifo", {"WIDTH": 8, "DEPTH": depth}, {"s": Source(8, beats)}, sinks, stalls=(0, 99))
    first = result.cycles["m"][0]
    held = sum(cycle <= first for cycle in result.cycles["s"])
    assert held >= min(depth, first - result.cycles["s"][0] + 1)
    assert result.beats["m"] == beats


@pytest.mark.parametrize(("into", "out"), [(1, 1), (1, 2), (1, 3), (1, 4), (2, 8), (2, 1), (3, 1), (4, 1), (8, 2)])
@pytest.mark.parametrize("stalls", STALLS)
def test_lanes(into: int, out: int, stalls: tuple[int, int]) -> None:
    values = words(into * out * 12, 5, into * 10 + out)
    source, sink = Source(5 * into, beats_of(values, into, 5)), Sink(5 * out, len(values) // out)
    result = run("eq_lanes", {"BITS": 5, "IN": into, "OUT": out}, {"s": source}, {"m": sink}, stalls=stalls)
    assert elements(result.beats["m"], out, 5, False) == values
    if stalls == (0, 0):
        narrow = result.cycles["m" if out <= into else "s"]
        assert narrow[-1] - narrow[0] == len(values) // min(into, out) - 1, "one beat a cycle on the narrow side"


@pytest.mark.parametrize("branches", [1, 2, 3])
@pytest.mark.parametrize("stalls", STALLS)
def test_fork(branches: int, stalls: tuple[int, int]) -> None:
    beats = words(100, 9)
    sinks = {f"m[{index}]": Sink(9, 100) for index in range(branches)}
    result = run("eq_fork", {"WIDTH": 9, "N": branches}, {"s": Source(9, beats)}, sinks, stalls=stalls)
    assert all(result.beats[name] == beats for name in sinks)
    if stalls == (0, 0):
        assert result.cycles["s"][-1] - result.cycles["s"][0] == 99
