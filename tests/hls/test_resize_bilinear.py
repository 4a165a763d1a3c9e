"""eq_resize_bilinear: exact sums of the operator's reference, one and two taps an axis, zero points, pauses."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run

from edgeq.formats import Affine, FixedPoint, Format
from edgeq.ir import Node, Value, operator

pytestmark = needs_simulator
#: format, shape, size, taps of rows and columns, bits of the weights
CASES: list[tuple[Format, tuple[int, int, int], tuple[int, int], tuple[int, int], int]] = [
    (FixedPoint(8, 4), (3, 4, 2), (6, 8), (2, 2), 2),
    (Affine(8, True, -128, 0.5), (4, 3, 3), (5, 7), (2, 2), 10),
    (Affine(8, False, 200, 0.5), (5, 2, 1), (3, 4), (1, 2), 7),
    (FixedPoint(16, 8), (2, 5, 2), (4, 3), (2, 1), 14),
    (FixedPoint(5, 2, False), (1, 1, 1), (1, 1), (1, 1), 0),
    (FixedPoint(5, 2, False), (2, 2, 1), (1, 1), (2, 1), 1),
]


def axis_words(rng: np.random.Generator, n: int, size: int, taps: int, bits: int) -> tuple[np.ndarray, ...]:
    """(low, high, weight) of an axis; one tap: all the weight is on the first element."""
    low, high = rng.integers(0, n, size), rng.integers(0, n, size)
    weight = rng.integers(0, (1 << bits) + 1, size) if taps == 2 else np.zeros(size, dtype=np.int64)
    weight[0] = (1 << bits) if taps == 2 else 0
    return low, high, weight


def rom(axis: tuple[np.ndarray, ...], step: int, taps: int, frac: int, address_bits: int) -> str:
    """Words {weight, address} of an axis, the taps of a position side by side."""
    low, high, weight = axis
    words = []
    for at in range(len(low)):
        pairs = [(low[at], (1 << frac) - weight[at]), (high[at], weight[at])] if taps == 2 else [(low[at], 1)]
        words += [int(w) << address_bits | int(e) * step for e, w in pairs]
    return memory(words, frac + 1 + address_bits)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("stalls", [(0, 0), (50, 0), (20, 70)])
def test_resize_bilinear(case: tuple, stalls: tuple[int, int]) -> None:
    fmt, shape, size, taps, bits = case
    rng, frames = np.random.default_rng(sum(shape) + bits), 3
    axes = [axis_words(rng, n, m, t, bits) for n, m, t in zip(shape, size, taps, strict=False)]
    codes = rng.integers(fmt.code_range[0], fmt.code_range[1] + 1, (frames, *shape))
    codes[0], codes[1] = fmt.code_range
    low, high, weight = (tuple(int(v) for a in axes for v in a[i]) for i in range(3))
    attrs = {"size": size, "low": low, "high": high, "weight": weight, "bits": bits}
    node = Node("resize_bilinear", "r", ("x",), ("y",), attrs)
    exact = operator("resize_bilinear").exact(node, [Value("x", shape, fmt)], [fmt.to_grid(codes)]).num
    # an axis of one tap has no fraction here
    exact = exact >> sum(bits for t in taps if t == 1)
    fracs = [bits if t == 2 else 0 for t in taps]
    width, count, bias = fmt.bits + 2 + sum(fracs), int(np.prod(shape)), -3
    address_bits = max(1, (count - 1).bit_length())
    files = {
        "r.mem": rom(axes[0], shape[1] * shape[2], taps[0], fracs[0], address_bits),
        "c.mem": rom(axes[1], shape[2], taps[1], fracs[1], address_bits),
    }
    zero = fmt.zero_point if isinstance(fmt, Affine) else 0
    out = run(
        "eq_resize_bilinear",
        {"BITS": fmt.bits, "SIGNED": int(fmt.signed), "ZERO": zero, "IN_BEATS": count, "C": shape[2]}
        | {"OH": size[0], "OW": size[1], "ROW_TAPS": taps[0], "ROW_FRAC": fracs[0], "ROWS": "r.mem", "BIAS": bias}
        | {"COLUMN_TAPS": taps[1], "COLUMN_FRAC": fracs[1], "COLUMNS": "c.mem", "OUT_BITS": width},
        {"s": Source(fmt.bits, [int(c) for c in codes.reshape(-1)])},
        {"m": Sink(width, exact.size)},
        files=files,
        stalls=stalls,
    )
    assert elements(out.beats["m"], 1, width, True) == [int(v) + bias for v in exact.reshape(-1)]
    if stalls == (0, 0):
        made = exact[0].size
        period = max(count, made * taps[0] * taps[1] + 3) + 2
        assert out.cycles["m"][-1] - out.cycles["m"][-1 - made] <= period


@pytest.mark.parametrize("change", ["weight", "address"])
def test_a_wrong_table_is_seen(change: str) -> None:
    """The bench can fail: another weight or address gives another sum."""
    files = {"r.mem": memory([0b10], 2), "c.mem": memory([1 << 1 | 0, 1 << 1 | 1], 3)}
    parameters = {"IN_BEATS": 2, "OH": 1, "OW": 1, "ROW_TAPS": 1, "ROW_FRAC": 0, "ROWS": "r.mem", "COLUMNS": "c.mem"}
    changed = {"c.mem": memory([1 << 1 | 0, 0 << 1 | 1] if change == "weight" else [1 << 1, 1 << 1], 3)}
    sums = [
        run("eq_resize_bilinear", parameters, {"s": Source(8, [3, 9])}, {"m": Sink(16, 1)}, files=f).beats["m"]
        for f in (files, files | changed)
    ]
    assert sums == [[12], [3 if change == "weight" else 6]]
