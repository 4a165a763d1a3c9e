"""The float output stage against `formats.encode`: every number of small ranges, and aimed ones of large ranges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeq.emulator.stage import Stage, plan_stage
from edgeq.formats import NAMED, RULES, FixedPoint, Format, Minifloat, encode
from edgeq.ir.graph import Attr, Node
from edgeq.ir.operator import Bounds, output_bounds

FORMATS: list[Format] = [
    FixedPoint(8, 0),
    FixedPoint(4, 0, False),
    FixedPoint(1, 0),
    FixedPoint(16, 0),
    NAMED["e2m1"].per_tensor(0),
    NAMED["e4m3"].per_tensor(0),
    Minifloat(3, 0).per_tensor(0),
    Minifloat(1, 6, specials="fnuz").per_tensor(0),
]


def stage_of(fmt: Format, bounds: Bounds, **attrs: Attr) -> Stage:
    stage = plan_stage(Node("requantise", "n", ("x",), ("y",), attrs), bounds, fmt)
    assert stage is not None
    return stage


def expected(fmt: Format, num: np.ndarray, shift: int, den: int, **attrs: Attr) -> np.ndarray:
    node = Node("requantise", "n", ("x",), ("y",), attrs)
    grid = encode(num[None], np.asarray(shift), fmt, node.text("rounding"), den)
    return np.clip(grid, *output_bounds(node, fmt))[0]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("shift", [-9, -1, 0, 1, 2, 5, 8, 13, 40])
def test_shift_equals_encode(fmt: Format, rule: str, shift: int) -> None:
    num = np.arange(-5000, 5001, dtype=np.int64)
    stage = stage_of(fmt, Bounds((-5000,), (5000,), (shift,)), rounding=rule)
    x = num.astype(stage.dtype) * stage.scale[0] + stage.offset[0]
    assert np.array_equal(stage.finish(x).astype(np.int64), expected(fmt, num, shift, 1, rounding=rule))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fmt", [f for f in FORMATS if isinstance(f, FixedPoint)], ids=str)
def test_divide_equals_encode(fmt: Format, rule: str) -> None:
    num = np.arange(-3000, 3001, dtype=np.int64)
    for den, shift in itertools.product((3, 5, 6, 7, 9, 12, 49, 100), (-4, 0, 3, 7)):
        stage = stage_of(fmt, Bounds((-3000,), (3000,), (shift,), (den, den)), rounding=rule)
        assert stage.divisor == den
        up, down = 2.0 ** max(-shift, 0), 2.0 ** max(shift, 0)
        got = stage.divide(num.astype(stage.dtype) * stage.dtype(up), stage.dtype(den * down))
        assert np.array_equal(got.astype(np.int64), expected(fmt, num, shift, den, rounding=rule)), (den, shift)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("limit", "dtype"), [(1 << 24, np.float32), (1 << 53, np.float64)])
@pytest.mark.parametrize("shift", [1, 2, 7, 12])
def test_numbers_that_fill_the_float(rule: str, limit: int, dtype: type, shift: int) -> None:
    """The largest numbers with room for the half, and their ties, round exactly."""
    room = limit - (1 << shift >> 1)
    ties = np.arange(-8, 9) * (1 << shift) + (1 << shift >> 1)
    near = np.concatenate([ties - 1, ties, ties + 1])
    num = np.concatenate([room - np.arange(64), np.arange(64) - room, near + room // 2, near - room // 2])
    num = num[np.abs(num) <= room].astype(np.int64)
    fmt = FixedPoint(32, 0)
    stage = stage_of(fmt, Bounds((-room,), (room,), (shift,)), rounding=rule)
    assert stage.dtype is dtype
    x = num.astype(stage.dtype) * stage.scale[0] + stage.offset[0]
    assert np.array_equal(stage.finish(x).astype(np.int64), expected(fmt, num, shift, 1, rounding=rule))
    # One more would have no room, and the next type is taken (or none).
    more = Bounds((-room - 1,), (room + 1,), (shift,))
    wider = plan_stage(Node("requantise", "n", ("x",), ("y",), {"rounding": rule}), more, fmt)
    assert wider is None if dtype is np.float64 else wider is not None and wider.dtype is np.float64


def test_bounds_that_nothing_passes_are_left_out() -> None:
    inside = stage_of(FixedPoint(8, 0), Bounds((-128,), (127,), (0,)))
    assert (inside.lo, inside.hi) == (None, None)
    outside = stage_of(FixedPoint(8, 0), Bounds((-129,), (128,), (0,)))
    assert (outside.lo, outside.hi) == (-128.0, 127.0)
    # 127.5 rounds up to 128 by half_up, and not by floor.
    half = Bounds((-255,), (255,), (1,))
    assert stage_of(FixedPoint(8, 0), half).hi == 127.0
    assert stage_of(FixedPoint(8, 0), half, rounding="floor").hi is None


def test_a_bound_beyond_float32_takes_float64() -> None:
    bounds = Bounds((-100,), (100,), (-25,))
    stage = stage_of(FixedPoint(32, 0), bounds)
    assert stage.dtype is np.float64
    assert stage.finish(np.array([100.0]) * stage.scale[0]).tolist() == [float((1 << 31) - 1)]
