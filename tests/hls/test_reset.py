"""A reset in the middle of an inference: every module starts again with a new one and leaves nothing of the old."""

from __future__ import annotations

import pytest
from hls.harness import Sink, Source, elements, needs_simulator, run

from hls import test_depthwise, test_mvu, test_window

pytestmark = needs_simulator
STALLS = (20, 40)


@pytest.mark.parametrize("restart", [12, 45])
@pytest.mark.parametrize("depth", [2, 5, 40])
def test_fifo(depth: int, restart: int) -> None:
    beats, options = list(range(90)), {"stalls": STALLS, "restart": restart}
    result = run("eq_fifo", {"WIDTH": 8, "DEPTH": depth}, {"s": Source(8, beats)}, {"m": Sink(8, 90)}, **options)
    assert result.beats["m"] == beats
    assert result.cycles["s"][0] > restart


@pytest.mark.parametrize(("into", "out"), [(1, 3), (3, 1)])
def test_lanes(into: int, out: int) -> None:
    values = [index % 16 for index in range(60)]
    source = Source(
        4 * into, [sum(v << (4 * i) for i, v in enumerate(values[k : k + into])) for k in range(0, 60, into)]
    )
    sink, options = Sink(4 * out, 60 // out), {"stalls": STALLS, "restart": 17}
    result = run("eq_lanes", {"BITS": 4, "IN": into, "OUT": out}, {"s": source}, {"m": sink}, **options)
    assert elements(result.beats["m"], out, 4, False) == values


@pytest.mark.parametrize("restart", [30, 101])
@pytest.mark.parametrize("name", ["3x3 same", "channel order, lanes", "linear"])
def test_window_starts_again(name: str, restart: int) -> None:
    result, words = test_window.simulate(test_window.CASES[name], stalls=STALLS, restart=restart)
    assert result.beats["m"] == words


@pytest.mark.parametrize("style", ["dsp", "lut"])
@pytest.mark.parametrize("restart", [21, 60])
def test_engines_start_again(style: str, restart: int) -> None:
    engine = test_mvu.Engine(mh=7, pe=3, style=style)
    data = test_mvu.draw_data(engine, 4)
    result = test_mvu.simulate(engine, data, stalls=STALLS, restart=restart)
    assert elements(result.beats["m"], 1, 24, True) == data.expected(24)

    depthwise = test_depthwise.Engine(style=style)
    pixels = test_depthwise.draw_data(depthwise, 4)
    result = test_depthwise.simulate(depthwise, pixels, stalls=STALLS, restart=restart)
    assert elements(result.beats["m"], 2, 24, True) == pixels.expected(24)
