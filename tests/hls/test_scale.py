"""eq_scale: every rule and style, per channel and not, equal to edgeq.formats.scale; conformance vectors; rate."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, memory, needs_simulator, run
from hls.vectors import scale_vectors

from edgeq.formats import scale

pytestmark = needs_simulator
RULES = {"half_up": 0, "half_even": 1, "floor": 2, "tflite": 3}
#: STYLE and CYCLES of each kind of multiplier
KINDS = [("lut", 1), ("lut", 5), ("lut", 9), ("lut", 17), ("dsp", 1)]


def table(multipliers: list[int], shifts: list[int], lanes: int) -> str:
    """The file of a table of channels."""
    entries = [(s << 31) | m for m, s in zip(multipliers, shifts, strict=True)]
    return memory(beats_of(entries, lanes, 37), 37 * lanes)


def expected(x: list[int], multipliers: list[int], shifts: list[int], rule: str, lo: int, hi: int) -> list[int]:
    """Grid integers by the reference; channels are the last axis."""
    grid = scale(np.array(x).reshape(-1, len(multipliers)), np.array(multipliers), np.array(shifts), rule)
    return [int(v) for v in np.clip(grid, lo, hi).reshape(-1)]


def ties(multiplier: int, shift: int, bits: int) -> list[int]:
    """Numbers whose product with the multiplier lies at or beside a tie of the last rounding."""
    found = []
    for half in (-7, -5, -3, -1, 1, 3, 5, 7, 255, -257):
        x = (half << shift) // (2 * max(multiplier, 1))
        found += [n for n in (x - 1, x, x + 1, x + 2) if -(1 << (bits - 1)) <= n < 1 << (bits - 1)]
    return found or [0, 1, -1]


@pytest.mark.sample(2)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_some_vectors(rule: str, kind: int) -> None:
    """Sixty vectors for each kind of multiplier, and others for each."""
    vectors = scale_vectors(rule, 40)[kind :: len(KINDS)]
    check_vectors(rule, kind, vectors[kind :: max(len(vectors) // 60, 1)])


@pytest.mark.heavy
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_vectors(rule: str, kind: int) -> None:
    check_vectors(rule, kind, scale_vectors(rule, 40))


def check_vectors(rule: str, kind: int, vectors: list[tuple[int, int, int, int]]) -> None:
    """Each vector is a channel of its own: all shifts and multipliers in one table."""
    style, cycles = KINDS[kind]
    multipliers, shifts, numbers, results = (list(column) for column in zip(*vectors, strict=True))
    lo, hi = -(1 << 30), (1 << 30) - 1
    out = run(
        "eq_scale",
        {"IN_BITS": 40, "OUT_BITS": 32, "CHANNELS": len(vectors), "TABLE": "t.mem", "RULE": RULES[rule], "LO": lo}
        | {"HI": hi, "STYLE": style, "CYCLES": cycles},
        {"s": Source(40, numbers)},
        {"m": Sink(32, len(numbers))},
        files={"t.mem": table(multipliers, shifts, 1)},
    )
    assert elements(out.beats["m"], 1, 32, True) == [min(max(r, lo), hi) for r in results]


@pytest.mark.sample(2)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("style", "cycles"), KINDS)
def test_channels(rule: str, style: str, cycles: int) -> None:
    """Two lanes, multipliers per channel in a narrow range of shifts, int8 codes with a zero point; the rate."""
    for stalls in ((0, 0), (40, 60)) if RULES[rule] % 2 else ((0, 0),):
        check_channels(rule, style, cycles, stalls)


def check_channels(rule: str, style: str, cycles: int, stalls: tuple[int, int]) -> None:
    rng = np.random.default_rng(RULES[rule] + cycles)
    multipliers = [int(m) for m in rng.integers(1 << 30, 1 << 31, 6)]
    shifts = [36, 37, 39, 40, 41, 43]
    x = [int(v) for v in rng.integers(-(1 << 17), 1 << 17, 6 * 20)]
    out = run(
        "eq_scale",
        {"LANES": 2, "IN_BITS": 24, "CHANNELS": 6, "TABLE": "t.mem", "SHIFT_MIN": 36, "SHIFT_MAX": 43, "LO": -112}
        | {"HI": 127 + 16, "ZERO": -16, "RULE": RULES[rule], "STYLE": style, "CYCLES": cycles},
        {"s": Source(48, beats_of(x, 2, 24))},
        {"m": Sink(16, len(x) // 2)},
        files={"t.mem": table(multipliers, shifts, 2)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], 2, 8, True) == [g - 16 for g in expected(x, multipliers, shifts, rule, -112, 143)]
    if stalls == (0, 0):
        taken = out.cycles["m"]
        assert taken[-1] - taken[0] == (len(taken) - 1) * cycles, "the rate that CYCLES promises"


@pytest.mark.sample(2)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("cycles", "multiplier", "shift"),
    [
        *[(17, 0, 31), (1, 1, 0), (9, 3, 2), (1, 1 << 30, 31), (17, (1 << 31) - 1, 32), (9, 1 << 30, 40)],
        *[(1, 3, 2), (1, 0x55555555, 34), (5, 0x7FFFFFFF, 62), (17, 1431655765, 30)],
    ],
)
def test_one_multiplier(rule: str, cycles: int, multiplier: int, shift: int) -> None:
    """One constant for all channels; ties, extremes and saturation."""
    numbers = [*ties(multiplier, shift, 24), -(1 << 23), (1 << 23) - 1, 0, 1, -1, 127, -128, 128, -129]
    numbers += [int(v) for v in np.random.default_rng(shift).integers(-(1 << 23), 1 << 23, 20)]
    out = run(
        "eq_scale",
        {"IN_BITS": 24, "MULTIPLIER": multiplier, "SHIFT": shift, "RULE": RULES[rule], "CYCLES": cycles},
        {"s": Source(24, numbers)},
        {"m": Sink(8, len(numbers))},
    )
    assert elements(out.beats["m"], 1, 8, True) == expected(numbers, [multiplier], [shift], rule, -128, 127)


@pytest.mark.parametrize(("style", "cycles"), KINDS)
@pytest.mark.parametrize("bits", [4, 16, 19])
def test_narrow_numbers(bits: int, style: str, cycles: int) -> None:
    """Accumulators of few bits, codes of four bits, the device's multipliers with one factor and with two."""
    numbers = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1, *range(-8, 8)]
    out = run(
        "eq_scale",
        {"IN_BITS": bits, "MULTIPLIER": 0x6DB6DB6D, "SHIFT": 33, "OUT_BITS": 4, "LO": -8, "HI": 7, "STYLE": style}
        | {"CYCLES": cycles},
        {"s": Source(bits, numbers)},
        {"m": Sink(4, len(numbers))},
    )
    assert elements(out.beats["m"], 1, 4, True) == expected(numbers, [0x6DB6DB6D], [33], "tflite", -8, 7)


def test_a_wrong_table_is_seen() -> None:
    """The bench can fail: the last bit of one multiplier changes that channel's codes and no other's."""
    parameters = {"IN_BITS": 24, "CHANNELS": 2, "TABLE": "t.mem", "SHIFT_MIN": 31, "SHIFT_MAX": 34, "RULE": 2}
    codes = []
    for last in (0, -1):
        files = {"t.mem": table([1 << 30, (1 << 30) + last], [31, 31], 1)}
        out = run("eq_scale", parameters, {"s": Source(24, [2, 2, 4, 4])}, {"m": Sink(8, 4)}, files=files)
        codes.append(elements(out.beats["m"], 1, 8, True))
    assert codes == [[1, 1, 2, 2], [1, 0, 2, 1]]
