"""The rounding rules and overflow modes of fixed point: references, vector twins, and the real ap_fixed class agree."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import FormatError
from edgeq.formats import (
    FIXED_RULES,
    OVERFLOWS,
    RULES,
    FixedPoint,
    overflow,
    overflow_scalar,
    round_ratio,
    round_scalar,
)
from edgeq.formats.overflow import AP_OVERFLOW, Clamp, symmetric_bound
from edgeq.formats.rounding import AP_QUANTIZATION

#: worked by hand, as in docs/arithmetic.md
BY_HAND = {
    "half_down": {-2.5: -3, -1.75: -2, -1.5: -2, -1.25: -1, -0.5: -1, 0.5: 0, 1.25: 1, 1.5: 1, 1.75: 2, 2.5: 2},
    "half_away": {-2.5: -3, -1.75: -2, -1.5: -2, -1.25: -1, -0.5: -1, 0.5: 1, 1.25: 1, 1.5: 2, 1.75: 2, 2.5: 3},
    "half_to_zero": {-2.5: -2, -1.75: -2, -1.5: -1, -1.25: -1, -0.5: 0, 0.5: 0, 1.25: 1, 1.5: 1, 1.75: 2, 2.5: 2},
    "to_zero": {-2.5: -2, -1.75: -1, -1.5: -1, -1.25: -1, -0.5: 0, 0.5: 0, 1.25: 1, 1.5: 1, 1.75: 1, 2.5: 2},
}


PAGE = (Path(__file__).parents[2] / "docs" / "arithmetic.md").read_text(encoding="utf-8").splitlines()


def table(header: str) -> list[list[str]]:
    """The rows of the contract's table whose header begins with `header`, the header first."""
    start = next(i for i, line in enumerate(PAGE) if line.startswith(header))
    end = next(i for i in range(start, len(PAGE)) if not PAGE[i].startswith("|"))
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE[start:end]]
    return [found[0], *found[2:]]


def test_the_page_has_these_tables() -> None:
    """docs/arithmetic.md names every mode of ap_fixed with what stands for it here, and works the same examples."""
    header, *rows = table("| fixed point, x |")
    numbers = [float(x) for x in header[1:]]
    assert {r[0].strip("`"): dict(zip(numbers, map(int, r[1:]), strict=True)) for r in rows} == BY_HAND
    named = {r[0].strip("`"): r[1].strip("`") for r in table("| ap_fixed | rule |")[1:]}
    assert named == AP_QUANTIZATION
    modes = {r[0].split("`")[1]: r[1].split("`")[1] for r in table("| ap_fixed | `overflow` |")[1:]}
    assert modes == AP_OVERFLOW


def test_rules_by_hand() -> None:
    assert {*BY_HAND, *RULES} == set(FIXED_RULES)
    for rule, answers in BY_HAND.items():
        assert {x: round_scalar(Fraction(x), rule) for x in answers} == answers


@pytest.mark.parametrize("rule", FIXED_RULES)
def test_vector_twin_of_every_rule(rule: str) -> None:
    """Every numerator over every small denominator; ties, their neighbours and the ends of what int64 holds."""
    for den in (1, 2, 3, 4, 5, 7, 8, 16):
        num = np.arange(-70, 71)
        assert round_ratio(num, den, rule).tolist() == [round_scalar(Fraction(int(n), den), rule) for n in num]
    for shift in (31, 40, 61, 62):
        most = (1 << 62) - 1
        near = [k * (1 << (shift - 1)) + d for k in (-3, -2, -1, 0, 1, 2, 3) for d in (-1, 0, 1)]
        num = np.array([n for n in [*near, -most, most] if abs(n) <= most])
        assert round_ratio(num, 1 << shift, rule).tolist() == [
            round_scalar(Fraction(int(n), 1 << shift), rule) for n in num
        ]


def clamps(fmt: FixedPoint) -> list[Clamp]:
    """No bound, a ReLU, both ends, and one bound outside of the format's middle."""
    lo, hi = fmt.grid_range
    found: list[Clamp] = [(None, None), (max(lo, 0), None), (None, hi - 1), (lo + 1, hi)]
    return [c for c in found if c[0] is None or c[1] is None or c[0] <= c[1]]


@pytest.mark.parametrize("mode", OVERFLOWS)
def test_overflow_twin(mode: str) -> None:
    for fmt in (FixedPoint(w, 0, s) for w in (1, 2, 5, 8) for s in (True, False)):
        q = np.arange(-3 << fmt.width, (3 << fmt.width) + 1)
        for clamp in clamps(fmt):
            found = overflow(q, fmt, mode, clamp)
            assert found.tolist() == [overflow_scalar(int(n), fmt, mode, clamp) for n in q]
            assert fmt.grid_range[0] <= found.min()
            assert found.max() <= fmt.grid_range[1]
    for fmt in (FixedPoint(32, 0), FixedPoint(32, 0, False), FixedPoint(31, 0)):
        q = np.array([s * (1 << k) + d for k in (30, 31, 32, 33, 61) for s in (-1, 1) for d in (-1, 0, 1)])
        assert overflow(q, fmt, mode).tolist() == [overflow_scalar(int(n), fmt, mode) for n in q]


