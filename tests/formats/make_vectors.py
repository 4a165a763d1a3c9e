"""Write the conformance vectors in `vectors/` from the scalar reference; run as a script, or with --check.

Every implementation of the numbers contract (the vector twin, the C header, later the hardware) reads these files.
They aim at what random data never meets: ties, saturation, the widest accumulators, wide shifts, negative zero.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from edgeq.errors import FormatError
from edgeq.formats import (
    DYADIC_RULES,
    FIXED_RULES,
    NAMED,
    RULES,
    FixedPoint,
    Format,
    Minifloat,
    encode_scalar,
    overflow_scalar,
    round_scalar,
    scale_scalar,
)
from edgeq.formats.dyadic import FIRST_SHIFT, MOST_SHIFT, MULTIPLIER_LIMIT
from edgeq.formats.format import ENCODE_LIMIT, WIDE_LIMIT
from edgeq.formats.overflow import Clamp

FOLDER = Path(__file__).parent / "vectors"
RULE_NAMES = tuple(RULES)

COMMON = """\
# Conformance vectors of edgeq's numbers contract (docs/arithmetic.md). Made by tests/formats/make_vectors.py.
# One vector a line, words separated by one space, numbers are decimal integers; a line that starts with # is a comment.
"""

ROUND_HEADER = """\
# round <rule> <num> <den> <result>
#   <result> is num/den (1 <= den <= 2^62, |num| < 2^62) rounded to an integer by <rule>: half_up, half_even or floor.
"""

SCALE_HEADER = """\
# scale <rule> <multiplier> <shift> <num> <result>
#   <result> is num * multiplier / 2^shift rounded to an integer: once by half_up, half_even or floor; by tflite twice,
#   half up at min(shift, 31) bits and half away from zero for the bits that are left.
#   0 <= multiplier < 2^31, 0 <= shift <= 62, and |num| * multiplier + 2^(shift - 1) < 2^62.
"""

ENCODE_FIXED_HEADER = """\
# encode fixed <bits> <point> <signed> <rule> <num> <frac> <den> <code>
#   <code> stands for the exact number num / den * 2^-frac in the format, after one rounding by <rule> and saturation.
#   The format: 1..32 <bits>, value = code * 2^-point, two's complement if <signed> is 1. With s = point - frac the
#   number to round is (num << s) / den for s >= 0 and num / (den << -s) for s < 0.
#   What the range analysis promises holds in each line: |num| * 2^max(s,0) + den * 2^(min(max(-s,0),62) - 1) < 2^62,
#   the second term only where den > 1 or s < 0. |s| itself may exceed 63.
"""

ENCODE_MINIFLOAT_HEADER = """\
# encode minifloat <E> <M> <bias> <specials> <scale> <rule> <num> <frac> <den> <code>
#   <code> stands for the exact number num / den * 2^-frac in the format, after one rounding by <rule> and saturation
#   to the greatest finite number; zero is always the positive zero, and no special code is ever the result.
#   The format: sign, <E> exponent bits, <M> mantissa bits (code = sign << (E+M) | exponent << M | mantissa); its grid
#   is the smallest subnormal, value = grid * 2^-point with point = bias - 1 + M - scale.
#   <specials>: none (all codes finite), ocp (E4M3: S.1111.111 is NaN; E5M2: exponent 31 is infinity or NaN) or
#   fnuz (only NaN: the code of the negative zero). A tie of half_even goes to the neighbour that is an even multiple of
#   the step below it (with M = 0 that is always the larger magnitude), one of half_up towards plus infinity.
#   s = point - frac and the promise of the range analysis are as for fixed point.
"""

WIDE_HEADER = """\
# wide <format> <rule> <overflow> <lo> <hi> <clamp> <num> <shift> <code>
#   <code> stands for num / 2^shift (num * 2^-shift where shift is negative) in grid units of the format, written as in
#   the files encode_*.txt, after one rounding by <rule>, any of those of fixed point, and what <overflow> (saturate,
#   wrap or zero) makes of a number beyond lo..hi. These are the bounds of the format, but for an end at which the
#   node's own bound clamps: <clamp> is the sum of 1 for lo and 2 for hi.
#   |num| * 2^max(-shift,0) + 2^(shift - 1) < 2^94, the second term only where shift > 0.
"""

DECODE_HEADER = """\
# decode fixed <bits> <point> <signed> <code> <grid>
# decode minifloat <E> <M> <bias> <specials> <scale> <code> <grid>
#   <grid> is the integer that <code> stands for on the format's grid (formats as in the encode files), or the word
#   invalid where the code is not a finite number. The negative zero decodes to 0.
"""


@lru_cache(maxsize=64)
def _codes_by_grid(fmt: Minifloat) -> dict[int, int]:
    """The code of each finite value by definition: the least code that decodes to it (so zero is positive)."""
    found: dict[int, int] = {}
    for code in range(1 << fmt.bits):
        try:
            found.setdefault(fmt.to_grid_scalar(code), code)
        except FormatError:
            continue
    return found


def code_of(grid: int, fmt: Format) -> int:
    """Code of a representable grid integer, independent of `Format.from_grid`."""
    return _codes_by_grid(fmt)[grid] if isinstance(fmt, Minifloat) else grid


def point_of(fmt: Format) -> int:
    """Binary point of a per-tensor format."""
    assert isinstance(fmt.frac, int)
    return fmt.frac


def promised(num: int, frac: int, den: int, fmt: Format) -> bool:
    """Whether the range analysis would let this number reach the output stage."""
    shift = point_of(fmt) - frac
    half = (den << min(max(-shift, 0), 62)) >> 1 if den > 1 or shift < 0 else 0
    return (abs(num) << min(max(shift, 0), 128)) + half < ENCODE_LIMIT


def describe(fmt: Format) -> str:
    """The words that name a format in a vector."""
    if isinstance(fmt, FixedPoint):
        return f"fixed {fmt.width} {fmt.point} {int(fmt.sign)}"
    assert isinstance(fmt, Minifloat)
    return f"minifloat {fmt.exponent} {fmt.mantissa} {fmt.bias} {fmt.specials} {fmt.scale}"


def encode_line(fmt: Format, rule: str, num: int, frac: int, den: int) -> str:
    """One encode vector, answered by the scalar reference."""
    exact = Fraction(num, den) * Fraction(2) ** -frac
    code = code_of(encode_scalar(exact, fmt, rule), fmt)
    return f"encode {describe(fmt)} {rule} {num} {frac} {den} {code}"


def encode_lines(fmt: Format, cases: Iterable[tuple[int, int, int]], rng: random.Random, keep: int) -> Iterator[str]:
    """Vectors of all rules for at most `keep` of the cases (num, frac, den), chosen by `rng`."""
    good = sorted({case for case in cases if promised(*case, fmt)})
    for case in sorted(rng.sample(good, min(keep, len(good)))):
        for rule in RULE_NAMES:
            yield encode_line(fmt, rule, *case)


DENOMINATORS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 25, 49, 63, 64, 100, 1023, 65535, 1000003, (1 << 31) - 1, 1 << 40)


def round_lines() -> Iterator[str]:
    """Ties, near-ties and extremes of the bare rounding rules."""
    top = ENCODE_LIMIT - 1
    cases: set[tuple[int, int]] = set()
    for den in (*DENOMINATORS, (1 << 61) - 1, 1 << 61, top, 1 << 62):
        for num in (
            0,
            1,
            2,
            den // 2 - 1,
            den // 2,
            den // 2 + 1,
            den - 1,
            den,
            3 * den // 2,
            5 * den // 2,
            top // 2,
            top,
        ):
            cases |= {(sign * (num + d), den) for sign in (1, -1) for d in (-1, 0, 1) if abs(num + d) <= top}
    for num, den in sorted(cases, key=lambda c: (c[1], c[0])):
        for rule in RULE_NAMES:
            yield f"round {rule} {num} {den} {round_scalar(Fraction(num, den), rule)}"


MULTIPLIERS = (0, 1, 3, 5, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, 3 << 29, 1431655765, 1717986919, MULTIPLIER_LIMIT - 1)


def _ties(multiplier: int, shift: int) -> Iterator[int]:
    """Numbers whose product ends at, just below or just above a half, at the first rounding or at the second."""
    first = min(shift, FIRST_SHIFT)
    for at in {first, shift}:
        step = 1 << at
        for half in (step // 2, 3 * step // 2, 5 * step // 2, 8191 * step // 2, (1 << 20) * step + step // 2):
            near = half // max(multiplier, 1)
            yield from (sign * (near + d) for sign in (1, -1) for d in (-1, 0, 1, 2))


def scale_lines() -> Iterator[str]:
    """Every shift with every kind of multiplier: zero, ties of both roundings, the widest products, random ones."""
    rng = random.Random(3)
    for shift in range(MOST_SHIFT + 1):
        room = ENCODE_LIMIT - 1 - ((1 << shift) >> 1)
        for multiplier in (*MULTIPLIERS, rng.randrange(1 << 30, MULTIPLIER_LIMIT)):
            most = min(room // max(multiplier, 1), (1 << 61) - 1)
            ties = sorted(n for n in set(_ties(multiplier, shift)) if abs(n) <= most)
            ends = [e for e in (0, 1, -1, most, -most, (1 << 31) - 1, -(1 << 31)) if abs(e) <= most]
            drawn = [rng.randint(-most, most) >> rng.randrange(40) for _ in range(2)]
            for num in sorted({*ends, *drawn, *rng.sample(ties, min(6, len(ties)))}):
                for rule in DYADIC_RULES:
                    if rule == "tflite" or num in drawn:
                        yield f"scale {rule} {multiplier} {shift} {num} {scale_scalar(num, multiplier, shift, rule)}"


FIXED = (
    *(FixedPoint(w, 0, s) for w in (1, 2, 3, 4, 8, 16, 32) for s in (True, False)),
    *(FixedPoint(8, 4), FixedPoint(8, 7, False), FixedPoint(4, -3)),
    *(FixedPoint(8, 20), FixedPoint(16, 15), FixedPoint(32, 40)),
)


def _around_codes(fmt: Format, values: Iterable[Fraction]) -> Iterator[tuple[int, int, int]]:
    """Numbers at, just below and just above grid numbers, at many distances of the accumulator's point."""
    point = point_of(fmt)
    for value in values:
        for down in (1, 2, 4, 8, 15, 16, 24, 31, 32, 33, 40, 47, 48):
            at = value * (1 << down)
            for delta in (-1, 0, 1):
                yield int(at) + delta, point + down, 1
        for up in (0, 1, 7):
            yield int(value) >> up, point - up, 1
        for den in DENOMINATORS:
            for delta in (-1, 0, 1):
                yield int(value * den) + delta, point, den
                yield int(value * den * 4) + delta, point + 2, den


