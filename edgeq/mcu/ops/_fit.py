"""Sums of two bytes with scales as one line of 32-bit arithmetic, where that is proved on all pairs of codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edgeq.formats import Format
from edgeq.ir import Node, Value, operator
from edgeq.ir.graph import Attr
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.select import Context

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """A code of the output is (a * x + b * z + start) >> shift, saturated and clamped.

    No sum leaves 32 bits, not even less half a step of the output and half of 2^16 (what rounding shifts add).
    """

    a: int
    b: int
    start: int
    shift: int


def every_code(fmt: Format) -> Codes:
    """All codes of a format."""
    lo, hi = fmt.code_range
    return np.arange(lo, hi + 1, dtype=np.int64)


def outputs(node: Node, formats: Sequence[Format], codes: Sequence[Codes]) -> Codes:
    """Output codes of an element-wise node for codes of its operands, by the operator's own meaning.

    formats: of the operands and the output; codes: one array (n,) for each operand.
    """
    *ins, out = (Value(f"v{i}", (1,), fmt) for i, fmt in enumerate(formats))
    values = operator(node.op, node.name).evaluate(node, ins, [out], [c.reshape(-1, 1) for c in codes])
    return np.asarray(values[0], dtype=np.int64).reshape(-1)


def _ratios(node: Node, formats: Sequence[Format]) -> tuple[float, float]:
    """About by how much the output moves with each operand."""
    last = node.ints("multiplier")[0] / 2.0 ** node.ints("shift")[0] if "multiplier" in node.attrs else 1.0
    points = [fmt.frac for fmt in formats]
    own = [2.0 ** (points[2] - p) if isinstance(p, int) and isinstance(points[2], int) else 1.0 for p in points[:2]]
    if "left" in node.attrs:
        up = node.integer("left")
        own = [node.integer(f"{o}_multiplier") * 2.0 ** (up - node.integer(f"{o}_shift")) for o in "ab"]
    return last * own[0], last * own[1] * (-1 if node.op == "sub" else 1)


def _near(value: float) -> Iterator[int]:
    """The integers about a number, the nearest first."""
    yield from sorted((round(value) + d for d in range(-2, 3)), key=lambda n: abs(n - value))


def _start(t: Codes, y: Codes, shift: int, lo: int, hi: int) -> int | None:
    """The start value in the midst of all that make (t + start) >> shift equal to y; None where there is none."""
    room = (1 << 15) + (1 << (shift - 1))
    least = int((((y << shift) - t)[y > lo]).max(initial=INT32[0] + room - int(t.min())))
    most = int(((((y + 1) << shift) - 1 - t)[y < hi]).min(initial=INT32[1] - int(t.max())))
    # Both bounds also keep the sum within 32 bits where no code says more.
    start = (least + most) // 2
    inside = INT32[0] + room <= int(t.min()) + start and int(t.max()) + start <= INT32[1]
    return start if least <= most and inside else None


@lru_cache(maxsize=64)
def _fit(
    op: str,
    attrs: tuple[tuple[str, Attr], ...],
    formats: tuple[Format, ...],
    ends: tuple[int, int],
    shifts: Sequence[int],
) -> Line | None:
    node = Node(op, op, (), (), dict(attrs))
    x, z = (grid.reshape(-1) for grid in np.meshgrid(*(every_code(f) for f in formats[:2]), indexing="ij"))
    y = outputs(node, formats, (x, z))
    first, second = _ratios(node, formats)
    for shift in shifts:
        for a in _near(first * 2.0**shift):
            for b in _near(second * 2.0**shift):
                start = _start(a * x + b * z, y, shift, *ends) if max(abs(a), abs(b)) <= INT32[1] else None
                if start is not None:
                    return Line(a, b, start, shift)
    return None


def fit(ctx: Context, shifts: tuple[int, ...]) -> Line | None:
    """The line of an `add` or `sub` of two bytes, with one of these shifts, the first that has one."""
    formats = tuple(v.format for v in (*ctx.ins, ctx.out))
    return _fit(ctx.node.op, tuple(sorted(ctx.node.attrs.items())), formats, _scale.code_bounds(ctx), shifts)
