"""eq_add: every operation on operands of different widths, signs, zero points and grids; streams that stall apart."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, needs_simulator, run

pytestmark = needs_simulator
OPS = [operator.add, operator.sub, operator.mul, max, min]
#: (bits, signed, zero point, left) of a and b
OPERANDS = [
    ((8, 1, 0, 0), (8, 1, 0, 0)),
    ((8, 1, -128, 3), (8, 1, 127, 0)),
    ((5, 0, 31, 0), (11, 1, -7, 2)),
    ((16, 1, 0, 0), (4, 0, 0, 9)),
]


def codes(bits: int, signed: int, count: int, seed: int) -> list[int]:
    """Both extremes and random codes."""
    lo, hi = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    random = np.random.default_rng(seed).integers(lo, hi + 1, count - 4)
    return [lo, hi, lo, hi, *map(int, random)] if seed % 2 else [lo, hi, hi, lo, *map(int, random)]


@pytest.mark.parametrize("op", range(5))
@pytest.mark.parametrize("operands", OPERANDS)
@pytest.mark.parametrize("stalls", [(0, 0), (40, 50)])
def test_add(op: int, operands: tuple[tuple[int, int, int, int], ...], stalls: tuple[int, int]) -> None:
    (bits_a, signed_a, zero_a, left_a), (bits_b, signed_b, zero_b, left_b) = operands
    a, b = codes(bits_a, signed_a, 60, 1), codes(bits_b, signed_b, 60, 2)
    grids = [((x - zero_a) << left_a, (y - zero_b) << left_b) for x, y in zip(a, b, strict=True)]
    expected = [OPS[op](x, y) for x, y in grids]
    bits = max(max(v.bit_length(), (~v).bit_length()) for v in expected) + 1
    out = run(
        "eq_add",
        {"LANES": 2, "BITS_A": bits_a, "SIGNED_A": signed_a, "ZERO_A": zero_a, "LEFT_A": left_a, "OP": op}
        | {"BITS_B": bits_b, "SIGNED_B": signed_b, "ZERO_B": zero_b, "LEFT_B": left_b, "OUT_BITS": bits},
        {"a": Source(2 * bits_a, beats_of(a, 2, bits_a)), "b": Source(2 * bits_b, beats_of(b, 2, bits_b))},
        {"m": Sink(2 * bits, 30)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], 2, bits, True) == expected
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == 29, "one beat a cycle"


def test_a_wrong_zero_point_is_seen() -> None:
    """The bench can fail: a zero point changes every sum."""
    streams = {"a": Source(8, [1, 2]), "b": Source(8, [3, 4])}
    results = [
        elements(run("eq_add", {"ZERO_B": zero}, streams, {"m": Sink(16, 2)}).beats["m"], 1, 16, True)
        for zero in (0, 1)
    ]
    assert results == [[4, 6], [3, 5]]
