"""docs/arithmetic.md says what the code does: its tables and worked examples are read here."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np

from edgeq.formats import DEFAULT_RULE, NAMED, RULES, FixedPoint, encode_scalar, round_scalar
from edgeq.formats.minifloat import SPECIALS

PAGE = (Path(__file__).parents[2] / "docs" / "arithmetic.md").read_text(encoding="utf-8")


def rows(first: str) -> list[list[str]]:
    """The rows of the table whose header row begins with `first`, as cells without backquotes."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return [found[0], *found[2:]]


def test_tie_table() -> None:
    header, *table = rows("x")
    assert [row[0] for row in table] == list(RULES)
    for rule, *results in table:
        for x, result in zip(header[1:], results, strict=True):
            assert round_scalar(Fraction(x), rule) == int(result), (rule, x)


def test_rules_and_specials_are_all_named() -> None:
    assert [row[0].split("`")[0] for row in rows("rule")[1:]] == list(RULES)
    assert f"`{DEFAULT_RULE}` (default)" in PAGE
    assert [row[0] for row in rows("specials")[1:]] == list(SPECIALS)


def test_named_minifloats() -> None:
    table = rows("name")[1:]
    assert [row[0] for row in table] == list(NAMED)
    for name, _, point, greatest, grid in table:
        fmt = NAMED[name]
        assert fmt.frac == int(point)
        assert fmt.grid_range[1] == int(grid)
        assert int(grid) * Fraction(2) ** -int(point) == Fraction(greatest)


def test_worked_minifloat_ties() -> None:
    text = " ".join(PAGE.split())
    fmt = NAMED["e2m1"]
    for x, answers in (("5", "6 4 4"), ("-5", "-4 -4 -6"), ("0.5", "1 0 0"), ("10", "12 8 8")):
        assert [fmt.round_scalar(Fraction(x), rule) for rule in RULES] == [int(a) for a in answers.split()]
    assert "5 lies between 4 and 6, and goes to 6 by `half_up`, to 4 by `half_even`, to 4 by `floor`" in text
    assert "-5 goes to -4, -4, -6; 0.5 to 1, 0, 0; 10 to 12, 8, 8" in text


def test_worked_output_stage() -> None:
    for accumulator, codes in ((1000, (31, 31, 31)), (1008, (32, 32, 31)), (9000, (127, 127, 127))):
        exact = accumulator * Fraction(2) ** -9
        assert tuple(encode_scalar(exact, FixedPoint(8, 4), rule) for rule in RULES) == codes
        assert str(accumulator) in PAGE


def test_e2m1_numbers() -> None:
    listed = re.search(r"E2M1 decodes to 0, (.*) with p = 1", " ".join(PAGE.split()))
    assert listed is not None
    numbers = sorted({0} | {s * int(n) for n in re.findall(r"±(\d+)", listed[1]) for s in (1, -1)})
    assert sorted(set(NAMED["e2m1"].to_grid(np.arange(16)).tolist())) == numbers
