"""Canonical signed digits: a constant as the fewest signed powers of two, for products by shifts and adds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]


class Digit(NamedTuple):
    """One term of a row: the element of `column`, times 2^shift, subtracted where negative."""

    column: int
    shift: int
    negative: bool

    def field(self) -> int:
        """As eq_mvc reads it: {used, negative, shift[5:0], column[15:0]}."""
        return 1 << 23 | int(self.negative) << 22 | self.shift << 16 | self.column

    @property
    def correction(self) -> int:
        """What the sum lacks when -x is taken as ~x: 2^shift."""
        return int(self.negative) << self.shift


def signed_digits(value: int) -> list[tuple[int, bool]]:
    """Shift and sign of each power of two; no two neighbours, so that no other form has fewer."""
    found, shift = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)  # 1 before a 0, -1 before a 1
            found.append((shift, digit < 0))
            value -= digit
        value >>= 1
        shift += 1
    return found


def rows_of_digits(weight: Codes) -> list[list[Digit]]:
    """The terms of each row of a matrix, small shifts first: sums of neighbours stay narrow."""
    rows = []
    for row in weight.reshape(len(weight), -1).tolist():
        terms = [Digit(column, *digit) for column, value in enumerate(row) for digit in signed_digits(value)]
        rows.append(sorted(terms, key=lambda d: (d.shift, d.column)))
    return rows


def packed_digits(rows: list[list[Digit]]) -> tuple[int, int]:
    """Terms a row (of the longest, at least one), and all fields of 24 bits, the first row's first lowest."""
    terms = max(1, *(len(row) for row in rows))
    return terms, sum(d.field() << 24 * (r * terms + t) for r, row in enumerate(rows) for t, d in enumerate(row))


def count_digits(weight: Codes) -> int:
    """Terms of a whole matrix."""
    values, counts = np.unique(weight, return_counts=True)
    return sum(len(signed_digits(int(v))) * int(n) for v, n in zip(values, counts, strict=True))
