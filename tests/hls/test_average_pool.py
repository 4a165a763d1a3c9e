"""eq_average_pool against the operator `average_pool`: every rule, border counts, zero points, grids."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, needs_simulator, run

from edgeq.formats import Affine, FixedPoint, Format, encode

pytestmark = needs_simulator
RULES = {"half_up": 0, "half_even": 1, "floor": 2, "code_half_away": 4}
#: of fixed point only
FIXED = {"half_away": 4, "half_down": 5, "half_to_zero": 6, "to_zero": 7}
#: input and output formats
FORMATS: list[tuple[Format, Format]] = [
    (FixedPoint(8, 4), FixedPoint(8, 4)),
    (FixedPoint(6, 3, False), FixedPoint(8, 6)),
    (FixedPoint(8, 6), FixedPoint(5, 2)),
    (Affine(8, True, -128, 0.5), Affine(8, True, -128, 0.5)),
    (Affine(8, True, 7, 0.5), Affine(8, True, -3, 0.5)),
    (Affine(8, False, 128, 0.5), Affine(8, False, 128, 0.5)),
]


def samples(fmt: Format, taps: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes (windows, taps) and which are inside: extremes, sums at ties, random."""
    lo, hi = fmt.code_range
    rng = np.random.default_rng(taps)
    codes = rng.integers(lo, hi + 1, (count, taps))
    codes[0], codes[1] = lo, hi
    for window in range(2, count // 2):  # sums that run through every remainder, near zero on both sides
        codes[window] = np.clip(fmt.from_grid(np.zeros(taps, dtype=np.int64)), lo, hi)
        left = window - count // 4
        for tap in range(taps):
            step = int(np.clip(left, lo - codes[window, tap], hi - codes[window, tap]))
            codes[window, tap] += step
            left -= step
    inside = rng.random((count, taps)) < 0.7
    inside[:, 0] = True
    return codes, inside


@pytest.mark.sample(3)
@pytest.mark.parametrize("rule", [*RULES, *FIXED])
@pytest.mark.parametrize("formats", FORMATS, ids=str)
@pytest.mark.parametrize(("taps", "count_pad"), [(4, 1), (9, 1), (9, 0), (4, 0), (64, 1)])
def test_average_pool(rule: str, formats: tuple[Format, Format], taps: int, count_pad: int) -> None:
    source, target = formats
    if rule == "code_half_away" and not isinstance(target, Affine):
        pytest.skip("a rule of affine formats")
    if rule in FIXED and (isinstance(target, Affine) or (taps, count_pad) not in ((4, 1), (9, 0))):
        pytest.skip("a rule of fixed point; once by a shift and once by a division")
    codes, inside = samples(source, taps, 24 if taps == 64 else 48)
    num = np.where(inside, source.to_grid(codes), 0).sum(axis=1)
    den = np.full(len(codes), taps) if count_pad else inside.sum(axis=1)
    lo, hi = target.grid_range
    lo += 3
    expected = target.from_grid(np.clip(encode(num, np.asarray(source.frac), target, rule, den), lo, hi))
    zeros = [fmt.zero_point if isinstance(fmt, Affine) else 0 for fmt in formats]
    width = source.bits
    beats = [
        b | int(i) << width for b, i in zip(beats_of(codes.reshape(-1), 1, width), inside.reshape(-1), strict=True)
    ]
    out = run(
        "eq_average_pool",
        {"BITS": width, "SIGNED": int(source.code_range[0] < 0), "TAPS": taps, "ZERO": zeros[0], "COUNT_PAD": count_pad}
        | {"SHIFT": target.frac - source.frac, "RULE": (RULES | FIXED)[rule], "LO": lo, "HI": hi, "ZERO_OUT": zeros[1]}
        | {"OUT_BITS": target.bits},
        {"s": Source(width + 1, beats, fields=(("data", width), ("inside", 1)))},
        {"m": Sink(target.bits, len(codes))},
        stalls=(0, 0) if taps == 9 else (20, 50),
    )
    assert elements(out.beats["m"], 1, target.bits, target.code_range[0] < 0) == [int(c) for c in expected]


def test_lanes_and_rate() -> None:
    """Four lanes, 2×2 windows: one tap a cycle; 3×3: the division decides."""
    for taps, cycles in ((4, 4), (9, 16)):
        codes = np.random.default_rng(taps).integers(-128, 128, (30, taps, 4))
        expected = encode(codes.sum(axis=1), np.asarray(4), FixedPoint(8, 4), "half_up", taps)
        beats = [beat | 1 << 32 for beat in beats_of(codes.reshape(-1), 4, 8)]
        out = run(
            "eq_average_pool",
            {"LANES": 4, "TAPS": taps},
            {"s": Source(33, beats, fields=(("data", 32), ("inside", 1)))},
            {"m": Sink(32, 30)},
        )
        assert elements(out.beats["m"], 4, 8, True) == [int(c) for c in expected.reshape(-1)]
        assert out.cycles["m"][-1] - out.cycles["m"][0] <= 29 * cycles


@pytest.mark.parametrize(("taps", "count_pad", "shift"), [(9, 1, 2), (9, 0, -1), (6, 1, 5)])
def test_quotients_to_odd(taps: int, count_pad: int, shift: int) -> None:
    """For a stage behind that rounds once more: truncated, with a one at the end where anything is left."""
    codes, inside = samples(FixedPoint(8, 4), taps, 48)
    num = np.where(inside, codes, 0).sum(axis=1) << max(shift, 0)
    den = (np.full(len(codes), taps) if count_pad else inside.sum(axis=1)) << max(-shift, 0)
    whole, rest = np.divmod(np.abs(num), den)
    expected = np.clip(np.sign(num) * (whole | (rest > 0)), -2000, 3000)
    beats = [int(b) | int(i) << 8 for b, i in zip(codes.reshape(-1) & 255, inside.reshape(-1), strict=True)]
    out = run(
        "eq_average_pool",
        {"TAPS": taps, "COUNT_PAD": count_pad, "SHIFT": shift, "RULE": 8, "LO": -2000, "HI": 3000, "OUT_BITS": 13},
        {"s": Source(9, beats, fields=(("data", 8), ("inside", 1)))},
        {"m": Sink(13, len(codes))},
        stalls=(20, 50),
    )
    assert elements(out.beats["m"], 1, 13, True) == [int(q) for q in expected]


def test_a_wrong_rule_is_seen() -> None:
    """The bench can fail: a tie goes three ways."""
    beats = [code % 256 | 256 for code in (1, 0, -1, 0, 3, 0)]
    source = {"s": Source(9, beats, fields=(("data", 8), ("inside", 1)))}
    found = [
        elements(run("eq_average_pool", {"TAPS": 2, "RULE": rule}, source, {"m": Sink(8, 3)}).beats["m"], 1, 8, True)
        for rule in RULES.values()
    ]
    assert found == [[1, 0, 2], [0, 0, 2], [0, -1, 1], [1, -1, 2]]
