"""eq_move: pad, slice, transpose, resize_nearest of the operators' references, by a table of addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run
from hls.vectors import evaluate

from edgeq.formats import FixedPoint

pytestmark = needs_simulator
FMT = FixedPoint(16, 0)
#: operator, attributes, input and output shape, code of padding
CASES: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...], int]] = [
    ("pad", {"padding": (1, 0, 0, 2), "mode": "constant", "value": -7}, (3, 4), (4, 6), -7),
    ("pad", {"padding": (2, 1, 0, 0), "mode": "reflect", "value": 0}, (3, 2), (6, 2), 0),
    ("slice", {"begin": (1, 0), "end": (4, 5), "step": (2, 3)}, (4, 5), (2, 2), 0),
    ("transpose", {"permutation": (2, 0, 1)}, (3, 4, 2), (2, 3, 4), 0),
    ("resize_nearest", {"size": (5, 3)}, (2, 3, 2), (5, 3, 2), 0),
    ("slice", {"begin": (2,), "end": (3,), "step": (1,)}, (3,), (1,), 0),
    ("pad", {"padding": (1, 1), "mode": "constant", "value": 5}, (1,), (3,), 5),
]


def addresses(op: str, attrs: dict[str, Any], shape: tuple[int, ...], out: tuple[int, ...]) -> list[int]:
    """Where each output element comes from: the operator moves the numbers of the elements, -1 stands for padding."""
    size = int(np.prod(shape))
    marked = attrs | {"value": -1} if op == "pad" else attrs
    moved = evaluate(op, [(shape, FMT, np.arange(size).reshape(1, *shape))], (out, FMT), marked)
    return [size if index == -1 else int(index) for index in moved.reshape(-1)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("stalls", [(0, 0), (50, 0), (30, 60)])
def test_move(case: tuple[Any, ...], stalls: tuple[int, int]) -> None:
    op, attrs, shape, out, fill = case
    frames, size, made = 4, int(np.prod(shape)), int(np.prod(out))
    codes = np.random.default_rng(size).integers(-128, 128, (frames, *shape))
    expected = evaluate(op, [(shape, FMT, codes)], (out, FMT), attrs)
    found = run(
        "eq_move",
        {"BITS": 8, "IN_BEATS": size, "OUT_BEATS": made, "ADDRESSES": "a.mem", "FILL": fill},
        {"s": Source(8, [int(c) for c in codes.reshape(-1)])},
        {"m": Sink(8, frames * made)},
        files={"a.mem": memory(addresses(op, attrs, shape, out), size.bit_length())},
        stalls=stalls,
    )
    assert elements(found.beats["m"], 1, 8, True) == [int(c) for c in expected.reshape(-1)]
    if stalls == (0, 0):
        starts = found.cycles["m"][::made]
        assert starts[-1] - starts[-2] <= max(size, made) + 3, "a frame comes in while the one before goes out"


def test_a_wrong_address_is_seen() -> None:
    """The bench can fail: another address, another element."""
    found = []
    for last in (1, 0):
        files = {"a.mem": memory([0, last], 2)}
        parameters = {"IN_BEATS": 2, "OUT_BEATS": 2, "ADDRESSES": "a.mem"}
        found.append(run("eq_move", parameters, {"s": Source(8, [3, 9])}, {"m": Sink(8, 2)}, files=files).beats["m"])
    assert found == [[3, 9], [3, 3]]