def _wide_left_shifts(fmt: Format) -> Iterator[tuple[int, int, int]]:
    """Numbers on grids so coarse that they move left by 32 and more; zero by any distance."""
    point = point_of(fmt)
    for up in (31, 32, 33, 47, 59, 60):
        yield from ((sign, point - up, 1) for sign in (1, -1))
    yield from ((0, point - up, 1) for up in (62, 63, 64, 100, 700))


def _extremes(fmt: Format) -> Iterator[tuple[int, int, int]]:
    """The widest accumulators and shifts; zero under any shift."""
    point = point_of(fmt)
    for down in (0, 1, 8, 31, 32, 47, 59, 60, 61, 62, 63, 64, 65, 100, 700):
        for power in (0, 1, 30, 31, 32, 33, 47, 59, 60, 61):
            for delta in (-2, -1, 0, 1, 2):
                yield (1 << power) + delta, point + down, 1
                yield -(1 << power) + delta, point + down, 1
        yield (1 << 61) - 1 - (1 << max(down - 1, 0)) % (1 << 61), point + down, 1
    for up in (1, 8, 31, 32, 60, 61, 62, 63, 64, 100, 700):
        for num in (0, 1, -1, 2, -3, (1 << max(61 - up, 0)) - 1, -(1 << max(61 - up, 0))):
            yield num, point - up, 1
    for den in DENOMINATORS:
        for num in (1, (1 << 60) - 1, (1 << 61) - 1 - den, -(1 << 60), -(1 << 61) + den, 1 << 31, -(1 << 31) - 1):
            yield from ((num, point + down, den) for down in (0, 1, 7, 20, 32))