def test_overflow_by_hand() -> None:
    s4, u4 = FixedPoint(4, 0), FixedPoint(4, 0, False)
    for fmt, mode, answers in (
        (s4, "saturate", {-9: -8, -8: -8, 7: 7, 8: 7, 100: 7}),
        (s4, "wrap", {-9: 7, -8: -8, 7: 7, 8: -8, 100: 4}),
        (s4, "zero", {-9: 0, -8: -8, 7: 7, 8: 0, 100: 0}),
        (u4, "saturate", {-1: 0, 0: 0, 15: 15, 16: 15}),
        (u4, "wrap", {-1: 15, 0: 0, 15: 15, 16: 0}),
        (u4, "zero", {-1: 0, 0: 0, 15: 15, 16: 0}),
    ):
        assert {q: overflow_scalar(q, fmt, mode) for q in answers} == answers
    assert overflow_scalar(-9, s4, "wrap", (0, None)) == 0
    assert overflow_scalar(9, s4, "wrap", (0, None)) == -7
    assert overflow_scalar(9, s4, "zero", (None, 5)) == 5
    with pytest.raises(FormatError, match="overflow mode 'clip' is unknown; choose one of saturate, wrap, zero"):
        overflow(np.array([99]), s4, "clip")


# The real class. A number is (width, binary point, signed).
Number = tuple[int, int, bool]
CASES: list[tuple[Number, Number]] = [
    ((11, 6, True), (5, 2, True)),
    ((10, 4, False), (4, 1, False)),
    ((60, 20, True), (32, 3, True)),
]
MORE: list[tuple[Number, Number]] = [
    ((11, 6, True), (5, 2, False)),
    ((10, 4, False), (4, 3, True)),
    ((8, 3, True), (4, 5, True)),
    ((9, 4, True), (3, -2, True)),
    ((60, 40, True), (31, 9, False)),
]


def sources(source: Number, target: Number) -> list[int]:
    """All raw numbers of a narrow source; of a wide one ties and their neighbours, and all about the target's ends."""
    width, point, signed = source
    lo, hi = (
        FixedPoint(min(width, 32), 0, signed).grid_range if width <= 32 else (-(1 << width - 1), (1 << width - 1) - 1)
    )
    if width <= 12:
        return list(range(lo, hi + 1))
    step, ends = 1 << (point - target[1]), FixedPoint(target[0], 0, target[2]).grid_range
    grid = {q + d for q in (*ends, 0, -ends[1], 1 << target[0]) for d in range(-3, 4)}
    near = {q * step + d for q in grid for d in (-1, 0, 1, step // 2 - 1, step // 2, step // 2 + 1)}
    drawn = np.random.default_rng(7).integers(lo, hi, 200).tolist()
    return sorted({v for v in (*near, *drawn, lo, hi) if lo <= v <= hi})


def oracle(cases: list[tuple[Number, Number]], folder: Path) -> Path:
    """The program of ap_fixed.cpp, compiled against the headers that hls4ml installs."""
    spec, compiler = importlib.util.find_spec("hls4ml"), shutil.which("g++")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("hls4ml is not installed: it brings the ap_types headers")
    if compiler is None:
        pytest.skip("g++ is not installed")
    headers = next(Path(spec.submodule_search_locations[0]).glob("templates/vivado/ap_types/ap_fixed.h"), None)
    if headers is None:
        pytest.skip("this hls4ml has no ap_types headers")
    lines = (f"X({a[0]},{a[0] - a[1]},{int(a[2])},{b[0]},{b[0] - b[1]},{int(b[2])})" for a, b in cases)
    program = folder / "ap_fixed"
    source = Path(__file__).with_name("ap_fixed.cpp")
    command = [compiler, "-std=c++14", "-O0", "-w", f"-I{headers.parent}", f"-DCASES={' '.join(lines)}"]
    subprocess.run([*command, str(source), "-o", str(program)], check=True, capture_output=True)
    return program


def ours(x: list[int], source: Number, fmt: FixedPoint, ap_q: str, ap_o: str) -> list[int]:
    """Codes of raw numbers by rounding and overflow as edgeq has them, as raw bits."""
    assert isinstance(fmt.point, int)
    num, den = np.array(x, dtype=np.int64), 1
    if fmt.point >= source[1]:
        num = num << (fmt.point - source[1])
    else:
        den = 1 << (source[1] - fmt.point)
    clamp = (symmetric_bound(fmt), None) if ap_o == "AP_SAT_SYM" else (None, None)
    made = overflow(round_ratio(num, den, AP_QUANTIZATION[ap_q]), fmt, AP_OVERFLOW[ap_o], clamp)
    return (made & ((1 << fmt.width) - 1)).tolist()


@pytest.mark.parametrize("cases", [CASES, pytest.param(MORE, marks=pytest.mark.heavy)], ids=["few", "more"])
def test_the_real_ap_fixed(cases: list[tuple[Number, Number]], tmp_path: Path) -> None:
    """Every quantisation mode with every overflow mode; no two pairs agree on the numbers of the first of `CASES`."""
    numbers = [sources(*case) for case in cases]
    text = "\n".join(f"{len(n)} {' '.join(map(str, n))}" for n in numbers)
    made = subprocess.run(
        [oracle(cases, tmp_path)], input=text, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    answers = iter(made)
    assert len(made) == len(cases) * len(AP_QUANTIZATION) * len(AP_OVERFLOW)
    seen = set()
    for (source, target), x in zip(cases, numbers, strict=True):
        fmt = FixedPoint(target[0], target[1], target[2])
        for ap_q, ap_o in product(AP_QUANTIZATION, ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM")):
            theirs = [int(v) for v in next(answers).split()]
            assert ours(x, source, fmt, ap_q, ap_o) == theirs, (source, target, ap_q, ap_o)
            if (source, target) == CASES[0]:
                seen.add(tuple(theirs))
    assert len(seen) == (len(AP_QUANTIZATION) * len(AP_OVERFLOW) if cases is CASES else 0)
