"""Random number formats and codes for random graphs: every width and kind, and codes that are more than noise."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgeq.formats import NAMED, Affine, FixedPoint, Format, Grouped, Minifloat
from edgeq.ir import Interval

Rng = np.random.Generator
#: which kinds of format a random graph uses
Kind = Literal["fixed", "minifloat", "mixed"]

#: widths of activations: eight bits and less are what networks use, the rest are there for the edges
ACTIVATION_BITS = (8, 8, 8, 7, 6, 5, 4, 4, 3, 2, 1, 9, 12, 16, 16, 17, 24, 31, 32)
WEIGHT_BITS = (8, 8, 7, 6, 5, 4, 4, 3, 3, 2, 2, 1, 16)


def chance(rng: Rng, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def pick(rng: Rng, items: Any) -> Any:
    """One of a sequence."""
    return items[int(rng.integers(len(items)))]


def between(rng: Rng, least: int, most: int) -> int:
    """A Python int in least..most, both included."""
    return int(rng.integers(least, most + 1))


def random_format(rng: Rng, kind: Kind, frac: int | None = None, bits: tuple[int, ...] = ACTIVATION_BITS) -> Format:
    """A format with one grid; `frac` fixes its binary point, `bits` are the widths of fixed point to draw from."""
    if kind == "fixed" or (kind == "mixed" and chance(rng, 0.6)):
        point = between(rng, -2, 9) if frac is None else frac
        return FixedPoint(pick(rng, bits), point, chance(rng, 0.7))
    fmt = random_minifloat(rng)
    natural = fmt.frac
    assert isinstance(natural, int)
    return fmt.per_tensor(natural + between(rng, -3, 3) if frac is None else frac)


def random_minifloat(rng: Rng) -> Minifloat:
    """A minifloat by name, or one of any exponent, mantissa, bias and specials."""
    if chance(rng, 0.6):
        # E5M2 is rare, as it is in networks: its products need the accumulator beyond 63 bits.
        return NAMED[pick(rng, ("e2m1", "e2m1", "e2m3", "e3m2", "e4m3", "e4m3", "e5m2"))]
    exponent = pick(rng, (1, 2, 2, 3, 3, 4, 5))
    mantissa = between(rng, max(0, 2 - exponent), 7 - exponent)
    specials = "fnuz" if chance(rng, 0.3) else "none"
    bias = between(rng, -2, 1 << exponent) if chance(rng, 0.3) else None
    return Minifloat(exponent, mantissa, bias, specials)


def per_channel(rng: Rng, fmt: Format, channels: int) -> Format:
    """The same format with a binary point of its own for each of `channels` (axis 0)."""
    spread = rng.integers(-2, 3, size=channels)
    if isinstance(fmt, Minifloat):
        assert isinstance(fmt.scale, int)
        scales = tuple(fmt.scale + int(s) for s in spread)
        return Minifloat(fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, scales, 0)
    assert isinstance(fmt, FixedPoint)
    assert isinstance(fmt.point, int)
    return FixedPoint(fmt.width, tuple(fmt.point + int(s) for s in spread), fmt.sign, 0)


def per_group(rng: Rng, fmt: Format, shape: tuple[int, ...]) -> Format:
    """The same elements with a scale for each group of input channels of weights of `shape`."""
    assert isinstance(fmt, FixedPoint | Minifloat)
    group = pick(rng, (1, 2, 3, 4, 8, 16, 32))
    count = prod(shape[:-1]) * -(-shape[-1] // group)
    spread = min(pick(rng, (0, 2, 3, 5, 9, 17)), Grouped.most_spread(fmt))
    return Grouped(fmt, group, tuple(rng.integers(0, spread, count, endpoint=True).tolist()))


def fitting_format(rng: Rng, kind: Kind, interval: Interval, frac: int) -> Format:
    """An output format whose range lies about where the numbers `interval * 2**-frac` do.

    Slack in both directions makes results that sometimes saturate, sometimes round and sometimes do neither.
    """
    if chance(rng, 0.1):
        return random_format(rng, kind)
    fmt = random_format(rng, kind)
    have = max(-interval.lo, interval.hi, 1).bit_length()
    want = max(*map(abs, fmt.grid_range), 1).bit_length()
    # The worst case is rarely reached: typical sums are a few bits smaller.
    point = frac - (have - want) + between(rng, -1, 4)
    return fmt.per_tensor(max(min(point, 60), -60))


def all_codes(fmt: Format) -> npt.NDArray[np.int64]:
    """Every valid code of a minifloat, ascending."""
    codes = np.arange(fmt.code_range[0], fmt.code_range[1] + 1, dtype=np.int64)
    if isinstance(fmt, Minifloat) and fmt.specials == "fnuz":
        codes = codes[codes != 1 << (fmt.bits - 1)]
    if isinstance(fmt, Minifloat) and fmt.specials == "ocp":
        top = int(fmt.from_grid(np.array([fmt.max_magnitude], dtype=np.int64))[0])
        codes = codes[(codes & ((1 << (fmt.bits - 1)) - 1)) <= top]
    return codes


def uniform_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes drawn evenly from all valid ones."""
    if isinstance(fmt, FixedPoint | Affine):
        lo, hi = fmt.code_range
        return rng.integers(lo, hi, size=shape, endpoint=True, dtype=np.int64)
    return rng.choice(all_codes(fmt), size=shape)