def fixed_lines() -> Iterator[str]:
    """Ties round every edge of the range, then extremes, for narrow, wide, signed, unsigned and shifted formats."""
    rng = random.Random(1)
    for fmt in FIXED:
        lo, hi = fmt.code_range
        codes = {lo - 1, lo, lo + 1, -2, -1, 0, 1, 2, hi - 1, hi, hi + 1, (lo + hi) // 3}
        halves = sorted(Fraction(2 * c + 1, 2) for c in codes)
        yield from encode_lines(fmt, _around_codes(fmt, [*map(Fraction, codes), *halves]), rng, 70)
        yield from encode_lines(fmt, _extremes(fmt), rng, 50)
        yield from encode_lines(fmt, _wide_left_shifts(fmt), rng, 10)


MINIFLOATS = (
    *NAMED.values(),
    *(Minifloat(4, 3), Minifloat(5, 2), Minifloat(4, 3, specials="fnuz"), Minifloat(5, 2, specials="fnuz")),
    *(Minifloat(3, 1), Minifloat(2, 0), Minifloat(1, 1), Minifloat(1, 6), Minifloat(3, 0), Minifloat(5, 0)),
    *(Minifloat(4, 1, 3), Minifloat(2, 1, scale=-5), Minifloat(4, 3, 11, "ocp", 9)),
)


def minifloat_lines() -> Iterator[str]:
    """Every value and every midpoint, exactly and missed by a hair, then subnormals, saturation and extremes."""
    rng = random.Random(2)
    for fmt in MINIFLOATS:
        values = sorted(_codes_by_grid(fmt))
        middles = [Fraction(a + b, 2) for a, b in pairwise(values)]
        point, top = point_of(fmt), fmt.max_magnitude
        beyond = [
            Fraction(sign * (top + d)) for sign in (1, -1) for d in (top >> fmt.mantissa + 2, top >> 1, top, 9 * top)
        ]
        exact = {(int(m * 2), point + 1, 1) for m in [*middles, *beyond]}
        hair = {(int(m * 512) + d, point + 9, 1) for m in middles for d in (-1, 1)}
        yield from encode_lines(fmt, exact, rng, 80)
        yield from encode_lines(fmt, hair, rng, 40)
        small = [v for v in values if abs(v) <= 2 << fmt.mantissa]
        yield from encode_lines(fmt, _around_codes(fmt, [*map(Fraction, small), *middles]), rng, 30)
        yield from encode_lines(fmt, _extremes(fmt), rng, 30)
        yield from encode_lines(fmt, _wide_left_shifts(fmt), rng, 5)


#: number formats of wide sums, and of each what overflows and which ends clamp (None: not at this one)
WIDE_FIXED = (
    (FixedPoint(8), "saturate", (None, None)),
    (FixedPoint(32), "saturate", (None, None)),
    (FixedPoint(5, 0, False), "saturate", (None, 17)),
    (FixedPoint(6), "wrap", (None, None)),
    (FixedPoint(7, 0, False), "wrap", (3, None)),
    (FixedPoint(32), "wrap", (None, 1000)),
    (FixedPoint(4), "zero", (None, None)),
    (FixedPoint(9), "zero", (-5, None)),
)
WIDE_FLOATS = (NAMED["e5m2"], NAMED["e4m3"], NAMED["e2m1"], Minifloat(3, 0), Minifloat(5, 2, specials="fnuz"))
WIDE_SHIFTS = (1, 2, 3, 31, 32, 33, 47, 48, 60, 61, 62, 63, 64, 65, 66, 78, 85, 91, 92, 93, 94)


def _wide_numbers(middles: Iterable[int], shift: int, rng: random.Random) -> Iterator[int]:
    """Halves of steps, exactly and missed by the least bit and by any; the widest sums; middles: twice the numbers."""
    for middle in middles:
        at = middle << shift >> 1 if shift >= 0 else middle >> 1
        yield from (at - 1, at, at + 1, at + (1 << rng.randrange(max(shift, 1))))
    for power in (61, 62, 63, 64, 65, 77, 92):
        yield from (sign * (1 << power) + delta for sign in (1, -1) for delta in (-1, 0, 1, rng.getrandbits(60)))
    yield WIDE_LIMIT - 1 - ((1 << shift) >> 1 if shift > 0 else 0)
    yield 1 - WIDE_LIMIT + ((1 << shift) >> 1 if shift > 0 else 0)


def _wide_line(fmt: Format, rule: str, mode: str, clamp: Clamp, num: int, shift: int) -> str:
    x = Fraction(num) / Fraction(2) ** shift
    lo, hi = (end if own is None else own for end, own in zip(fmt.grid_range, clamp, strict=True))
    if isinstance(fmt, FixedPoint):
        grid = overflow_scalar(round_scalar(x, rule), fmt, mode, clamp)
    else:
        grid = min(max(fmt.round_scalar(x, rule), lo), hi)
    ends = f"{lo} {hi} {(clamp[0] is not None) + 2 * (clamp[1] is not None)}"
    return f"wide {describe(fmt)} {rule} {mode} {ends} {num} {shift} {code_of(grid, fmt)}"


def wide_lines() -> Iterator[str]:
    """Sums beyond 63 bits: ties that the least bit decides, shifts across every word, both ends, every overflow."""
    rng = random.Random(3)
    for fmt, mode, clamp in (*WIDE_FIXED, *((f, "saturate", (None, None)) for f in WIDE_FLOATS)):
        if isinstance(fmt, FixedPoint):
            lo, hi = fmt.code_range
            middles = [2 * c + 1 for c in (lo - 1, lo, -3, -2, -1, 0, 1, 2, hi - 1, hi, hi + 1, 5 * hi)]
        else:
            values = sorted(_codes_by_grid(fmt))
            middles = [a + b for a, b in pairwise(values)] + [2 * values[-1] + 1, 5 * values[0]]
        for rule in FIXED_RULES if isinstance(fmt, FixedPoint) else RULES:
            found = set()
            for shift in (*WIDE_SHIFTS, 0, -1, -8, -20):
                half = (1 << shift) >> 1 if shift > 0 else 0
                few = rng.sample(middles, min(len(middles), 8))
                for num in _wide_numbers(few, shift, rng):
                    if (abs(num) << max(-shift, 0)) + half < WIDE_LIMIT:
                        found.add((num, shift))
            for num, shift in sorted(rng.sample(sorted(found), 60)):
                yield _wide_line(fmt, rule, mode, clamp, num, shift)


def decode_lines() -> Iterator[str]:
    """Every code of every minifloat; the edges of fixed point."""
    for fixed in FIXED:
        lo, hi = fixed.code_range
        for code in sorted({c for c in (lo, lo + 1, -1, 0, 1, hi - 1, hi) if lo <= c <= hi}):
            yield f"decode {describe(fixed)} {code} {fixed.to_grid_scalar(code)}"
    for fmt in MINIFLOATS:
        for code in range(1 << fmt.bits):
            try:
                grid = str(fmt.to_grid_scalar(code))
            except FormatError:
                grid = "invalid"
            yield f"decode {describe(fmt)} {code} {grid}"


def files() -> dict[str, str]:
    """File name -> text of every vector file."""
    parts = {
        "round.txt": (ROUND_HEADER, round_lines),
        "scale.txt": (SCALE_HEADER, scale_lines),
        "encode_fixed.txt": (ENCODE_FIXED_HEADER, fixed_lines),
        "encode_minifloat.txt": (ENCODE_MINIFLOAT_HEADER, minifloat_lines),
        "wide.txt": (WIDE_HEADER, wide_lines),
        "decode.txt": (DECODE_HEADER, decode_lines),
    }
    return {name: COMMON + header + "\n".join(lines()) + "\n" for name, (header, lines) in parts.items()}


def main() -> int:
    """Write the files, or with --check say which are out of date."""
    stale = []
    for name, text in files().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    print(", ".join(stale) or "all current")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
