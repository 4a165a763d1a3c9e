"""eq_prelu: every code of every channel, against the operator `prelu`."""

from __future__ import annotations

import numpy as np
import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run
from hls.vectors import evaluate

from edgeq.formats import Affine

pytestmark = needs_simulator
#: two multipliers: of the product with the slope, and of x itself
ATTRS = {"multiplier": (1518500250, 1 << 30), "shift": (36, 30), "rounding": "tflite"}


def prelu(codes: np.ndarray, slopes: list[int]) -> list[int]:
    """Output codes (batch, channels), flattened."""
    channels = len(slopes)
    fmt = Affine(8, True, 5, 0.1)
    ins = [((channels,), fmt, codes), ((channels,), Affine(8, True, 0, 0.02), slopes)]
    return [int(c) for c in evaluate("prelu", ins, ((channels,), Affine(8, True, -3, 0.1)), ATTRS).reshape(-1)]


def table(slopes: list[int]) -> str:
    """Each channel's entries by the raw bits of the code."""
    codes = (np.arange(256) ^ 128) - 128
    made = np.array(prelu(np.repeat(codes[:, None], len(slopes), axis=1), slopes)).reshape(256, -1)
    return memory([int(c) for c in made.T.reshape(-1)], 8)


@pytest.mark.parametrize("slopes", [[25], [30, -40, 0], [127, -128, 1, 64]])
@pytest.mark.parametrize("stalls", [(0, 0), (30, 50)])
def test_prelu(slopes: list[int], stalls: tuple[int, int]) -> None:
    codes = np.random.default_rng(len(slopes)).permuted(
        np.repeat(np.arange(-128, 128)[:, None], len(slopes), axis=1), axis=0
    )
    out = run(
        "eq_prelu",
        {"CHANNELS": len(slopes), "FILE": "t.mem"},
        {"s": Source(8, [int(c) for c in codes.reshape(-1)])},
        {"m": Sink(8, codes.size)},
        files={"t.mem": table(slopes)},
        stalls=stalls,
    )
    assert elements(out.beats["m"], 1, 8, True) == prelu(codes, slopes)
    if stalls == (0, 0):
        assert out.cycles["m"][-1] - out.cycles["m"][0] == codes.size - 1, "one beat a cycle"


def test_a_wrong_slope_is_seen() -> None:
    """The bench can fail: another slope in one channel changes that channel."""
    found = []
    for slope in (30, 60):
        files = {"t.mem": table([30, slope])}
        parameters = {"CHANNELS": 2, "FILE": "t.mem"}
        out = run("eq_prelu", parameters, {"s": Source(8, [200, 200])}, {"m": Sink(8, 2)}, files=files)
        found.append(elements(out.beats["m"], 1, 8, True))
    assert found[0][0] == found[1][0] == found[0][1] != found[1][1]
