"""eq_softmax and eq_softmax_reciprocal: against the operators' references."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run
from hls.vectors import evaluate

from edgeq.formats import NAMED, Affine, FixedPoint, Format

pytestmark = needs_simulator


def rows(fmt: Format, count: int, many: int) -> np.ndarray:
    """Rows of codes: all equal, one far above, neighbours, random."""
    lo, hi = fmt.code_range
    rng = np.random.default_rng(count)
    codes = rng.integers(lo, hi + 1, (many, count))
    codes[0], codes[1], codes[2] = lo, hi, lo
    codes[2, count // 2] = hi
    codes[3] = hi - np.arange(count) % 4
    codes[4:8] = np.clip(rng.integers(hi - 40, hi + 1, (4, count)), lo, hi)
    return codes


def exponentials(step: float, size: int, bits: int) -> list[int]:
    """exp(-d * step) with `bits` bits behind the point."""
    top = (1 << bits) - 1
    return [min(int(np.floor(np.exp(-d * step) * 2.0**bits + 0.5)), top) for d in range(size)]


@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor"])
@pytest.mark.parametrize(
    ("source", "target", "count", "size"),
    [
        (FixedPoint(8, 4), FixedPoint(8, 8, False), 10, 180),
        (FixedPoint(6, 3, False), FixedPoint(8, 6), 1, 64),
        (FixedPoint(8, 5), FixedPoint(12, -1), 7, 20),
        (Affine(8, True, 9, 0.1), Affine(8, True, -128, 1.0), 5, 256),
    ],
    ids=str,
)
def test_softmax(rule: str, source: Format, target: Format, count: int, size: int) -> None:
    """Tables of 15 bits, longer and shorter than the distances; the output stage's three rules."""
    table = exponentials(2.0**-4, size, 15)
    codes = rows(source, count, 10)
    shift = target.frac
    inputs = [((count,), source, codes), ((size,), FixedPoint(16, 0), table)]
    lo, hi = target.grid_range
    expected = evaluate(
        "softmax", inputs, ((count,), target), {"axis": 0, "rounding": rule, "lo": max(lo, 0), "hi": hi - 1}
    )
    out = run(
        "eq_softmax",
        {"BITS": source.bits, "SIGNED": int(source.code_range[0] < 0), "COUNT": count, "TABLE_BITS": 15}
        | {"TABLE_SIZE": size, "TABLE": "t.mem", "SHIFT": shift, "RULE": ["half_up", "half_even", "floor"].index(rule)}
        | {"LO": max(lo, 0), "HI": hi - 1, "ZERO": target.code_range[0] - lo, "OUT_BITS": target.bits},
        {"s": Source(source.bits, [int(c) for c in codes.reshape(-1)])},
        {"m": Sink(target.bits, codes.size)},
        files={"t.mem": memory(table, 15)},
        stalls=(0, 0) if rule == "floor" else (30, 60),
    )
    found = elements(out.beats["m"], 1, target.bits, target.code_range[0] < 0)
    assert found == [int(c) for c in expected.reshape(-1)]


@pytest.mark.parametrize("module", ["eq_softmax", "eq_softmax_reciprocal"])
def test_distances_beyond_32_bits(module: str) -> None:
    """The grid of E5M2: 57344 and -8192 are 2^32 steps apart, which is no small distance."""
    fmt, target, count = NAMED["e5m2"], FixedPoint(8, 8, False), 4
    grid = np.array([[3758096384, -536870912, 3758096384, 0], [7, 2, -(1 << 29), 7], [-1, -3, -2, -3758096384]])
    codes, bits = fmt.from_grid(grid), 16 if module == "eq_softmax" else 31
    assert np.array_equal(fmt.to_grid(codes), grid)
    table = exponentials(1.0, 12, 15 if module == "eq_softmax" else 31)
    inputs = [((count,), fmt, codes), ((12,), FixedPoint(32, 31) if bits == 31 else FixedPoint(16, 0), table)]
    expected = evaluate(module.removeprefix("eq_"), inputs, ((count,), target), {"axis": 0})
    parameters = {"BITS": 34, "COUNT": count, "TABLE_SIZE": 12, "TABLE": "t.mem", "ZERO": 0}
    numbers = [int(n) & ((1 << 34) - 1) for n in grid.reshape(-1)]
    out = run(
        module, parameters, {"s": Source(34, numbers)}, {"m": Sink(8, codes.size)}, files={"t.mem": memory(table, bits)}
    )
    assert out.beats["m"] == [int(c) for c in expected.reshape(-1)]


@pytest.mark.parametrize(
    ("source", "target", "count", "step"),
    [
        (Affine(8, True, 9, 0.1), Affine(8, True, -128, 1 / 256), 10, 0.1),
        (Affine(8, True, 0, 0.01), Affine(8, True, -128, 1 / 256), 260, 0.01),
        (Affine(8, False, 0, 0.5), Affine(8, False, 0, 1 / 256), 2, 0.5),
        (Affine(8, True, 0, 0.02), Affine(16, True, -32768, 1 / 65536), 12, 0.02),
        (Affine(8, True, 0, 0.02), Affine(8, True, -128, 1 / 256), 1, 0.02),
    ],
    ids=str,
)
def test_softmax_reciprocal(source: Affine, target: Affine, count: int, step: float) -> None:
    """Sums of one exponential to 260: normalisations of 0 to 8 places; codes of 8 and 16 bits."""
    table = exponentials(step, 256, 31)
    codes = rows(source, count, 8 if count > 100 else 24)
    inputs = [((count,), source, codes), ((256,), FixedPoint(32, 31), table)]
    expected = evaluate("softmax_reciprocal", inputs, ((count,), target), {"axis": 0})
    out = run(
        "eq_softmax_reciprocal",
        {"BITS": 8, "SIGNED": int(source.sign), "COUNT": count, "TABLE_SIZE": 256, "TABLE": "t.mem"}
        | {"OUT_BITS": target.bits, "ZERO": target.zero_point},
        {"s": Source(8, [int(c) for c in codes.reshape(-1)])},
        {"m": Sink(target.bits, codes.size)},
        files={"t.mem": memory(table, 31)},
        stalls=(0, 0) if count == 10 else (30, 30),
    )
    found = elements(out.beats["m"], 1, target.bits, target.sign)
    assert found == [int(c) for c in expected.reshape(-1)]
    if count == 10:
        first = out.cycles["m"][::count]
        assert max(b - a for a, b in itertools.pairwise(first)) <= 550


@pytest.mark.parametrize("module", ["eq_softmax", "eq_softmax_reciprocal"])
def test_a_wrong_table_is_seen(module: str) -> None:
    """The bench can fail: another exponential gives other codes."""
    bits = 16 if module == "eq_softmax" else 31
    found = []
    for second in (3, 4):
        files = {"t.mem": memory([(1 << bits) - 1, (1 << bits) // second], bits)}
        parameters = {"COUNT": 2, "TABLE_SIZE": 2, "TABLE": "t.mem"}
        out = run(module, parameters, {"s": Source(8, [1, 0])}, {"m": Sink(8, 2)}, files=files)
        found.append(elements(out.beats["m"], 1, 8, False))
    zero = 0 if module == "eq_softmax" else 128
    assert found == [[192 ^ zero, 64 ^ zero], [205 ^ zero, 51 ^ zero]]
