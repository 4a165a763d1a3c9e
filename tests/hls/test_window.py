"""eq_window against windows cut out in Python: strides, padding, dilation, orders, repeats, overlap of inferences."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hls.harness import HarnessError, Result, Sink, Source, beats_of, needs_simulator, run

pytestmark = needs_simulator
BITS = 8


@dataclass(frozen=True)
class Window:
    """Parameters of eq_window; H, W, C as (height, width, channels), the others as (vertical, horizontal)."""

    tensor: tuple[int, int, int]
    kernel: tuple[int, int]
    out: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    lanes: int = 1
    repeat: int = 1
    order: int = 0
    slack: int = 1
    code: int = 0x5A

    @property
    def span(self) -> int:
        return (self.kernel[0] - 1) * self.dilation[0] + 1

    @property
    def words(self) -> int:
        """Words given out per inference."""
        height, width = self.out
        return height * width * self.repeat * self.kernel[0] * self.kernel[1] * self.tensor[2] // self.lanes

    def parameters(self) -> dict[str, int | str]:
        names = ["H", "W", "C", "KH", "KW", "OH", "OW", "SH", "SW", "DH", "DW", "PT", "PL"]
        values = [*self.tensor, *self.kernel, *self.out, *self.stride, *self.dilation, *self.pad]
        more = {"LANES": self.lanes, "REPEAT": self.repeat, "ORDER": self.order, "ROWS": self.span + self.slack}
        return {"BITS": BITS, "PAD": self.code, **dict(zip(names, values, strict=True)), **more}


def expected(case: Window, tensor: np.ndarray) -> list[int]:
    """Words of all windows of one tensor (H, W, C): {inside, lanes}."""
    (height, width, channels), lanes = case.tensor, case.lanes
    taps = list(itertools.product(range(case.kernel[0]), range(case.kernel[1])))
    blocks = range(channels // lanes)
    inner = list(itertools.product(taps, blocks))
    if case.order == 1:
        inner = [(tap, block) for block in blocks for tap in taps]
    words = []
    for oy, ox, _ in itertools.product(range(case.out[0]), range(case.out[1]), range(case.repeat)):
        for (ky, kx), block in inner:
            y = oy * case.stride[0] - case.pad[0] + ky * case.dilation[0]
            x = ox * case.stride[1] - case.pad[1] + kx * case.dilation[1]
            inside = 0 <= y < height and 0 <= x < width
            row = tensor[y, x, block * lanes : (block + 1) * lanes] if inside else [case.code] * lanes
            words.append(beats_of(row, lanes, BITS)[0] | inside << (lanes * BITS))
    return words


def simulate(
    case: Window, inferences: int = 3, stalls: tuple[int, int] = (0, 0), seed: int = 1, restart: int = 0
) -> tuple[Result, list]:
    """Run several inferences back to back; the result and the awaited words."""
    draw = np.random.default_rng(seed)
    tensors = [draw.integers(0, 1 << BITS, case.tensor) for _ in range(inferences)]
    beats = [beat for tensor in tensors for beat in beats_of(tensor.ravel(), case.lanes, BITS)]
    width = case.lanes * BITS
    sink = Sink(width + 1, inferences * case.words, (("data", width), ("inside", 1)))
    source = Source(width, beats)
    options = {"stalls": stalls, "seed": seed, "restart": restart}
    result = run("eq_window", case.parameters(), {"s": source}, {"m": sink}, **options)
    return result, [word for tensor in tensors for word in expected(case, tensor)]


CASES = {
    "3x3 same": Window((6, 5, 4), (3, 3), (6, 5), pad=(1, 1)),
    "3x3 valid, lanes": Window((5, 6, 6), (3, 3), (3, 4), lanes=3),
    "stride 2, asymmetric": Window((8, 8, 2), (3, 3), (4, 4), stride=(2, 2), pad=(0, 0), lanes=2),
    "stride 2, even kernel": Window((7, 5, 2), (2, 2), (3, 2), stride=(2, 2)),
    "stride beyond kernel": Window((9, 7, 1), (2, 1), (2, 2), stride=(5, 4)),
    "1x1 stride 2": Window((5, 5, 4), (1, 1), (3, 3), stride=(2, 2), lanes=4, repeat=3),
    "1x1": Window((4, 4, 4), (1, 1), (4, 4), lanes=2, repeat=2, slack=0),
    "dilated": Window((9, 8, 2), (3, 2), (9, 8), dilation=(2, 3), pad=(2, 1)),
    "10x4 kernel": Window((12, 6, 1), (10, 4), (6, 3), stride=(2, 2), pad=(4, 1)),
    "1-D as one row": Window((1, 20, 2), (1, 5), (1, 10), stride=(1, 2), pad=(0, 2), lanes=2),
    "1-D as one column": Window((20, 1, 3), (5, 1), (10, 1), stride=(2, 1), pad=(2, 0), slack=2),
    "linear": Window((1, 1, 12), (1, 1), (1, 1), lanes=3, repeat=4),
    "linear, one word": Window((1, 1, 4), (1, 1), (1, 1), lanes=4),
    "one pixel rows": Window((7, 1, 1), (1, 1), (7, 1)),
    "padding beyond kernel": Window((2, 2, 1), (2, 2), (6, 7), pad=(3, 3)),
    "rows that nobody needs": Window((8, 3, 1), (2, 2), (2, 2), slack=0),
    "cropped above": Window((8, 5, 1), (2, 2), (3, 2), pad=(-3, -2)),
    "whole tensor": Window((4, 4, 2), (4, 4), (1, 1), slack=0),
    "channel order": Window((5, 5, 4), (3, 3), (5, 5), pad=(1, 1), order=1),
    "channel order, lanes": Window((6, 6, 6), (2, 3), (3, 6), stride=(2, 1), pad=(0, 1), order=1, lanes=2),
    "channel order, one tap": Window((3, 3, 4), (1, 1), (3, 3), order=1, lanes=2),
    "no slack": Window((6, 4, 2), (3, 3), (6, 4), pad=(1, 1), slack=0),
    "large slack": Window((6, 4, 1), (3, 3), (3, 2), stride=(2, 2), pad=(1, 1), slack=9),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", CASES)
def test_windows(name: str) -> None:
    for stalls in [(0, 0), (40, 10), (10, 50)]:
        result, words = simulate(CASES[name], stalls=stalls, seed=len(name))
        assert result.beats["m"] == words, (name, stalls)


def overlapping(case: Window) -> Window:
    """The slack that the header of eq_window names."""
    return replace(case, slack=case.stride[0] * (1 - -12 * case.out[0] // case.words))


FLOWING = ["3x3 same", "dilated", "channel order", "1x1", "linear", "linear, one word", "one pixel rows"]


@pytest.mark.parametrize("name", [*FLOWING, "1-D as one column"])
def test_no_bubbles(name: str) -> None:
    """With slack for the next rows and words in time: a word a cycle, across windows, rows and inferences."""
    case = CASES[name]
    case = overlapping(replace(case, repeat=max(case.repeat, 1 if case.order else 2)))
    result, words = simulate(case, inferences=4)
    assert result.beats["m"] == words
    cycles = result.cycles["m"]
    assert cycles[-1] - cycles[0] == len(words) - 1, name


def test_writing_overlaps_reading() -> None:
    """An inference takes max(words in, words out) cycles in steady state, not their sum."""
    case = overlapping(replace(CASES["1x1"], repeat=1))
    result, words = simulate(case, inferences=6)
    cycles = result.cycles["m"]
    assert cycles[-1] - cycles[0] <= len(words) + 8


def test_random_parameters() -> None:
    """Parameters drawn at random, output sizes also beyond what a convolution would have."""
    draw = random.Random(11)
    for seed in range(30):
        lanes = draw.choice([1, 1, 2, 3])
        case = Window(
            tensor=(draw.randint(1, 7), draw.randint(1, 6), lanes * draw.randint(1, 3)),
            kernel=(draw.randint(1, 4), draw.randint(1, 3)),
            out=(draw.randint(1, 6), draw.randint(1, 4)),
            stride=(draw.randint(1, 3), draw.randint(1, 3)),
            dilation=(draw.randint(1, 2), draw.randint(1, 2)),
            pad=(draw.randint(-1, 3), draw.randint(-1, 3)),
            lanes=lanes,
            repeat=draw.choice([1, 1, 3]),
            order=draw.choice([0, 1]),
            slack=draw.choice([0, 1, 3]),
        )
        result, words = simulate(case, stalls=draw.choice([(0, 0), (40, 10), (10, 40)]), seed=seed + 1)
        assert result.beats["m"] == words, case


def test_a_wrong_parameter_is_seen() -> None:
    """The comparison can fail: another padding column or dilation gives other words."""
    case = CASES["3x3 same"]
    for wrong in (replace(case, pad=(1, 0)), replace(case, dilation=(1, 2)), replace(case, code=0x5B)):
        result, _ = simulate(wrong)
        assert result.beats["m"] != simulate(case)[1], wrong


def test_too_few_rows_hang() -> None:
    """The bench notices a module that stops: a ring smaller than the window never grants a row."""
    with pytest.raises(HarnessError, match="hung"):
        simulate(replace(CASES["3x3 same"], slack=-1))
