"""Engines of K-hot weights ("khot" of eq_mvu, eq_depthwise) against numpy: places of digits, signs, every digit."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest
from hls.harness import Result, Sink, Source, beats_of, elements, memory, needs_simulator, pack, run

from edgeq.formats.khot import DIGITS, KHot
from edgeq.fpga.khot import Place, coded, find_places, packed_places, weight_bits

pytestmark = needs_simulator


@dataclass(frozen=True)
class Engine:
    """Parameters of eq_mvu, and how many of which digits its weights have."""

    mh: int = 6
    depth: int = 5
    simd: int = 3
    pe: int = 2
    x_bits: int = 8
    x_signed: bool = True
    w_bits: int = 8
    khot: int = 1
    digits: str = "signed"
    acc_bits: int = 24
    out_lanes: int = 1
    rom: str = "block"

    @property
    def folds(self) -> int:
        return -(-self.mh // self.pe)


@dataclass
class Data:
    """Weights (MH, MW), biases (MH,), vectors (n, MW)."""

    weights: np.ndarray
    bias: np.ndarray
    vectors: np.ndarray

    def expected(self, acc_bits: int = 24) -> list[int]:
        """Accumulators modulo 2^acc_bits."""
        half = 1 << (acc_bits - 1)
        sums = self.vectors @ self.weights.T + self.bias
        return [int((value + half) % (2 * half) - half) for value in sums.ravel()]


def draw_data(case: Engine, vectors: int = 3, seed: int = 0) -> Data:
    """Levels of the format; the ends of elements in a third of the places."""
    draw = np.random.default_rng(seed)
    low, high = (-(1 << (case.x_bits - 1)), 1 << (case.x_bits - 1)) if case.x_signed else (0, 1 << case.x_bits)
    levels = KHot(case.w_bits, case.khot, case.digits).levels
    weights = draw.choice(levels, (case.mh, case.depth * case.simd))
    weights.flat[:2] = levels[[0, -1]][: weights.size]
    kind = draw.integers(0, 6, (vectors, weights.shape[1]))
    x = np.where(kind == 0, low, np.where(kind == 1, high - 1, draw.integers(low, high, kind.shape)))
    room = 1 << (case.acc_bits - 2)
    return Data(weights, draw.integers(-room, room, case.mh), x)


def weight_words(case: Engine, codes: np.ndarray, bits: int) -> list[int]:
    """Words of the weight file: fold*DEPTH + d."""
    full = np.zeros((case.folds * case.pe, codes.shape[1]), np.int64)
    full[: case.mh] = codes
    tiles = full.reshape(case.folds, case.pe, case.depth, case.simd).transpose(0, 2, 1, 3)
    return [pack(tile.ravel(), bits) for tile in tiles.reshape(-1, case.pe, case.simd)]


def simulate(case: Engine, data: Data, stalls: tuple[int, int] = (0, 0), flip: int | None = None) -> Result:
    """All vectors back to back; `flip`: the bit of the weight file that is changed."""
    places = find_places(data.weights, case.x_bits)
    assert 0 < len(places) <= case.khot
    codes, lacks = coded(data.weights, places)
    bits = weight_bits(places)
    words, width = weight_words(case, codes, bits), case.pe * case.simd * bits
    if flip is not None:
        words[flip // width] ^= 1 << (flip % width)
    parameters: dict[str, int | str] = {
        "SIMD": case.simd,
        "PE": case.pe,
        "DEPTH": case.depth,
        "FOLDS": case.folds,
        "MH": case.mh,
        "X_BITS": case.x_bits,
        "X_SIGNED": int(case.x_signed),
        "W_BITS": bits,
        "ACC_BITS": case.acc_bits,
        "OUT_LANES": case.out_lanes,
        "STYLE": "khot",
        "TERMS": len(places),
        "PLACES": packed_places(places),
        "WEIGHTS": "weights.mem",
        "WEIGHT_ROM": case.rom,
        "BIAS": "bias.mem",
    }
    bias = beats_of(data.bias + lacks.sum(axis=1), case.out_lanes, case.acc_bits)
    files = {"weights.mem": memory(words, width), "bias.mem": memory(bias, case.out_lanes * case.acc_bits)}
    rows = [beats_of(vector, case.simd, case.x_bits) for vector in data.vectors]
    source = Source(case.simd * case.x_bits, [beat for row in rows for _ in range(case.folds) for beat in row])
    sink = Sink(case.out_lanes * case.acc_bits, len(rows) * case.mh // case.out_lanes)
    return run("eq_mvu", parameters, {"s": source}, {"m": sink}, files=files, stalls=stalls)


def check(case: Engine, stalls: tuple[int, int] = (0, 0), seed: int = 0) -> Result:
    """Random data, every accumulator."""
    data = draw_data(case, seed=seed)
    result = simulate(case, data, stalls)
    assert elements(result.beats["m"], case.out_lanes, case.acc_bits, True) == data.expected(case.acc_bits), case
    return result


SHAPES = {
    "one digit": Engine(),
    "two digits": Engine(khot=2),
    "three digits": Engine(khot=3, simd=4),
    "two plain digits": Engine(khot=2, digits="binary", simd=5),
    "unsigned elements": Engine(x_signed=False, khot=2),
    "one column": Engine(simd=1, depth=1, mh=5, pe=1),
    "one column, two digits": Engine(simd=1, depth=3, mh=5, pe=1, khot=2, x_signed=False),
    "ternary weights": Engine(w_bits=2, simd=7),
    "elements of one bit": Engine(x_bits=1, x_signed=False, simd=2),
    "ragged rows, two lanes": Engine(mh=6, pe=4, out_lanes=2, khot=2),
    "wide weights": Engine(w_bits=16, khot=2, acc_bits=32, rom="distributed"),
    "wide weights, three digits": Engine(w_bits=14, khot=3, acc_bits=32),
    "narrow accumulators wrap": Engine(acc_bits=12, khot=2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    for stalls in [(40, 10), (10, 60)]:
        check(SHAPES[name], stalls, len(name))


@pytest.mark.parametrize("khot", [1, 2])
@pytest.mark.parametrize("signed", [True, False])
def test_all_products(khot: int, signed: bool) -> None:
    """Every level of 6 bits with every element of 5 bits: each product stands alone."""
    levels = KHot(6, khot).levels
    case = Engine(simd=1, depth=1, mh=len(levels), pe=1, x_bits=5, x_signed=signed, khot=khot)
    low = -16 if signed else 0
    data = Data(levels[:, None], np.zeros(len(levels), np.int64), np.arange(low, low + 32)[:, None])
    assert elements(simulate(case, data).beats["m"], 1, 24, True) == data.expected()


def test_cycles() -> None:
    """As in the other styles: FOLDS * DEPTH cycles a vector."""
    for name in ("one digit", "two digits"):
        case = SHAPES[name]
        result = simulate(case, draw_data(case, 8))
        last = result.cycles["m"][:: case.mh]
        assert set(np.diff(last)[1:]) == {case.folds * case.depth}


@pytest.mark.parametrize("khot", [1, 2])
def test_every_bit_of_a_digit_counts(khot: int) -> None:
    """The comparison can fail: a digit that is left out, added instead of subtracted or elsewhere is seen."""
    case = Engine(mh=4, depth=3, simd=2, w_bits=4, khot=khot)
    data = draw_data(case)
    data.weights[:] = KHot(4, khot).top
    data.weights[0, :2] = 1, -2
    data.vectors[0] = 1
    bits = weight_bits(find_places(data.weights, 8))
    good = data.expected()
    assert elements(simulate(case, data).beats["m"], 1, 24, True) == good
    each = bits // khot  # the shift of a digit that is left out is of no matter
    counts = [bit for bit in range(24 * bits) if khot == 1 or bit % each >= each - 2]
    for bit in random.Random(khot).sample(counts, 8):
        broken = elements(simulate(case, data, flip=bit).beats["m"], 1, 24, True)
        assert broken != good, bit


def test_a_sign_that_is_left_out_of_the_bias_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Engine()
    data = draw_data(case)
    assert elements(simulate(case, data).beats["m"], 1, 24, True) == data.expected()
    right = coded
    monkeypatch.setitem(globals(), "coded", lambda w, p: (right(w, p)[0], 0 * w))
    assert elements(simulate(case, data).beats["m"], 1, 24, True) != data.expected()


@pytest.mark.parametrize("khot", [1, 2])
@pytest.mark.parametrize("lanes", [1, 3])
def test_depthwise(khot: int, lanes: int) -> None:
    taps, blocks, pixels = 9, 2, 3
    draw = np.random.default_rng(khot)
    weights = draw.choice(KHot(8, khot).levels, (blocks * lanes, taps))
    x, bias = draw.integers(0, 256, (pixels, blocks * lanes, taps)), draw.integers(-999, 999, blocks * lanes)
    places = find_places(weights, 8)
    codes, lacks = coded(weights, places)
    bits = weight_bits(places)

    def by_tap(table: np.ndarray) -> np.ndarray:
        """(..., channels, taps) as words of a block's lanes, tap by tap."""
        return table.reshape(-1, blocks, lanes, taps).transpose(0, 1, 3, 2).reshape(-1, lanes)

    parameters: dict[str, int | str] = {
        "LANES": lanes,
        "TAPS": taps,
        "BLOCKS": blocks,
        "X_SIGNED": 0,
        "W_BITS": bits,
        "STYLE": "khot",
        "TERMS": len(places),
        "PLACES": packed_places(places),
        "WEIGHTS": "w.mem",
        "BIAS": "b.mem",
    }
    files = {
        "w.mem": memory([pack(word, bits) for word in by_tap(codes)], lanes * bits),
        "b.mem": memory(beats_of(bias + lacks.sum(axis=1), lanes, 24), lanes * 24),
    }
    source, sink = Source(lanes * 8, [pack(word, 8) for word in by_tap(x)]), Sink(lanes * 24, pixels * blocks)
    result = run("eq_depthwise", parameters, {"s": source}, {"m": sink}, files=files, stalls=(30, 30))
    assert elements(result.beats["m"], lanes, 24, True) == ((x * weights).sum(axis=2) + bias).ravel().tolist()


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("khot", [1, 2, 3])
def test_places_hold_every_level(khot: int, digits: str) -> None:
    for bits in (2, 5, 8, 11, 16):
        levels = KHot(bits, khot, digits).levels
        places = find_places(levels, 8)
        codes, _ = coded(levels, places)
        assert len(places) <= khot
        assert len(set(codes.tolist())) == len(levels)


def test_places_are_as_small_as_weights_allow() -> None:
    assert find_places(np.array([0, 4, -8]), 8) == (Place(2, 2),)
    assert find_places(np.array([96, 0]), 8) == (Place(5, 1), Place(6, 1)), "64 + 32, not 128 - 32"
    assert find_places(np.array([0]), 8) == (Place(0, 1),)
    assert find_places(np.array([0b1010101]), 8) == (), "four digits"
    narrow, wide = (sum(p.luts(8) for p in find_places(KHot(b, 2).levels, 8)) for b in (5, 8))
    assert narrow < wide
