"""eq_decode and the minifloats of eq_shift against edgeq.formats: every code, every midpoint, saturation."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, memory, needs_simulator, run

from edgeq.errors import FormatError
from edgeq.formats import NAMED, Minifloat, encode

pytestmark = needs_simulator
RULES = {"half_up": 0, "half_even": 1, "floor": 2}
FORMATS = {
    **{name: NAMED[name] for name in ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")},
    "e1m1": Minifloat(1, 1),
    "e2m0": Minifloat(2, 0),
    "e3m0": Minifloat(3, 0),
    "e1m6": Minifloat(1, 6),
    "e4m3-fnuz": Minifloat(4, 3, specials="fnuz"),
    "e5m2-ocp": Minifloat(5, 2, specials="ocp"),
}


def finite(fmt: Minifloat) -> list[int]:
    """Codes that are numbers."""
    found = []
    for code in range(1 << fmt.bits):
        try:
            fmt.to_grid_scalar(code)
        except FormatError:
            continue
        found.append(code)
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_code_is_decoded(name: str) -> None:
    fmt = FORMATS[name]
    codes, bits = finite(fmt), fmt.mantissa + (1 << fmt.exponent)
    out = run(
        "eq_decode",
        {"EXPONENT": fmt.exponent, "MANTISSA": fmt.mantissa, "OUT_BITS": bits},
        {"s": Source(fmt.bits, codes)},
        {"m": Sink(bits, len(codes))},
        stalls=(20, 30),
    )
    assert elements(out.beats["m"], 1, bits, True) == [fmt.to_grid_scalar(code) for code in codes]


def numbers_for(fmt: Minifloat, shift: int, bits: int) -> list[int]:
    """Every value, every midpoint, their neighbours, what saturates, and random numbers; as many as `bits` hold."""
    values = np.unique([fmt.to_grid_scalar(code) for code in finite(fmt)])
    twice = np.unique(np.concatenate([2 * values, values[1:] + values[:-1], [2 * values[-1] * 2]]))
    scaled = [int(v) << shift >> 1 if shift > 0 else int(v) >> (1 - shift) for v in twice]
    near = {v + d for v in scaled for d in (-1, 0, 1)}
    rng = np.random.default_rng(shift + 64).integers(-(1 << (bits - 1)), 1 << (bits - 1), 60)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return [n for n in sorted({*near, *map(int, rng), low, high, 0}) if low <= n <= high]


@pytest.mark.sample(3)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shift", [-2, 0, 1, 9])
def test_rounding(name: str, rule: str, shift: int) -> None:
    fmt = FORMATS[name]
    bits = min(fmt.mantissa + (1 << fmt.exponent) + max(shift, 0) + 2, 46)
    numbers = numbers_for(fmt, shift, bits)
    assert isinstance(fmt.frac, int)
    grid = encode(np.array(numbers), np.int64(fmt.frac + shift), fmt, rule)
    awaited = [int(c) for c in fmt.from_grid(grid)]
    out = run("eq_shift", {"IN_BITS": bits, "SHIFT": shift, "RULE": RULES[rule], **parameters(fmt)},
              {"s": Source(bits, numbers)}, {"m": Sink(fmt.bits, len(numbers))})  # fmt: skip
    assert out.beats["m"] == awaited
    assert out.cycles["m"][-1] - out.cycles["m"][0] == len(numbers) - 1, "one beat a cycle"


def parameters(fmt: Minifloat) -> dict[str, int]:
    """Of eq_shift for a format."""
    top = int(fmt.from_grid(np.array([fmt.max_magnitude]))[0])
    return {
        "OUT_BITS": fmt.bits,
        "EXPONENT": fmt.exponent,
        "MANTISSA": fmt.mantissa,
        "STEP_MAX": max(fmt.max_magnitude.bit_length() - 1 - fmt.mantissa, 0),
        "LO": -top,
        "HI": top,
    }


@pytest.mark.parametrize("shifts", [[0, 1, 5, 12], [-3, 2, 2, 0]])
def test_channels_and_a_relu(shifts: list[int]) -> None:
    """Shifts per channel, two lanes, negative numbers become zero."""
    fmt, bits = NAMED["e3m2"], 20
    rng = np.random.default_rng(5)
    numbers = rng.integers(-(1 << 19), 1 << 19, (40, 4)) >> rng.integers(0, 19, (40, 4))
    assert isinstance(fmt.frac, int)
    grid = encode(numbers, np.array(shifts) + fmt.frac, fmt, "half_even")
    out = run(
        "eq_shift",
        {"LANES": 2, "IN_BITS": bits, "CHANNELS": 4, "SHIFTS": "t.mem", "RULE": 1, **parameters(fmt), "LO": 0}
        | {"SHIFT_MIN": min(shifts), "SHIFT_MAX": max(shifts)},
        {"s": Source(2 * bits, beats_of([int(n) for n in numbers.reshape(-1)], 2, bits))},
        {"m": Sink(2 * fmt.bits, numbers.size // 2)},
        files={"t.mem": memory(beats_of(shifts, 2, 8), 16)},
        stalls=(30, 30),
    )
    awaited = [int(c) for c in fmt.from_grid(np.maximum(grid, 0)).reshape(-1)]
    assert elements(out.beats["m"], 2, fmt.bits, False) == awaited
