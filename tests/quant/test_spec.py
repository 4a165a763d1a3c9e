"""The torch twin of the number formats, and Brevitas quantisers made from it, against `edgeq.formats`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgeq.formats import NAMED, RULES, Minifloat, minifloat
from edgeq.quant.quantizers import activation_proxy, binary_point
from edgeq.quant.recipe import ROUNDINGS
from edgeq.quant.spec import QuantSpec, power_of_two

#: every minifloat of 3 to 8 bits, and specials that differ from those of the name alone
MINIFLOATS = [f"e{e}m{m}" for e in range(1, 6) for m in range(7) if 3 <= 1 + e + m <= 8]
MINIFLOATS += ["e4m3-none", "e5m2-none", "e4m3-fnuz", "e5m2-fnuz", "e1m1-fnuz", "e2m1-fnuz"]
NUMBERS = [2, 3, 4, 7, 8, 12, 16, *MINIFLOATS]


def probes(spec: QuantSpec, exponent: int, dtype: str) -> np.ndarray:
    """Every value of the format (or many), all ties between neighbours, their float neighbours, and the outside."""
    fmt = spec.format(exponent)
    lo, hi = fmt.code_range
    codes = np.arange(lo, hi + 1) if spec.bits <= 8 else np.unique(np.linspace(lo, hi, 999).astype(np.int64))
    grid = np.array([g for c in codes if (g := finite(fmt, int(c))) is not None], dtype=np.float64)
    if spec.bits > 8:
        grid = np.concatenate([grid, grid + 1])
    values = np.unique(grid)
    ties = (values[1:] + values[:-1]) / 2
    points = np.ldexp(np.concatenate([values, ties, [values[0] - 0.5, values[-1] + 0.5]]), -fmt.frac).astype(dtype)
    kind = points.dtype.type
    near = [np.nextafter(points, kind(np.inf)), np.nextafter(points, kind(-np.inf))]
    # Dividing the smallest floats by a scale may underflow, which is no rounding that a network can meet.
    near = [np.where(np.abs(n) < 1e-30, 0, n) for n in near]
    outside = np.array([1e30, -1e30, 0.0, -0.0], dtype=dtype)
    return np.concatenate([points, *near, outside])


#: minifloats know the rules of every format, fixed point those of ap_fixed as well
RULED = [(n, r) for n in NUMBERS for r in (RULES if isinstance(n, str) else ROUNDINGS)]


def finite(fmt, code: int) -> int | None:
    try:
        return fmt.to_grid_scalar(code)
    except Exception:
        return None


def test_names_of_minifloats() -> None:
    assert set(NAMED) < set(MINIFLOATS)
    assert len(MINIFLOATS) == 24 + 6
    assert all(minifloat(name) == fmt for name, fmt in NAMED.items())
    assert minifloat("e4m3-fnuz") == Minifloat(4, 3, specials="fnuz")
    assert minifloat("e4m3-none").max_magnitude > NAMED["e4m3"].max_magnitude
    assert minifloat("e3m1").specials == "none"


@pytest.mark.parametrize(("number", "rule"), RULED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantise_equals_the_format(number, rule: str, dtype: str) -> None:
    for exponent in (-9, 0, 3):
        for signed in (True, False) if isinstance(number, int) else (True,):
            spec = QuantSpec("x", number, signed=signed, rounding=rule)
            fmt = spec.format(exponent)
            x = probes(spec, exponent, dtype)
            expected = fmt.decode(fmt.quantize(x, rule))
            got = spec.quantise(torch.from_numpy(x), torch.tensor(exponent)).numpy()
            np.testing.assert_array_equal(got.astype(np.float64), expected)


@pytest.mark.parametrize(("number", "rule"), RULED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_brevitas_quantiser_equals_the_format(number, rule: str, dtype: str) -> None:
    spec = QuantSpec("x", number, rounding=rule, learned=False, steps=1)
    layer = nn.Module()
    layer.q = activation_proxy(layer, spec).eval()
    for log2_range in (-6.0, 0.0, 5.0):
        binary_point(layer.q).set(torch.tensor(log2_range))
        exponent = int(log2_range) - spec.head
        x = probes(spec, exponent, dtype)
        fmt = spec.format(exponent)
        got = layer.q(torch.from_numpy(x)).detach().numpy()
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got.astype(np.float64), fmt.decode(fmt.quantize(x, rule)))


def test_narrow_leaves_the_least_code_out() -> None:
    spec = QuantSpec("w", 4, narrow=True)
    got = spec.quantise(torch.tensor([-100.0, 100.0]), torch.tensor(0))
    assert got.tolist() == [-7.0, 7.0]


def test_powers_of_two_are_exact() -> None:
    exponents = torch.arange(-126, 128)
    assert power_of_two(exponents).double().tolist() == [2.0**e for e in range(-126, 128)]


@pytest.mark.parametrize(("number", "signed", "head", "top"), [
    (8, True, 7, 127), (8, False, 8, 255), ("e2m1", True, 3, 6), ("e4m3", True, 9, 448), ("e5m2", True, 16, 57344),
])  # fmt: skip
def test_head_covers_the_top(number, signed: bool, head: int, top: int) -> None:
    spec = QuantSpec("x", number, signed=signed)
    assert (spec.head, spec.top) == (head, top)
    assert 2 ** (spec.head - 1) <= spec.top < 2**spec.head
