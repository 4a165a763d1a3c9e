"""eq_shift: the output stage of power-of-two scales against edgeq.formats.encode, ties and saturation included."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, memory, needs_simulator, run
from hls.vectors import lines

from edgeq.formats import FixedPoint, overflow, round_ratio

pytestmark = needs_simulator
RULES = {"half_up": 0, "half_even": 1, "floor": 2, "half_away": 4, "half_down": 5, "half_to_zero": 6, "to_zero": 7}
OVERFLOW = {"saturate": 0, "zero": 1, "wrap": 2}


def rounded(numbers: list[int], shifts: list[int], rule: str, lo: int, hi: int) -> list[int]:
    """number / 2^shift by the reference, shifts along the last axis."""
    x, s = np.array(numbers).reshape(-1, len(shifts)), np.array(shifts)
    grid = round_ratio(x << np.maximum(-s, 0), np.int64(1) << np.maximum(s, 0), rule)
    return [int(v) for v in np.clip(grid, lo, hi).reshape(-1)]


def samples(bits: int, shift: int, count: int = 40) -> list[int]:
    """Ties, their neighbours, extremes and random numbers."""
    half = 1 << max(shift - 1, 0)
    near = [odd * half + d for odd in range(-5, 6) for d in (-1, 0, 1)] + [-(1 << (bits - 1)), (1 << (bits - 1)) - 1]
    edge = [sign * (127 * 2 * half + half + d) for sign in (1, -1) for d in (-1, 0, 1)]
    rng = np.random.default_rng(shift + 64).integers(-(1 << (bits - 1)), 1 << (bits - 1), count)
    return [n for n in [*near, *edge, *map(int, rng)] if -(1 << (bits - 1)) <= n < 1 << (bits - 1)]


@pytest.mark.sample(2)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 7, 19, 20, 40])
def test_one_shift(rule: str, shift: int) -> None:
    numbers = samples(20, shift)
    out = run(
        "eq_shift",
        {"IN_BITS": 20, "SHIFT": shift, "RULE": RULES[rule], "LO": -120, "HI": 127, "ZERO": 5, "OUT_BITS": 9},
        {"s": Source(20, numbers)},
        {"m": Sink(9, len(numbers))},
    )
    assert elements(out.beats["m"], 1, 9, True) == [g + 5 for g in rounded(numbers, [shift], rule, -120, 127)]
    assert out.cycles["m"][-1] - out.cycles["m"][0] == len(numbers) - 1, "one beat a cycle"


@pytest.mark.sample(2)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shifts", [[3, 4, 5, 6, 3, 10], [-2, 0, 1, 12], [20, 20], [0, 62]])
@pytest.mark.parametrize("stalls", [(0, 0), (40, 60)])
def test_channels(rule: str, shifts: list[int], stalls: tuple[int, int]) -> None:
    """Shifts per channel, two lanes, unsigned 6-bit codes (a ReLU)."""
    numbers = [n for group in zip(*(samples(24, s) for s in shifts), strict=False) for n in group]
    words = beats_of(shifts, 2, 8)
    out = run(
        "eq_shift",
        {"LANES": 2, "IN_BITS": 24, "OUT_BITS": 6, "CHANNELS": len(shifts), "SHIFTS": "t.mem", "LO": 0, "HI": 63}
        | {"SHIFT_MIN": min(shifts), "SHIFT_MAX": max(shifts), "RULE": RULES[rule]},
        {"s": Source(48, beats_of(numbers, 2, 24))},
        {"m": Sink(12, len(numbers) // 2)},
        files={"t.mem": memory(words, 16)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], 2, 6, False) == rounded(numbers, shifts, rule, 0, 63)
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == len(numbers) // 2 - 1, "one beat a cycle"


@pytest.mark.sample(2)
@pytest.mark.parametrize("shift", [-3, 0, 2, 20])
@pytest.mark.parametrize("mode", ["zero", "wrap"])
@pytest.mark.parametrize(("signed", "clamp"), [(True, 0), (False, 0), (True, 1), (False, 2)])
def test_overflow(mode: str, shift: int, signed: bool, clamp: int) -> None:
    """Numbers beyond 6 bits, each way; a bound of the node's own clamps before. As fast as saturation, beat by beat."""
    fmt, numbers = FixedPoint(6, 0, signed), samples(12, shift) + list(range(-150, 150, 7))
    lo, hi = fmt.grid_range
    own = (lo + 3 if clamp & 1 else None, hi - 5 if clamp & 2 else None)
    bounds = {"LO": lo if own[0] is None else own[0], "HI": hi if own[1] is None else own[1], "OUT_BITS": 6}
    common: dict[str, int | str] = {"IN_BITS": 12, "SHIFT": shift, "RULE": RULES["to_zero"], **bounds}
    found = []
    for overflowing in ({"OVERFLOW": OVERFLOW[mode], "CLAMP": clamp}, {}):
        out = run("eq_shift", {**common, **overflowing}, {"s": Source(12, numbers)}, {"m": Sink(6, len(numbers))})
        found.append((elements(out.beats["m"], 1, 6, signed), out.cycles["m"]))
    grid = round_ratio(np.array(numbers) << max(-shift, 0), 1 << max(shift, 0), "to_zero")
    assert found[0][0] == overflow(grid, fmt, mode, own).tolist()
    assert found[1][0] == np.clip(grid, bounds["LO"], bounds["HI"]).tolist()
    assert found[0][1] == found[1][1], "the same cycles"


@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor"])
def test_vectors(rule: str) -> None:
    """Vectors of 8-bit formats without a divisor whose numbers fit 62 bits: each with its shift as a channel."""
    shifts, numbers, codes = [], [], []
    for bits, point, signed, name, num, frac, den, code in lines("encode_fixed.txt", "encode fixed"):
        shift = int(frac) - int(point)
        if (name, bits, signed, den) == (rule, "8", "1", "1") and -8 <= shift <= 62:
            shifts.append(shift)
            numbers.append(int(num))
            codes.append(int(code))
    assert len(codes) > 20
    out = run(
        "eq_shift",
        {"IN_BITS": 63, "CHANNELS": len(codes), "SHIFTS": "t.mem", "SHIFT_MIN": -8, "SHIFT_MAX": 62}
        | {"RULE": RULES[rule]},
        {"s": Source(63, numbers)},
        {"m": Sink(8, len(codes))},
        files={"t.mem": memory(shifts, 8)},
    )
    assert elements(out.beats["m"], 1, 8, True) == codes


def test_a_wrong_rule_is_seen() -> None:
    """The bench can fail: no two rules agree on ties and what lies beside them."""
    codes, numbers = [], [-7, -6, -2, 2, 5, 6, 7]
    for rule in RULES.values():
        out = run("eq_shift", {"SHIFT": 2, "RULE": rule}, {"s": Source(24, numbers)}, {"m": Sink(8, 7)})
        codes.append(elements(out.beats["m"], 1, 8, True))
    assert codes[:4] == [
        [-2, -1, 0, 1, 1, 2, 2],
        [-2, -2, 0, 0, 1, 2, 2],
        [-2, -2, -1, 0, 1, 1, 1],
        [-2, -2, -1, 1, 1, 2, 2],
    ]
    assert codes[4:] == [[-2, -2, -1, 0, 1, 1, 2], [-2, -1, 0, 0, 1, 1, 2], [-1, -1, 0, 0, 1, 1, 1]]
