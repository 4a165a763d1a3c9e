"""Expected numbers of the benches: the conformance vectors and the project's own reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.formats import Format
from edgeq.ir import Node, Value, operator
from edgeq.ir.graph import Attr, Shape
from edgeq.ir.operator import Codes

VECTORS = Path(__file__).parents[1] / "formats" / "vectors"


def lines(file: str, start: str) -> Iterator[list[str]]:
    """The words of each vector of a file that begins with `start`, without these."""
    for line in (VECTORS / file).read_text().splitlines():
        if line.startswith(start + " "):
            yield line[len(start) :].split()


def scale_vectors(rule: str, bits: int) -> list[tuple[int, int, int, int]]:
    """(multiplier, shift, number, result) of a rule, where the number fits `bits` bits."""
    found = []
    for name, *numbers in lines("scale.txt", "scale"):
        multiplier, shift, number, result = map(int, numbers)
        if name == rule and -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            found.append((multiplier, shift, number, result))
    assert len(found) > 50, f"hardly any vector of {rule} fits {bits} bits"
    return found


def evaluate(
    op: str, ins: Sequence[tuple[Shape, Format, Any]], out: tuple[Shape, Format], attrs: Mapping[str, Attr]
) -> Codes:
    """Output codes of one operator by its reference. ins: shape, format and codes; the first is the value that is
    computed, batch first, the others are constants."""
    values = [
        Value(f"x{index}", shape, fmt, None if index == 0 else np.asarray(codes, dtype=np.int64))
        for index, (shape, fmt, codes) in enumerate(ins)
    ]
    made = Value("y", *out)
    node = Node(op, op, tuple(v.name for v in values), ("y",), attrs)
    operator(op).rule(node, values, [made])
    assert operator(op).shapes(node, values) == (made.shape,)
    return operator(op).evaluate(node, values, [made], [np.asarray(c, dtype=np.int64) for _, _, c in ins])[0]
