"""eq_axis_in, eq_axis_out: packing, TKEEP and TLAST, throughput, and packets of the wrong length."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hls.harness import Result, Sink, Source, needs_simulator, run

pytestmark = needs_simulator
STALLS = [(0, 0), (50, 0), (0, 60), (40, 40)]
#: (bits, codes of an inference)
SIZES = [(8, 8), (8, 10), (5, 7), (1, 1), (8, 3), (12, 6), (16, 5), (24, 4), (32, 3)]

#: the harness knows streams by data, valid and ready: tdata, tkeep and tlast are one word of 37 bits there
WRAPPERS = """
module axis_in_bench #(parameter BITS = 8, BEATS = 8) (
    input clk, input rst, input [36:0] s_data, input s_valid, output s_ready,
    output [BITS-1:0] m_data, output m_valid, input m_ready, output [7:0] e_data, output e_valid, input e_ready
);
    wire error;
    eq_axis_in #(.BITS(BITS), .BEATS(BEATS)) dut (
        .clk(clk), .rst(rst), .s_axis_tdata(s_data[31:0]), .s_axis_tkeep(s_data[35:32]), .s_axis_tlast(s_data[36]),
        .s_axis_tvalid(s_valid), .s_axis_tready(s_ready), .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready),
        .error(error)
    );
    // a beat for every error
    reg [7:0] errors = 0;
    always @(posedge clk) if (!rst && error) errors <= errors + 1;
    eq_fifo #(.WIDTH(8), .DEPTH(256)) fifo (
        .clk(clk), .rst(rst), .s_data(errors), .s_valid(error), .s_ready(),
        .m_data(e_data), .m_valid(e_valid), .m_ready(e_ready)
    );
endmodule
module axis_out_bench #(parameter BITS = 8, SIGNED = 1, BEATS = 8) (
    input clk, input rst, input [BITS-1:0] s_data, input s_valid, output s_ready,
    output [36:0] m_data, output m_valid, input m_ready
);
    eq_axis_out #(.BITS(BITS), .SIGNED(SIGNED), .BEATS(BEATS)) dut (
        .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
        .m_axis_tdata(m_data[31:0]), .m_axis_tkeep(m_data[35:32]), .m_axis_tlast(m_data[36]),
        .m_axis_tvalid(m_valid), .m_axis_tready(m_ready)
    );
endmodule
"""


@pytest.fixture(scope="module")
def wrappers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("axis") / "wrappers.v"
    path.write_text(WRAPPERS)
    return path


def packet(codes: list[int], bits: int, signed: bool = False) -> list[int]:
    """Words of one packet: data in the low 32 bits, TKEEP in the next four, TLAST on top."""
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4
    data = b"".join((code % (1 << bits)).to_bytes(size, "little") for code in codes)
    if signed:
        data = b"".join(code.to_bytes(size, "little", signed=True) for code in codes)
    words = [data[start : start + 4] for start in range(0, len(data), 4)]
    last = len(words) - 1
    return [
        int.from_bytes(word, "little") | ((1 << len(word)) - 1) << 32 | (index == last) << 36
        for index, word in enumerate(words)
    ]


def draw(count: int, bits: int, signed: bool = False) -> list[int]:
    rng = random.Random(bits * 100 + count)
    low = -(1 << (bits - 1)) if signed else 0
    return [low + rng.getrandbits(bits) for _ in range(count)]


def inward(wrappers: Path, bits: int, beats: int, words: list[int], count: int, errors: int, **how: object) -> Result:
    sinks = {"m": Sink(bits, count), "e": Sink(8, errors)}
    parameters = {"BITS": bits, "BEATS": beats}
    return run("axis_in_bench", parameters, {"s": Source(37, words)}, sinks, extra=[wrappers], **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "beats"), SIZES)
@pytest.mark.parametrize("stalls", STALLS)
def test_words_become_codes(wrappers: Path, bits: int, beats: int, stalls: tuple[int, int]) -> None:
    codes = draw(beats * 6, bits)
    words = [word for start in range(0, len(codes), beats) for word in packet(codes[start : start + beats], bits)]
    result = inward(wrappers, bits, beats, words, len(codes), 0, stalls=stalls)
    assert result.beats["m"] == codes
    if stalls == (0, 0):
        cycles = result.cycles["m"]
        assert cycles[-1] - cycles[0] == len(codes) - 1, "one code a cycle"


@pytest.mark.parametrize(("bits", "beats"), SIZES)
@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("signed", [True, False])
def test_codes_become_words(wrappers: Path, bits: int, beats: int, stalls: tuple[int, int], signed: bool) -> None:
    codes = draw(beats * 5, bits, signed)
    want = [
        word for start in range(0, len(codes), beats) for word in packet(codes[start : start + beats], bits, signed)
    ]
    parameters = {"BITS": bits, "BEATS": beats, "SIGNED": int(signed)}
    source = {"s": Source(bits, codes)}
    result = run("axis_out_bench", parameters, source, {"m": Sink(37, len(want))}, stalls=stalls, extra=[wrappers])
    assert result.beats["m"] == want
    if stalls == (0, 0):
        cycles = result.cycles["s"]
        assert cycles[-1] - cycles[0] == len(codes) - 1, "one code a cycle"


@pytest.mark.parametrize("stalls", STALLS)
def test_wrong_lengths_are_told_and_mended(wrappers: Path, stalls: tuple[int, int]) -> None:
    """Short, long, torn: each gives one error and one inference's codes, and good packets in between stay right."""
    bits, beats = 8, 10
    good = [draw(beats, bits), draw(beats, bits)[::-1]]
    short, long, torn = draw(4, bits), draw(22, bits), draw(beats, bits)
    holed = packet(torn, bits)
    holed[1] &= ~(1 << 33)  # TKEEP leaves a byte out in the middle
    one_less = packet(draw(9, bits), bits)  # TLAST in the right word, but a byte is missing
    words = packet(good[0], bits) + packet(short, bits) + packet(good[1], bits) + packet(long, bits)
    words += packet(good[0], bits) + holed + one_less + packet(good[1], bits)
    result = inward(wrappers, bits, beats, words, 8 * beats, 4, stalls=stalls)
    rows = [result.beats["m"][start : start + beats] for start in range(0, 8 * beats, beats)]
    assert [rows[index] for index in (0, 2, 4, 7)] == [good[0], good[1], good[0], good[1]]
    assert rows[1] == short + [0] * (beats - len(short))
    assert rows[3] == long[:beats]
    assert result.beats["e"] == [0, 1, 2, 3]
