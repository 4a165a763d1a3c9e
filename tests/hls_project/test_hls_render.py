"""Rendering, on the level of text: calls by the head of each function, depths of FIFOs, memories, borders."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgeq.boards import load_board
from edgeq.errors import UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.fpga import lower
from edgeq.fpga.digits import packed_digits, rows_of_digits
from edgeq.hls import render
from edgeq.hls.library import header, headers, template_parameters
from edgeq.hls.render import Border, borders, call, sources
from tests.fpga.networks import U8, Net, digits, residual


def stage_of(flow, module: str):  # type: ignore[no-untyped-def]
    return next(stage for stage in flow.stages if stage.module == module)


def test_a_call_follows_the_head_of_its_function() -> None:
    flow = lower(digits(), dsps=24)
    stage = stage_of(flow, "eq_mvu")
    given = re.findall(r"/\* (\w+) \*/ (\S+?),? ?(?=/\*|\n|$)", "\n".join(call(flow, stage)))
    names = [p.name for p in template_parameters("eq_mvu")]
    assert [name for name, _ in given] == names
    values = dict(given)
    assert values["BEATS"] == str(flow.streams[stage.sinks()[0]].beats)
    assert values["STYLE"] == "EQ_DSP"
    assert all(values[k] == str(v) for k, v in stage.params.items() if isinstance(v, int))
    tail = " ".join(call(flow, stage)).split("(")[-1]
    roms = [f"{stage.params[k].name}_rom" for k in ("WEIGHTS", "BIAS")]
    assert [w.strip(" ,);") for w in tail.split(",")] == [*stage.sources(), *stage.sinks(), *roms]


def test_long_numbers_and_inputs_in_turn() -> None:
    net = Net()
    x = net.input((3, 3, 2))
    y = net.b.node("concat", "y", [x, net.conv("c", x, 3)], U8, axis=2)
    flow = lower(net.b.build([y]), dsps=8)
    text = " ".join(call(flow, stage_of(flow, "eq_concat")))
    assert "/* input 0 */ 2, /* input 1 */ 3" in re.sub(r"\s+", " ", text)
    assert re.search(r"/\* ZERO \*/ -?\d+LL", " ".join(call(flow, stage_of(flow, "eq_shift"))))


def test_the_digits_of_constant_weights_are_a_memory() -> None:
    net = Net()
    graph = net.b.build([net.linear("y", net.input((5,)), 3, FixedPoint(16, 6))])
    flow = lower(graph, style="constant")
    stage = stage_of(flow, "eq_mvc")
    terms, packed = packed_digits(rows_of_digits(graph.values["y.w"].data))  # type: ignore[arg-type]
    text = sources(flow, 32)[f"{flow.name}_weights.hpp"]
    found = re.search(rf"ap_uint<24> {stage.name}_digits_rom\[{3 * terms}\] = {{([^}}]*)}}", text)
    assert found
    words = [int(w, 16) for w in found.group(1).replace(",", " ").split()]
    assert sum(word << 24 * i for i, word in enumerate(words)) == packed
    arguments = " ".join(call(flow, stage))
    assert arguments.index("_digits_rom") < arguments.index(stage.params["BIAS"].name)  # type: ignore[union-attr]


def test_branches_have_the_depth_of_their_fifo() -> None:
    flow = lower(residual(2), dsps=24)
    fifos = [s for s in flow.stages if s.module == "eq_fifo"]
    assert fifos
    text = sources(flow, 32)[f"{flow.name}_core.cpp"]
    assert "eq_fifo" not in text
    for fifo in fifos:
        assert f"#pragma HLS STREAM variable={fifo.sources()[0]} depth={fifo.integer('DEPTH')}\n" in text
        assert fifo.sinks()[0] not in text
    declared = re.findall(r"^    hls::stream<.*> (\w+)\(", text.split(f"void {flow.name}_top")[0], re.MULTILINE)
    assert len(declared) == len(set(declared)) == len(flow.streams) - len(fifos) - 2


@pytest.mark.parametrize(("bits", "lanes", "width"), [(8, 1, 32), (8, 8, 32), (4, 6, 64), (12, 3, 128), (32, 2, 32)])
def test_borders(bits: int, lanes: int, width: int) -> None:
    net = Net()
    graph = net.b.build([net.b.node("reshape", "y", [net.input((5, lanes), FixedPoint(bits, 3))], FixedPoint(bits, 3),
                                    shape=(5 * lanes,))])  # fmt: skip
    ins, outs = borders(lower(graph, dsps=4), width)
    for border in (*ins, *outs):
        assert border.container == {8: 8, 4: 8, 12: 16, 32: 32}[bits]
        assert border.codes == 5 * lanes
        assert border.beats == -(-5 * lanes * border.container // width)
        assert border.stream.lanes % border.step == 0
        assert (width // border.container) % border.step == 0


def test_wide_codes_are_refused() -> None:
    flow = lower(digits(), dsps=24)
    wide = Border("out0", type(flow.streams["in0"])("y", "scores", 40, True, 1, 10), 32)
    with pytest.raises(UnsupportedError, match="scores: codes of 40 bits; the border carries 32"):
        _ = wide.container


@pytest.mark.parametrize("style", ["dsp", "lut", "khot"])
def test_no_word_is_wider_than_vitis_takes(style: str) -> None:
    """Layers that could use 2,520 products at once: words of 20,000 bits without the limit (UG1399: 4,096)."""
    net = Net()
    graph = net.b.build([net.linear("y", net.input((512,)), 512, FixedPoint(8, 2))])
    flow = lower(graph, load_board("zcu102"), dsps=2520, style=style)
    widths = [int(w) for text in sources(flow, 128).values() for w in re.findall(r"ap_uint<(\d+)>", text)]
    assert 1000 < max(widths) <= 4096
    stage = stage_of(flow, "eq_mvu")
    wide = replace(stage, params={**stage.params, "ACC_BITS": 4000})
    with pytest.raises(UnsupportedError, match=r"^y: words of [\d,]+ bits, and Vitis HLS has 4,096 at most"):
        sources(replace(flow, stages=tuple(wide if s is stage else s for s in flow.stages)), 128)


def test_headers_come_with_what_they_include() -> None:
    found = headers(["eq_mvu"])
    included = {name for text in found.values() for name in re.findall(r'#include "(\w+\.hpp)"', text)}
    assert included <= found.keys()
    assert {"eq_mvu.hpp", "eq_types.hpp"} <= found.keys()
    assert header("eq_nothing.hpp") is None


def test_a_stage_without_cpp_is_refused_by_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "has_function", lambda module: module != "eq_argmax")
    with pytest.raises(UnsupportedError, match="top: there is no eq_argmax in C"):
        sources(lower(digits(), dsps=24), 32)
