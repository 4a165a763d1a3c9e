"""eq_concat: beats of several streams in turn."""

from __future__ import annotations

import pytest
from hls.harness import Sink, Source, needs_simulator, run

pytestmark = needs_simulator


def packed(beats: list[int]) -> int:
    """The parameter BEATS."""
    return sum(count << (32 * index) for index, count in enumerate(beats))


@pytest.mark.parametrize("beats", [[1, 1], [3, 1], [2, 5, 1], [4]])
@pytest.mark.parametrize("stalls", [(0, 0), (50, 40)])
def test_concat(beats: list[int], stalls: tuple[int, int]) -> None:
    pixels = 20
    values = [[(37 * i + 11 * index + 3) % 256 for i in range(pixels * n)] for index, n in enumerate(beats)]
    expected = [
        v for p in range(pixels) for row, n in zip(values, beats, strict=True) for v in row[p * n : (p + 1) * n]
    ]
    out = run(
        "eq_concat",
        {"BITS": 8, "N": len(beats), "BEATS": packed(beats)},
        {f"s[{index}]": Source(8, row) for index, row in enumerate(values)},
        {"m": Sink(8, len(expected))},
        stalls=stalls,
    )
    assert out.beats["m"] == expected
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == len(expected) - 1, "one beat a cycle"


def test_a_wrong_length_is_seen() -> None:
    """The bench can fail: other numbers of beats give another order."""
    sources = {f"s[{index}]": Source(8, [10 * index + i for i in range(4)]) for index in range(2)}
    found = [run("eq_concat", {"BEATS": packed([n, n])}, sources, {"m": Sink(8, 8)}).beats["m"] for n in (1, 2)]
    assert found == [[0, 10, 1, 11, 2, 12, 3, 13], [0, 1, 10, 11, 2, 3, 12, 13]]
