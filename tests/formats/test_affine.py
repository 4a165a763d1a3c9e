"""Affine: zero points, scales at the borders as TensorFlow Lite has them, rounding of codes, JSON."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from edgeq.errors import FormatError
from edgeq.formats import CODE_RULE, Affine, from_json

I8 = Affine(8, True, -3, 0.25)


def test_ranges_and_grids() -> None:
    assert (I8.code_range, I8.grid_range, I8.frac, I8.bits) == ((-128, 127), (-125, 130), 0, 8)
    u8 = Affine(8, False, 200, 1.5)
    assert (u8.code_range, u8.grid_range) == ((0, 255), (-200, 55))
    codes = np.arange(-128, 128)
    grid = I8.to_grid(codes)
    assert grid.tolist() == [I8.to_grid_scalar(int(c)) for c in codes]
    assert np.array_equal(I8.from_grid(grid), codes)
    assert np.array_equal(I8.decode(codes), (codes + 3) * 0.25)


def test_scales_along_an_axis() -> None:
    fmt = Affine(8, True, 0, (0.5, 2.0), 0)
    assert fmt.decode(np.array([[1, 2], [3, 4]])).tolist() == [[0.5, 1.0], [6.0, 8.0]]
    assert fmt.channel_axis == 0


@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor", CODE_RULE])
def test_vector_twin(rule: str) -> None:
    """Every half, third and quarter around both ends, by the scalar rule and by the vector one."""
    for fmt in (I8, Affine(4, False, 9, 1.0), Affine(8, True, 127, 1.0), Affine(16, True, 1, 1.0)):
        for den in (1, 2, 3, 4, 9):
            lo, hi = (max(min(end, 300), -300) for end in fmt.grid_range)
            num = np.arange(den * (lo - 2), den * (hi + 2))
            want = [fmt.round_scalar(Fraction(int(n), den), rule) for n in num]
            assert fmt.round_grid(num, np.asarray(den), rule).tolist() == want


def test_the_code_rule_rounds_the_code() -> None:
    # Codes 2.5 and -2.5 go away from zero, wherever the zero point lies.
    assert [I8.round_scalar(Fraction(c, 2) + 3, CODE_RULE) - 3 for c in (5, -5, 1, -1)] == [3, -3, 1, -1]
    assert [I8.round_scalar(Fraction(c, 2) + 3, "half_up") - 3 for c in (5, -5, 1, -1)] == [3, -2, 1, 0]


def test_quantize_is_that_of_tensorflow_lite() -> None:
    """float32 quotient, ties away from zero, zero point, saturation; in plain Python for every element."""
    rng = np.random.default_rng(1)
    for scale in (0.25, float(np.float32(0.1)), float(np.float32(0.0123))):
        fmt = Affine(8, True, -3, scale)
        x = np.concatenate([rng.normal(0, 60 * scale, 4000), (np.arange(-140, 140) + 0.5) * scale, [1e30, -1e30, 0.0]])
        want = []
        for value in x.astype(np.float32):
            q = float(np.float32(value) / np.float32(scale))
            away = math.copysign(math.floor(abs(q) + 0.5), q)
            want.append(int(min(max(away - 3, -128), 127)))
        assert fmt.quantize(x).tolist() == want
    assert I8.quantize([np.inf, -np.inf, 0.125, -0.125]).tolist() == [127, -128, -2, -4]
    with pytest.raises(FormatError, match=r"input: element \(1,\) is NaN"):
        I8.quantize([0.0, np.nan])


@pytest.mark.parametrize("fmt", [I8, Affine(16, False, 7, math.pi), Affine(32, True, 0, (0.1, 1e-30), 2)])
def test_json_comes_back_exactly(fmt: Affine) -> None:
    assert from_json(fmt.to_json()) == fmt


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ((0, True, 0, 1.0), "width must be 1..32"),
        ((8, 1, 0, 1.0), "sign must be True or False"),
        ((8, True, 128, 1.0), r"zero point 128 is not a code of -128\.\.127"),
        ((8, True, 0.0, 1.0), "zero point 0.0"),
        ((8, True, 0, 0.0), "positive finite float"),
        ((8, True, 0, math.inf), "positive finite float"),
        ((8, True, 0, 1), "positive finite float"),
        ((8, True, 0, ()), "positive finite float"),
        ((8, True, 0, (1.0,)), "a tuple of scales needs an axis"),
        ((8, True, 0, 1.0, 0), "one scale has none"),
        ((8, True, 0, (1.0,), -1), "axis must be None or an int of at least 0"),
    ],
)
def test_what_is_refused(fields: tuple[object, ...], fact: str) -> None:
    with pytest.raises(FormatError, match=fact):
        Affine(*fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["0x1p-2000", "nan", "0xZ", ["0x1p0", "x"], 5, None])
def test_damaged_json(scale: object) -> None:
    with pytest.raises(FormatError):
        from_json({**I8.to_json(), "scale": scale})
