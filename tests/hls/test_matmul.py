"""eq_matmul: sums of products of two streams, in both styles; codes of every sign, zero points at the ends, pauses."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, needs_simulator, run
from hls.vectors import evaluate

from edgeq.formats import Affine, FixedPoint, Format

pytestmark = needs_simulator
#: formats of a and b, rows, terms, columns, lanes
CASES: list[tuple[Format, Format, int, int, int, int]] = [
    (FixedPoint(8, 0), FixedPoint(8, 0), 4, 5, 6, 3),
    (Affine(8, True, -128, 1.0), Affine(8, True, 127, 1.0), 3, 7, 4, 4),
    (Affine(8, False, 255, 1.0), FixedPoint(8, 0, False), 5, 1, 3, 1),
    (FixedPoint(3, 0), Affine(5, False, 9, 1.0), 2, 9, 2, 2),
    (FixedPoint(16, 0), FixedPoint(12, 0, False), 2, 3, 5, 1),
    (FixedPoint(2, 0), FixedPoint(2, 0), 6, 2, 4, 2),
    (FixedPoint(11, 0), Affine(16, True, -32768, 1.0), 2, 3, 4, 2),
]


def operands(a: Format, b: Format, rows: int, terms: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices; the first row and column are at the ends of their formats."""
    rng = np.random.default_rng(rows * terms * columns)
    left = rng.integers(a.code_range[0], a.code_range[1] + 1, (rows, terms))
    right = rng.integers(b.code_range[0], b.code_range[1] + 1, (terms, columns))
    left[0], left[-1], right[:, 0], right[:, -1] = *a.code_range, *b.code_range
    return left, right


def zero(fmt: Format) -> int:
    return fmt.zero_point if isinstance(fmt, Affine) else 0


@pytest.mark.parametrize("style", ["dsp", "lut"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("stalls", [(0, 0), (30, 60)])
def test_matmul(style: str, case: tuple[Format, Format, int, int, int, int], stalls: tuple[int, int]) -> None:
    a, b, rows, terms, columns, lanes = case
    left, right = operands(a, b, rows, terms, columns)
    # A scale of one and 32 bits: the reference's codes are the sums.
    wide = FixedPoint(32, 0)
    plain = [FixedPoint(f.bits + 1, 0) for f in (a, b)]
    grids = [a.to_grid(left), b.to_grid(right)]
    ins = [((rows, terms), plain[0], grids[0][None]), ((terms, columns), plain[1], grids[1])]
    expected = evaluate("matmul", ins, ((rows, columns), wide), {})
    # In the order of the windows: each row with each block of columns, term by term.
    blocks = right.reshape(terms, columns // lanes, lanes).transpose(1, 0, 2)
    first = np.repeat(left[:, None], columns // lanes, axis=1)
    second = np.broadcast_to(blocks, (rows, *blocks.shape))
    out = run(
        "eq_matmul",
        {"LANES": lanes, "TERMS": terms, "BITS_A": a.bits, "SIGNED_A": int(a.signed), "ZERO_A": zero(a)}
        | {"BITS_B": b.bits, "SIGNED_B": int(b.signed), "ZERO_B": zero(b), "OUT_BITS": 33, "STYLE": style},
        {
            "a": Source(a.bits, [int(v) for v in first.reshape(-1)]),
            "b": Source(lanes * b.bits, beats_of(second.reshape(-1), lanes, b.bits)),
        },
        {"m": Sink(lanes * 33, rows * columns // lanes)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], lanes, 33, True) == [int(v) for v in expected.reshape(-1)]
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == (len(out.beats["m"]) - 1) * terms, "a term a cycle"


def test_a_wrong_zero_point_is_seen() -> None:
    """The bench can fail: a zero point changes every sum."""
    streams = {"a": Source(8, [1, 2, 3, 4]), "b": Source(8, [5, 6, 7, 8])}
    found = [
        run("eq_matmul", {"TERMS": 2, "ZERO_B": z, "OUT_BITS": 20}, streams, {"m": Sink(20, 2)}).beats["m"]
        for z in (0, 1)
    ]
    assert found == [[17, 53], [14, 46]]
