"""eq_mvc against numpy: constant weights as shifts and adds; digits are as few as there can be."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hls.harness import Result, Sink, Source, beats_of, elements, memory, needs_simulator, pack, run

from edgeq.fpga.digits import count_digits, packed_digits, rows_of_digits, signed_digits

pytestmark = needs_simulator


def simulate(
    weights: np.ndarray,
    bias: np.ndarray,
    vectors: np.ndarray,
    x_bits: int = 8,
    signed: bool = True,
    lanes: int = 1,
    acc_bits: int = 22,
    stalls: tuple[int, int] = (0, 0),
    flip: int = 0,
    restart: int = 0,
) -> Result:
    """All vectors back to back; `flip`: bits of the digits that are changed."""
    rows = rows_of_digits(weights)
    terms, digits = packed_digits(rows)
    corrected = bias + np.array([sum(d.correction for d in row) for row in rows])
    parameters: dict[str, int | str] = {
        "COLUMNS": weights.shape[1],
        "MH": len(weights),
        "X_BITS": x_bits,
        "X_SIGNED": int(signed),
        "ACC_BITS": acc_bits,
        "OUT_LANES": lanes,
        "TERMS": terms,
        "DIGITS": digits ^ flip,
        "BIAS": "bias.mem",
    }
    source = Source(weights.shape[1] * x_bits, [pack(vector, x_bits) for vector in vectors])
    sink = Sink(lanes * acc_bits, vectors.shape[0] * len(weights) // lanes)
    files = {"bias.mem": memory(beats_of(corrected, lanes, acc_bits), lanes * acc_bits)}
    return run("eq_mvc", parameters, {"s": source}, {"m": sink}, files=files, stalls=stalls, restart=restart)


def drawn(
    rows: int, columns: int, w_bits: int, x_bits: int, signed: bool, seed: int, count: int = 5
) -> tuple[np.ndarray, ...]:
    """Weights, biases, vectors; extremes among them."""
    rng = np.random.default_rng(seed)
    half, low = 1 << (w_bits - 1), -(1 << (x_bits - 1)) if signed else 0
    weights = rng.integers(-half, half, (rows, columns))
    weights.flat[0] = -half
    vectors = rng.integers(low, low + (1 << x_bits), (count, columns))
    vectors[0], vectors[1] = low, low + (1 << x_bits) - 1
    return weights, rng.integers(-900, 900, rows), vectors


@pytest.mark.parametrize(
    ("rows", "columns", "w_bits", "x_bits", "signed", "lanes"),
    [
        (4, 9, 8, 8, True, 1),
        (4, 9, 8, 8, False, 2),
        (1, 1, 2, 1, False, 1),
        (6, 3, 4, 4, True, 3),
        (3, 7, 2, 8, False, 1),
    ],
)
@pytest.mark.parametrize("stalls", [(0, 0), (40, 40)])
def test_every_sum_is_exact(
    rows: int, columns: int, w_bits: int, x_bits: int, signed: bool, lanes: int, stalls: tuple[int, int]
) -> None:
    weights, bias, vectors = drawn(rows, columns, w_bits, x_bits, signed, rows + columns)
    result = simulate(weights, bias, vectors, x_bits, signed, lanes, stalls=stalls)
    assert elements(result.beats["m"], lanes, 22, True) == (vectors @ weights.T + bias).ravel().tolist()


def test_rows_of_zeros_are_biases() -> None:
    weights, bias, vectors = drawn(3, 4, 8, 8, True, 1)
    weights[1] = 0
    for case in (weights, weights * 0):
        result = simulate(case, bias, vectors)
        assert elements(result.beats["m"], 1, 22, True) == (vectors @ case.T + bias).ravel().tolist()


def test_a_vector_takes_as_long_as_its_results() -> None:
    weights, bias, vectors = drawn(6, 5, 8, 8, True, 2, count=20)
    cycles = simulate(weights, bias, vectors, lanes=2).cycles["m"]
    assert cycles[-1] - cycles[8] == len(cycles) - 9
    cycles = simulate(weights, bias, vectors, lanes=6).cycles["m"]
    assert cycles[-1] - cycles[8] == len(cycles) - 9, "a vector a cycle"


def test_a_reset_in_the_middle_starts_over() -> None:
    weights, bias, vectors = drawn(4, 4, 4, 8, True, 3, count=12)
    result = simulate(weights, bias, vectors, restart=25)
    assert elements(result.beats["m"], 1, 22, True) == (vectors @ weights.T + bias).ravel().tolist()


@pytest.mark.parametrize("bit", [16, 22], ids=["shift", "sign"])
def test_a_changed_digit_is_seen(bit: int) -> None:
    weights, bias, vectors = drawn(4, 4, 8, 8, True, 4)
    result = simulate(weights, bias, vectors, flip=1 << bit)
    assert elements(result.beats["m"], 1, 22, True) != (vectors @ weights.T + bias).ravel().tolist()


def test_digits_are_canonical() -> None:
    """Their sum is the number, no two are neighbours, and no sum of fewer signed powers of two gives it."""
    fewest = {0: 0}
    powers = [sign << shift for shift in range(9) for sign in (1, -1)]
    for count in range(1, 6):
        for known in [v for v, n in fewest.items() if n == count - 1]:
            for power in powers:
                fewest.setdefault(known + power, count)
    for value in range(-128, 128):
        digits = signed_digits(value)
        assert sum(-(1 << s) if minus else 1 << s for s, minus in digits) == value
        shifts = [s for s, _ in digits]
        assert all(b - a > 1 for a, b in itertools.pairwise(shifts))
        assert len(digits) == fewest[value]


def test_the_count_is_that_of_the_rows() -> None:
    weights = np.array([[random.Random(i).randrange(-128, 128) for i in range(12)], [0] * 12, [7] * 12])
    assert count_digits(weights) == sum(map(len, rows_of_digits(weights)))