def extreme_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes drawn from the least, the greatest, zero and their neighbours."""
    grid = np.array(sorted({*fmt.grid_range, 0}), dtype=np.int64)
    codes = fmt.from_grid(grid)
    if isinstance(fmt, FixedPoint | Affine):
        (lo, hi), (zero,) = fmt.code_range, fmt.from_grid(np.zeros(1, np.int64))
        codes = np.unique(np.clip(np.array([lo, lo + 1, zero - 1, zero, zero + 1, hi - 1, hi]), lo, hi))
    elif fmt.specials == "none":  # type: ignore[attr-defined]
        codes = np.append(codes, 1 << (fmt.bits - 1))  # the negative zero
    return rng.choice(codes, size=shape)


def tie_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Few non-zero codes, odd multiples of one power of two: sums of them land on ties of coarser grids."""
    if not isinstance(fmt, FixedPoint | Affine):
        codes = all_codes(fmt)
        grid = np.abs(fmt.to_grid(codes))
        chosen = codes[(grid & (grid - 1)) == 0]  # zero and powers of two
        return rng.choice(chosen, size=shape)
    lo, hi = fmt.grid_range
    unit = 1 << between(rng, 0, max(fmt.width - 2, 0))
    odd = rng.integers(lo // unit, hi // unit, size=shape, endpoint=True) | 1
    return fmt.from_grid(np.clip(np.where(rng.random(shape) < 0.4, odd * unit, 0), lo, hi))


def constant_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes of all elements equal: the least, the greatest, or any."""
    lo, hi = (int(c) for c in fmt.from_grid(np.array(fmt.grid_range, dtype=np.int64)))
    code = pick(rng, (lo, hi, int(uniform_codes(fmt, rng, (1,))[0])))
    return np.full(shape, code, dtype=np.int64)


def small_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes of numbers near zero, bell-shaped as those of trained weights are."""
    if not isinstance(fmt, FixedPoint):
        return uniform_codes(fmt, rng, shape)
    lo, hi = fmt.code_range
    return np.clip(np.rint(rng.normal(0, (hi - lo) / 8 + 0.5, size=shape)), lo, hi).astype(np.int64)


def weight_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes of weights: bell-shaped, even, extreme or tie-aimed; sometimes with output channels of zeros."""
    draw = pick(rng, (small_codes, small_codes, uniform_codes, extreme_codes, tie_codes))
    codes: npt.NDArray[np.int64] = draw(fmt, rng, shape)
    if chance(rng, 0.15):
        codes = np.where((rng.random(shape[0]) < 0.4).reshape(-1, *(1,) * (len(shape) - 1)), 0, codes)
    return codes


def input_codes(fmt: Format, rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Codes of one sample: even, extreme, tie-aimed, all equal or near zero."""
    draw = pick(
        rng, (uniform_codes, uniform_codes, uniform_codes, extreme_codes, tie_codes, constant_codes, small_codes)
    )
    codes: npt.NDArray[np.int64] = draw(fmt, rng, shape)
    return codes
