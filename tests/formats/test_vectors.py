"""The conformance vectors: current, aimed as they claim, and met by the vector implementation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from make_vectors import FOLDER, files, promised

from edgeq.errors import FormatError
from edgeq.formats import DYADIC_RULES, FixedPoint, Format, Minifloat, encode, round_ratio, scale
from edgeq.ir import Attr, Node
from edgeq.ir.operator import Exact, output_stage


def lines(name: str) -> list[list[str]]:
    """The vectors of a file as lists of words."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if not line.startswith("#")]


def read_format(words: list[str]) -> tuple[Format, list[str]]:
    """The format that a vector names, and the words after it."""
    if words[0] == "fixed":
        return FixedPoint(int(words[1]), int(words[2]), words[3] == "1"), words[4:]
    e, m, bias, specials, scale = words[1:6]
    return Minifloat(int(e), int(m), int(bias), specials, int(scale)), words[6:]


def test_committed_files_are_current() -> None:
    assert {p.name for p in FOLDER.iterdir()} == set(files())
    for name, text in files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name}: run tests/formats/make_vectors.py"


def test_rounding() -> None:
    for rule in ("half_up", "half_even", "floor"):
        table = np.array([[int(w) for w in words[2:]] for words in lines("round.txt") if words[1] == rule])
        assert len(table) > 900
        np.testing.assert_array_equal(round_ratio(table[:, 0], table[:, 1], rule), table[:, 2])


def test_scale() -> None:
    for rule in DYADIC_RULES:
        table = np.array([[int(w) for w in words[2:]] for words in lines("scale.txt") if words[1] == rule])
        multiplier, shift, num, want = table.T
        assert set(shift) == set(range(63))
        np.testing.assert_array_equal(scale(num, multiplier, shift, rule), want)


def test_scale_vectors_aim_at_both_roundings() -> None:
    """Ties of the first and of the second rounding, below zero and above; results that one rounding would not make."""
    seen = dict.fromkeys(("first tie", "second tie", "minus", "wide", "twice is not once", "beyond 32 bits"), 0)
    for words in lines("scale.txt"):
        if words[1] != "tflite":
            continue
        multiplier, shift, num, result = (int(w) for w in words[2:])
        product, first = num * multiplier, min(shift, 31)
        assert abs(product) + ((1 << shift) >> 1) < 1 << 62
        once = (product + ((1 << first) >> 1)) >> first
        seen["first tie"] += first > 0 and product % (1 << first) == 1 << (first - 1)
        seen["second tie"] += shift > 31 and once % (1 << (shift - 31)) == 1 << (shift - 32)
        seen["minus"] += num < 0
        seen["wide"] += abs(product) >= 1 << 61
        seen["beyond 32 bits"] += not -(1 << 31) <= num < 1 << 31
        seen["twice is not once"] += shift > 0 and result != (product + (1 << (shift - 1))) >> shift
    assert min(seen.values()) >= 30, seen


@pytest.mark.parametrize("name", ["encode_fixed.txt", "encode_minifloat.txt"])
def test_encode(name: str) -> None:
    groups: dict[tuple[Format, str], list[list[int]]] = {}
    for words in lines(name):
        fmt, rest = read_format(words[1:])
        groups.setdefault((fmt, rest[0]), []).append([int(w) for w in rest[1:]])
    for (fmt, rule), rows in groups.items():
        num, frac, den, code = np.array(rows, dtype=np.int64).T
        got = fmt.from_grid(encode(num, frac, fmt, rule, den, ndim=1))
        np.testing.assert_array_equal(got, code, err_msg=f"{fmt} {rule}")


def read_wide(words: list[str]) -> tuple[Format, Node, int, int, int]:
    """Format, a node with the output stage, number, shift and code."""
    fmt, rest = read_format(words[1:])
    rule, mode, lo, hi, clamp, *numbers = rest
    attrs: dict[str, Attr] = {"rounding": rule, "overflow": mode}
    attrs |= {key: int(end) for bit, key, end in ((1, "lo", lo), (2, "hi", hi)) if int(clamp) & bit}
    num, shift, code = (int(n) for n in numbers)
    return fmt, Node("linear", "n", (), ("n",), attrs, ""), num, shift, code


def test_wide() -> None:
    for words in lines("wide.txt"):
        fmt, node, num, shift, code = read_wide(words)
        assert isinstance(fmt.frac, int)
        exact = Exact(np.array([[num]], object), fmt.frac + shift)
        assert output_stage(node, exact, fmt).item() == code, words


def test_wide_vectors_aim_at_the_hard_cases() -> None:
    """Ties, what only the lowest bit of a sum keeps from a tie, every word of a shift, both ends, overflow."""
    seen = dict.fromkeys(("tie", "lowest bit", "low", "high", "beyond 64 bits", "wide and within", "odd shift"), 0)
    for words in lines("wide.txt"):
        fmt, _, num, shift, _ = read_wide(words)
        grid = Fraction(num) / Fraction(2) ** shift
        lo, hi = fmt.grid_range
        within = lo <= grid <= hi
        seen["tie"] += (2 * grid).denominator == 1 and grid.denominator == 2
        seen["lowest bit"] += (
            within and shift > 60 and abs(num) % (1 << shift) in {(1 << shift - 1) - 1, (1 << shift - 1) + 1}
        )
        seen["low"] += grid < lo
        seen["high"] += grid > hi
        seen["beyond 64 bits"] += abs(grid) >= 1 << 63
        seen["wide and within"] += within and abs(num) >= 1 << 63
        seen["odd shift"] += within and shift in (63, 65)
    assert min(seen.values()) >= 30, seen


def test_decode() -> None:
    for words in lines("decode.txt"):
        fmt, (code, grid) = read_format(words[1:])
        if grid == "invalid":
            with pytest.raises(FormatError, match="not a finite number"):
                fmt.to_grid(np.array([int(code)]))
        else:
            assert int(fmt.to_grid(np.array([int(code)]))[0]) == int(grid)


@pytest.mark.parametrize("name", ["encode_fixed.txt", "encode_minifloat.txt"])
def test_vectors_aim_at_the_hard_cases(name: str) -> None:
    """The files hold what their headers claim: ties, saturation, wide accumulators, wide shifts, division."""
    seen = dict.fromkeys(("tie", "low", "high", "wide", "down >= 63", "up >= 32", "division", "minus to zero"), 0)
    for words in lines(name):
        fmt, rest = read_format(words[1:])
        num, frac, den, code = (int(w) for w in rest[1:])
        assert promised(num, frac, den, fmt)
        assert isinstance(fmt.frac, int)
        grid = Fraction(num, den) * Fraction(2) ** (fmt.frac - frac)
        lo, hi = fmt.grid_range
        seen["tie"] += (2 * grid).denominator == 1 and grid.denominator == 2
        seen["low"] += grid < lo
        seen["high"] += grid > hi
        seen["wide"] += abs(num) >= (1 << 60)
        seen["down >= 63"] += frac - fmt.frac >= 63 and num != 0
        seen["up >= 32"] += fmt.frac - frac >= 32 and num != 0
        seen["division"] += den > 1
        seen["minus to zero"] += num < 0 and code == 0
    assert min(seen.values()) >= 30, seen
