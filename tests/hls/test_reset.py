"""A reset in the middle of an inference: every module starts again with a new one and leaves nothing of the old."""

from __future__ import annotations

import pytest
from hls.harness import Sink, Source, elements, memory, needs_simulator, run

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


LINES = memory([(3 * i % 128) << 15 | (1 << 14) + 7 * i for i in range(512)], 31)
#: parameters, widths and beats of the inputs, width and beats of the output
ROWS = {
    "eq_row_distance": ({"COUNT": 6}, {"s": (8, 48)}, (9, 48)),
    "eq_softmax_lines": ({"COUNT": 6, "EXP": "t.mem", "RECIPROCAL": "t.mem"}, {"s": (16, 48)}, (16, 48)),
    "eq_sigmoid_lines": ({"TABLE": "t.mem"}, {"s": (18, 48)}, (16, 48)),
    "eq_matmul": ({"TERMS": 6, "OUT_BITS": 24}, {"a": (8, 60), "b": (8, 60)}, (24, 10)),
    "eq_resize_bilinear": (
        {"IN_BEATS": 4, "OH": 1, "OW": 2, "ROW_TAPS": 1, "ROW_FRAC": 0, "ROWS": "one.mem", "COLUMNS": "c.mem"},
        {"s": (8, 48)},
        (16, 24),
    ),
}


@pytest.mark.parametrize("restart", [23, 74])
@pytest.mark.parametrize("module", ROWS)
def test_rows_and_products_start_again(module: str, restart: int) -> None:
    """With a reset on the way the same comes out as without one; `test_lines.py` and others say what that is."""
    parameters, ins, (width, count) = ROWS[module]
    sources = {
        name: Source(bits, [i * i * 5 % (1 << bits) for i in range(beats)]) for name, (bits, beats) in ins.items()
    }
    files = {"t.mem": LINES, "one.mem": "4\n", "c.mem": memory([4, 5, 6, 3], 4)}
    found = [
        run(module, parameters, sources, {"m": Sink(width, count)}, files=files, stalls=STALLS, restart=at).beats["m"]
        for at in (0, restart)
    ]
    assert found[0] == found[1]
    assert len(set(found[0])) > 2
