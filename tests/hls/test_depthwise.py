"""eq_depthwise against numpy: exact sums per channel in both multiplier styles, extremes, exact cycle counts."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hls.harness import Result, Sink, Source, beats_of, elements, memory, needs_simulator, run

pytestmark = needs_simulator
STYLES = ["dsp", "lut"]


@dataclass(frozen=True)
class Engine:
    """Parameters of eq_depthwise."""

    lanes: int = 2
    taps: int = 9
    blocks: int = 3
    x_bits: int = 8
    x_signed: bool = True
    w_bits: int = 8
    acc_bits: int = 24
    style: str = "dsp"

    def parameters(self) -> dict[str, int | str]:
        shape = {"LANES": self.lanes, "TAPS": self.taps, "BLOCKS": self.blocks, "ACC_BITS": self.acc_bits}
        bits = {"X_BITS": self.x_bits, "X_SIGNED": int(self.x_signed), "W_BITS": self.w_bits, "STYLE": self.style}
        return {**shape, **bits, "WEIGHTS": "weights.mem", "BIAS": "bias.mem"}


@dataclass
class Data:
    """Weights (blocks, taps, lanes), biases (blocks, lanes), windows (pixels, blocks, taps, lanes)."""

    weights: np.ndarray
    bias: np.ndarray
    windows: np.ndarray

    def expected(self, acc_bits: int) -> list[int]:
        """Accumulators modulo 2^acc_bits: pixels, blocks, lanes."""
        half = 1 << (acc_bits - 1)
        sums = (self.windows * self.weights).sum(2) + self.bias
        return [int((value + half) % (2 * half) - half) for value in sums.ravel()]


def draw_data(case: Engine, pixels: int, seed: int = 0) -> Data:
    """Random data, the least values in a fifth of the places."""
    draw = np.random.default_rng(seed)
    low, high = (-(1 << (case.x_bits - 1)), 1 << (case.x_bits - 1)) if case.x_signed else (0, 1 << case.x_bits)
    w_low, room = -(1 << (case.w_bits - 1)), 1 << (case.acc_bits - 2)
    shape = (case.blocks, case.taps, case.lanes)
    weights = np.where(draw.random(shape) < 0.2, w_low, draw.integers(w_low, -w_low, shape))
    windows = np.where(draw.random((pixels, *shape)) < 0.2, low, draw.integers(low, high, (pixels, *shape)))
    return Data(weights, draw.integers(-room, room, (case.blocks, case.lanes)), windows)


def simulate(case: Engine, data: Data, stalls: tuple[int, int] = (0, 0), restart: int = 0) -> Result:
    """Run all pixels back to back."""
    lanes, width = case.lanes, case.lanes * case.acc_bits
    files = {
        "weights.mem": memory(beats_of(data.weights.ravel(), lanes, case.w_bits), lanes * case.w_bits),
        "bias.mem": memory(beats_of(data.bias.ravel(), lanes, case.acc_bits), width),
    }
    source = Source(lanes * case.x_bits, beats_of(data.windows.ravel(), lanes, case.x_bits))
    sink = Sink(width, len(data.windows) * case.blocks)
    return run(
        "eq_depthwise", case.parameters(), {"s": source}, {"m": sink}, files=files, stalls=stalls, restart=restart
    )


def check(case: Engine, pixels: int = 4, stalls: tuple[int, int] = (0, 0), seed: int = 0) -> Result:
    """Run random data and compare every accumulator."""
    data = draw_data(case, pixels, seed)
    result = simulate(case, data, stalls)
    assert elements(result.beats["m"], case.lanes, case.acc_bits, True) == data.expected(case.acc_bits), case
    return result


CASES = {
    "plain": Engine(),
    "unsigned": Engine(x_signed=False),
    "one channel": Engine(lanes=1, blocks=1),
    "one tap": Engine(taps=1, blocks=4, lanes=3),
    "two taps, narrow": Engine(taps=2, x_bits=4, w_bits=3),
    "one-bit weights": Engine(w_bits=1),
    "wide weights": Engine(w_bits=16, acc_bits=32, lanes=1),
    "accumulators wrap": Engine(acc_bits=14),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CASES)
def test_sums(name: str, style: str) -> None:
    case = replace(CASES[name], style=style)
    for stalls in [(40, 10), (10, 60)]:
        check(case, stalls=stalls, seed=len(name))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CASES)
def test_cycles(name: str, style: str) -> None:
    """TAPS cycles per block when words and room are always there: exactly, across blocks and pixels."""
    case = replace(CASES[name], style=style)
    cycles = check(case, pixels=8).cycles["m"]
    assert {after - before for before, after in itertools.pairwise(cycles)} == {case.taps}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("x", "x_signed", "w"), [(-128, True, -128), (127, True, -128), (255, False, -128)])
def test_extremes(x: int, x_signed: bool, w: int, style: str) -> None:
    case = Engine(x_signed=x_signed, style=style)
    shape = (case.blocks, case.taps, case.lanes)
    data = Data(np.full(shape, w), np.arange(6).reshape(3, 2), np.full((2, *shape), x))
    assert elements(simulate(case, data).beats["m"], 2, 24, True) == data.expected(24)


def test_every_weight_counts() -> None:
    """The comparison can fail: a weight that is one off gives other sums, wherever it is."""
    case = Engine(taps=3)
    data = draw_data(case, 2)
    data.windows[0] = 1
    good = data.expected(24)
    assert elements(simulate(case, data).beats["m"], 2, 24, True) == good
    for place in random.Random(1).sample(range(data.weights.size), 5):
        weights = data.weights.copy()
        weights.ravel()[place] ^= 1
        broken = simulate(case, Data(weights, data.bias, data.windows))
        assert elements(broken.beats["m"], 2, 24, True) != good, place


def test_random_parameters() -> None:
    """Engines drawn at random under random stalls."""
    draw = random.Random(5)
    for seed in range(16):
        case = Engine(
            lanes=draw.randint(1, 5),
            taps=draw.randint(1, 12),
            blocks=draw.randint(1, 5),
            x_bits=draw.randint(1, 9),
            x_signed=draw.choice([True, False]),
            w_bits=draw.randint(1, 9),
            acc_bits=draw.randint(18, 40),
            style=draw.choice(STYLES),
        )
        check(case, stalls=draw.choice([(0, 0), (50, 0), (0, 50), (20, 20)]), seed=seed)
