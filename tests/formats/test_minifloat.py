"""Minifloat: every code and every midpoint of every layout, against the definition, ml_dtypes and gfloat."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import formats as gf
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import MINIFLOATS, finite, nearest_code, real_by_definition, values

from edgeq.errors import FormatError
from edgeq.formats import NAMED, RULES, Minifloat, encode, encode_scalar, from_json, minifloat

#: the format, and the independent implementations of it
PEERS: dict[str, tuple[Minifloat, Any, Any]] = {
    "e2m1": (NAMED["e2m1"], ml_dtypes.float4_e2m1fn, gf.format_info_ocp_e2m1),
    "e2m3": (NAMED["e2m3"], ml_dtypes.float6_e2m3fn, gf.format_info_ocp_e2m3),
    "e3m2": (NAMED["e3m2"], ml_dtypes.float6_e3m2fn, gf.format_info_ocp_e3m2),
    "e4m3": (NAMED["e4m3"], ml_dtypes.float8_e4m3fn, gf.format_info_ocp_e4m3),
    "e5m2": (NAMED["e5m2"], ml_dtypes.float8_e5m2, gf.format_info_ocp_e5m2),
    "e4m3 fnuz": (minifloat("e4m3fnuz"), ml_dtypes.float8_e4m3fnuz, None),
    "e5m2 fnuz": (minifloat("e5m2fnuz"), ml_dtypes.float8_e5m2fnuz, None),
    "e4m3 fnuz, bias 11": (minifloat("e4m3b11fnuz"), ml_dtypes.float8_e4m3b11fnuz, None),
}


def real(fmt: Minifloat, grid: int) -> Fraction:
    assert isinstance(fmt.frac, int)
    return grid * Fraction(2) ** -fmt.frac


def test_there_are_this_many_formats() -> None:
    assert len({str(f) for f in MINIFLOATS}) == len(MINIFLOATS) == 24 * 2 + 2


@pytest.mark.parametrize("fmt", MINIFLOATS, ids=str)
def test_every_code_decodes_by_definition(fmt: Minifloat) -> None:
    good = []
    for code in range(1 << fmt.bits):
        expected = real_by_definition(fmt, code)
        assert finite(fmt, code) == (expected is not None)
        if expected is None:
            with pytest.raises(FormatError, match=f"code {code} of .* is not a finite number"):
                fmt.to_grid(np.array([0, code]))
            continue
        good.append(code)
        assert real(fmt, fmt.to_grid_scalar(code)) == expected
        assert fmt.decode(np.array([code]))[0] == float(expected)
    codes = np.array(good)
    grid = fmt.to_grid(codes)
    assert grid.tolist() == [fmt.to_grid_scalar(c) for c in good]
    assert (int(grid.min()), int(grid.max())) == fmt.grid_range
    # Back to the same code, except that the negative zero becomes the positive one.
    negative_zero = 1 << (fmt.bits - 1)
    assert fmt.from_grid(grid).tolist() == [0 if c == negative_zero else c for c in good]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fmt", MINIFLOATS, ids=str)
def test_every_value_and_midpoint_encodes(fmt: Minifloat, rule: str) -> None:
    """Each value, each midpoint, both missed by 2**-10 of a grid step, and beyond the range."""
    table = [int(v * Fraction(2) ** fmt.frac) for v, _ in values(fmt)]
    middles = [a + b for a, b in pairwise(table)]
    top = fmt.max_magnitude
    far = [s * n * 2 for s in (1, -1) for n in (top + 1, 2 * top, 3 * top, 1000 * top)]
    halves = np.array([*(2 * v for v in table), *middles, *far], dtype=np.int64)
    num = np.concatenate([halves * 512 + d for d in (-1, 0, 1)])
    got = fmt.from_grid(encode(num, np.array(fmt.frac + 10), fmt, rule, ndim=1))
    exact = [Fraction(int(n), 1024) * Fraction(2) ** -fmt.frac for n in num]
    assert got.tolist() == [nearest_code(fmt, x, rule) for x in exact]
    # The scalar reference and its vector twin.
    grids = [encode_scalar(x, fmt, rule) for x in exact]
    assert fmt.from_grid(np.array(grids)).tolist() == got.tolist()
    assert (1 << (fmt.bits - 1)) not in got


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=200, deadline=None)
@given(
    fmt=st.sampled_from(MINIFLOATS),
    num=st.integers(-(1 << 61) + 1, (1 << 61) - 1),
    shrink=st.integers(0, 61),
    den=st.integers(1, 1 << 40) | st.sampled_from((1, 2, 3, 9, 49)),
)
def test_any_ratio(rule: str, fmt: Minifloat, num: int, shrink: int, den: int) -> None:
    num >>= shrink
    grid = fmt.round_grid(np.array([num]), np.array([den]), rule)
    assert int(grid[0]) == fmt.round_scalar(Fraction(num, den), rule)
    assert int(fmt.from_grid(grid)[0]) == nearest_code(fmt, real(fmt, 1) * Fraction(num, den), rule)


@pytest.mark.parametrize("name", PEERS)
def test_decodes_as_ml_dtypes_does(name: str) -> None:
    fmt, dtype, _ = PEERS[name]
    codes = np.arange(1 << fmt.bits, dtype=np.uint8)
    theirs = codes.view(dtype).astype(np.float64)
    for code, expected in zip(codes, theirs, strict=True):
        assert finite(fmt, int(code)) == bool(np.isfinite(expected))
    good = np.isfinite(theirs)
    np.testing.assert_array_equal(fmt.decode(codes[good]), theirs[good])


@pytest.mark.parametrize("name", PEERS)
def test_encodes_as_ml_dtypes_does(name: str) -> None:
    """Their cast, saturated first, is half_even; only the negative zero differs: we never make one."""
    fmt, dtype, _ = PEERS[name]
    reals = np.array([float(v) for v, _ in values(fmt)])
    middles = (reals[1:] + reals[:-1]) / 2
    around = np.concatenate([reals, middles])
    rng = np.random.default_rng(0)
    anywhere = rng.choice((-1.0, 1.0), 20_000) * np.exp2(rng.uniform(-22, 18, 20_000))
    # float32, because their casts from float64 may go through it.
    x = np.concatenate([around, np.nextafter(around, np.inf, dtype=np.float32), anywhere, -around]).astype(np.float32)
    theirs = np.clip(x, reals.min(), reals.max()).astype(dtype).view(np.uint8)
    ours = fmt.quantize(x, "half_even")
    zero = fmt.to_grid(ours) == 0
    np.testing.assert_array_equal(ours[~zero], theirs[~zero])
    assert (ours[zero] == 0).all()
    assert set(theirs[zero].tolist()) <= {0, 1 << (fmt.bits - 1)}
    if fmt.specials != "fnuz":
        assert (theirs[zero] == 1 << (fmt.bits - 1)).any(), "the documented difference should have been met"


@pytest.mark.parametrize("name", [n for n, p in PEERS.items() if p[2] is not None])
def test_agrees_with_gfloat(name: str) -> None:
    fmt, _, info = PEERS[name]
    for code in range(1 << fmt.bits):
        theirs = gfloat.decode_float(info, code).fval
        assert finite(fmt, code) == bool(np.isfinite(theirs))
        if np.isfinite(theirs):
            assert fmt.decode(np.array([code]))[0] == theirs
    reals = np.array([float(v) for v, _ in values(fmt)])
    middles = (reals[1:] + reals[:-1]) / 2
    for x in (*reals, *middles, *np.nextafter(middles, -np.inf), reals.max() * 1.5, reals.min() * 100):
        theirs = gfloat.round_float(info, float(x), gfloat.RoundMode.TiesToEven, sat=True)
        assert fmt.decode(fmt.quantize([x], "half_even"))[0] == theirs
        down = gfloat.round_float(info, float(x), gfloat.RoundMode.TowardNegative, sat=True)
        assert fmt.decode(fmt.quantize([x], "floor"))[0] == down


def test_named_formats_have_their_standard_maxima() -> None:
    maxima = {name: float(max(v for v, _ in values(fmt))) for name, fmt in NAMED.items()}
    assert maxima == {"e2m1": 6.0, "e2m3": 7.5, "e3m2": 28.0, "e4m3": 448.0, "e5m2": 57344.0}
    assert float(values(Minifloat(4, 3))[-1][0]) == 480.0
    assert float(values(Minifloat(4, 3, specials="fnuz"))[-1][0]) == 240.0


def test_names() -> None:
    """Every layout with every specials by its name, those of ml_dtypes, and what is none."""
    for fmt in MINIFLOATS:
        assert minifloat(f"{fmt.name.lower()}-{fmt.specials}") == fmt
    for name, made in NAMED.items():
        assert minifloat(name) == made
        assert minifloat(name.upper()) == made
    assert minifloat("e4m3fn") == NAMED["e4m3"]
    assert minifloat("e3m2fn") == NAMED["e3m2"]
    assert minifloat("e2m1b3") == Minifloat(2, 1, 3)
    for wrong in ("e4", "m3e4", "e4m3x", "", "fp8", "e4m3 fn", "e5m2fn", "e3m2-ocp", "e6m1", "e8m0fnu", 4):
        with pytest.raises(FormatError):
            minifloat(wrong)  # type: ignore[arg-type]


def test_scale_moves_the_point_only() -> None:
    fmt = Minifloat(2, 1, scale=-3)
    assert fmt.decode(np.array([7]))[0] == 6.0 / 8
    assert fmt.grid_range == NAMED["e2m1"].grid_range
    assert fmt.per_tensor(4) == fmt
    channels = Minifloat(2, 1, scale=(0, -3), axis=1)
    assert channels.decode(np.full((1, 2), 7)).tolist() == [[6.0, 0.75]]
    assert channels.quantize([[6.0, 0.75], [6.0, 6.0]]).tolist() == [[7, 7], [7, 7]]


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ((0, 3), "E0M3 is not supported: use 1 to 5"),
        ((6, 1), "E6M1 is not supported"),
        ((4, 4), "E4M4 is not supported"),
        ((1, 0), "E1M0 is not supported"),
        ((2, -1), "E2M-1 is not supported"),
        ((True, 2), "exponent must be an int"),
        ((2, 1.0), "mantissa must be an int"),
        ((2, 1, 300), "bias must be an int in -256..256, not 300"),
        ((2, 1, True), "bias must be an int"),
        ((2, 1, 1, "ieee"), "specials 'ieee' unknown; choose one of none, ocp, fnuz"),
        ((2, 1, 1, "ocp"), "OCP specials exist for E4M3 and E5M2, not for E2M1"),
        ((2, 1, 1, "none", "0"), "scale must be an int"),
        ((2, 1, 1, "none", (1, 2)), "a tuple needs an axis"),
        ((2, 1, 1, "none", 0, 1), "one int has none"),
        ((2, 1, 1, "none", (0,), -1), "axis must be None or an int of at least 0"),
    ],
)
def test_what_is_refused(arguments: tuple[Any, ...], fact: str) -> None:
    with pytest.raises(FormatError, match=fact):
        Minifloat(*arguments)


@pytest.mark.parametrize("fmt", [*MINIFLOATS[::7], Minifloat(3, 2, 5, scale=(1, -4, 0), axis=2)], ids=str)
def test_json(fmt: Minifloat) -> None:
    assert from_json(fmt.to_json()) == fmt
