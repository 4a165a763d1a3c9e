"""eq_sigmoid_lines, eq_row_distance, eq_softmax_lines: against the operators' references; tables that jump."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run
from hls.vectors import evaluate

from edgeq.formats import Affine, FixedPoint
from edgeq.ir.ops.softmax_lines import line

pytestmark = needs_simulator
CODES = Affine(16, True, 0, 2.0**-15)


def pairs(table: np.ndarray, entry_bits: int, difference_bits: int) -> str:
    """{next entry less this one, this one}; the last entry has no next one unless the table goes on."""
    steps = np.diff(table.astype(np.int64))
    words = [(int(d) & ((1 << difference_bits) - 1)) << entry_bits | int(e) for e, d in zip(table, steps, strict=False)]
    return memory(words, entry_bits + difference_bits)


def sigmoid_case(function: str, kind: str) -> tuple[list[int], list[int], str]:
    """Arguments around zero, around the last entries and from end to end; codes; the memory."""
    rng = np.random.default_rng(3)
    table = np.rint(65535 / (1 + np.exp(-np.arange(256) / 24))).astype(np.int64)
    if kind == "jumps":
        table = rng.integers(0, 1 << 16, 256)
        table[:4] = [0, 65535, 0, 65535]
    end = 255 << (9 if function == "sigmoid" else 8)
    x = np.concatenate(
        [
            np.arange(-70, 71),
            np.arange(-6, 7) * 256,
            rng.integers(-(1 << 15), 1 << 15, 200),
            [-(1 << 15), (1 << 15) - 1],
        ]
    )
    arguments, expected = [], []
    for times in (1, 2, 4, 5):  # an 18-bit argument is a 16-bit code times a multiplier
        codes = np.concatenate([x, np.clip(np.arange(-20, 21) + end // times, 0, (1 << 15) - 1)])
        codes = np.concatenate([codes, -codes])[None].clip(-(1 << 15), (1 << 15) - 1)
        ins = [(codes.shape[1:], Affine(16, True, 0, 0.5), codes), ((256,), FixedPoint(16, 16, False), table)]
        attrs = {"function": function, "argument_multiplier": times, "argument_shift": 0}
        expected += [int(v) for v in evaluate("sigmoid_lines", ins, (codes.shape[1:], CODES), attrs)[0]]
        arguments += [int(v) for v in np.clip(codes[0] * times, -end, end)]
    return arguments, expected, pairs(np.append(table, 0), 16, 17)


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize("kind", ["sigmoid", "jumps"])
def test_sigmoid_lines(function: str, kind: str) -> None:
    arguments, expected, table = sigmoid_case(function, kind)
    out = run(
        "eq_sigmoid_lines",
        {"TANH": int(function == "tanh"), "TABLE": "t.mem"},
        {"s": Source(18, arguments)},
        {"m": Sink(16, len(expected))},
        files={"t.mem": table},
        stalls=(0, 0) if kind == "sigmoid" else (30, 50),
    )
    assert elements(out.beats["m"], 1, 16, True) == expected
    if kind == "sigmoid":
        assert out.cycles["m"][-1] - out.cycles["m"][0] == len(expected) - 1, "one a cycle"


@pytest.mark.parametrize(("bits", "signed", "count"), [(8, 1, 10), (16, 0, 7), (16, 1, 1), (5, 1, 2)])
def test_row_distance(bits: int, signed: int, count: int) -> None:
    lo = -(1 << (bits - 1)) if signed else 0
    codes = np.random.default_rng(bits).integers(lo, lo + (1 << bits), (12, count))
    codes[0], codes[1], codes[2] = lo, lo + (1 << bits) - 1, lo
    codes[2, -1], codes[3, 0] = lo + (1 << bits) - 1, lo
    expected = codes - codes.max(axis=1, keepdims=True)
    for stalls in ((0, 0), (30, 60)):
        out = run(
            "eq_row_distance",
            {"BITS": bits, "SIGNED": signed, "COUNT": count},
            {"s": Source(bits, [int(c) for c in codes.reshape(-1)])},
            {"m": Sink(bits + 1, codes.size)},
            stalls=stalls,
        )
        assert elements(out.beats["m"], 1, bits + 1, True) == [int(v) for v in expected.reshape(-1)]
        if stalls == (0, 0):
            assert max(b - a for a, b in itertools.pairwise(out.cycles["m"][::count])) <= 2 * count + 5


def softmax_tables(kind: str) -> list[np.ndarray]:
    """Tables of exp and 1 / (1 + x) as imported networks have them, or any numbers."""
    rng, steps = np.random.default_rng(5), np.arange(513)
    if kind == "softmax":
        exponential = np.rint(np.exp(-10 * (512 - steps) / 512) * 32768).clip(0, 32767)
        return [exponential.astype(np.int64), np.rint(32768 / (1 + steps / 512)).clip(0, 32767).astype(np.int64)]
    made = [rng.integers(0, 1 << 15, 513) for _ in "er"]
    made[0][-2:], made[1][:4] = (1 << 14, (1 << 15) - 1), (32767, 0, 32767, 32767)
    return made


@pytest.mark.parametrize("kind", ["softmax", "jumps"])
@pytest.mark.parametrize("count", [1, 2, 10, 300])
def test_softmax_lines(kind: str, count: int) -> None:
    """Sums of 14 to 23 bits; neighbours of the greatest code, ends, random."""
    exponential, reciprocal = softmax_tables(kind)
    rng = np.random.default_rng(count)
    codes = rng.integers(-(1 << 15), 1 << 15, (4 if count > 100 else 40, count))
    codes[0], codes[1, 0] = 77, (1 << 15) - 1
    codes[2] = (1 << 15) - 1 - np.arange(count) * 37 % 30000
    fmt, table = Affine(16, True, 0, 0.5), FixedPoint(16, 15)
    attrs = {"axis": 0, "distance_multiplier": 1 << 30, "distance_shift": 30}
    ins = [((count,), fmt, codes), ((513,), table, exponential), ((513,), table, reciprocal)]
    expected = evaluate("softmax_lines", ins, ((count,), CODES), attrs)
    arguments = np.clip(codes - codes.max(axis=1, keepdims=True) + (1 << 15) - 1, -(1 << 15), None)
    out = run(
        "eq_softmax_lines",
        {"COUNT": count, "EXP": "e.mem", "RECIPROCAL": "r.mem"},
        {"s": Source(16, [int(v) for v in arguments.reshape(-1)])},
        {"m": Sink(16, codes.size)},
        files={"e.mem": pairs(exponential, 15, 16), "r.mem": pairs(reciprocal, 15, 16)},
        stalls=(0, 0) if count in (1, 10) else (20, 50),
    )
    assert elements(out.beats["m"], 1, 16, True) == [int(v) for v in expected.reshape(-1)]
    if count in (1, 10):
        assert max(b - a for a, b in itertools.pairwise(out.cycles["m"][::count])) <= 2 * count + 40


def test_a_sum_that_rounds_up_to_the_next_power_of_two() -> None:
    """Eighteen ones: the argument of the reciprocal is beyond 16 bits and saturates."""
    exponential, reciprocal = np.full(513, 7), softmax_tables("softmax")[1]
    exponential[-3:] = (1 << 15) - 1
    codes = np.array([[(1 << 15) - 1] * 8 + [-(1 << 15)]])
    table, attrs = FixedPoint(16, 15), {"axis": 0, "distance_multiplier": 1 << 30, "distance_shift": 30}
    ins = [((9,), Affine(16, True, 0, 0.5), codes), ((513,), table, exponential), ((513,), table, reciprocal)]
    out = run(
        "eq_softmax_lines",
        {"COUNT": 9, "EXP": "e.mem", "RECIPROCAL": "r.mem"},
        {"s": Source(16, [int(c) for c in codes[0]])},
        {"m": Sink(16, 9)},
        files={"e.mem": pairs(exponential, 15, 16), "r.mem": pairs(reciprocal, 15, 16)},
    )
    assert out.beats["m"] == [int(v) for v in evaluate("softmax_lines", ins, ((9,), CODES), attrs)[0]]


def test_a_wrong_entry_is_seen() -> None:
    """The benches can fail: another entry gives another line."""
    table = np.arange(257) * 256
    files = [{"t.mem": pairs(table, 16, 17)}, {"t.mem": pairs(table + (np.arange(257) == 1) * 2, 16, 17)}]
    source, sink = {"s": Source(18, [256, 768])}, {"m": Sink(16, 2)}
    assert [run("eq_sigmoid_lines", {"TABLE": "t.mem"}, source, sink, files=f).beats["m"] for f in files] == [
        [64, 192],
        [65, 193],
    ]
    source, sink = {"s": Source(8, [1, -1])}, {"m": Sink(9, 2)}
    distances = [run("eq_row_distance", {"COUNT": 2, "SIGNED": s}, source, sink).beats["m"] for s in (1, 0)]
    assert [elements(d, 1, 9, True) for d in distances] == [[0, -2], [-254, 0]]
    exponential, reciprocal = softmax_tables("softmax")
    rows = []
    for change in (0, 1):
        other = reciprocal.copy()
        other[511:] -= 9 * change
        other[256:258] -= 9 * change
        memories = {"e.mem": pairs(exponential, 15, 16), "r.mem": pairs(other, 15, 16)}
        parameters = {"COUNT": 3, "EXP": "e.mem", "RECIPROCAL": "r.mem"}
        source = {"s": Source(16, [(1 << 15) - 1] * 3)}
        rows.append(run("eq_softmax_lines", parameters, source, {"m": Sink(16, 3)}, files=memories).beats["m"])
    assert len(set(rows[0])) == 1
    assert rows[0] != rows[1]
    assert line(reciprocal, np.array([0])) == reciprocal[256]
