"""eq_uart_tx, eq_uart_rx: bytes over a line, clocks that differ, glitches and a line held low."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hls.harness import HarnessError, Sink, Source, needs_simulator, run

pytestmark = needs_simulator

#: Transmitter and receiver on one line. NOISE pulls the line low for NOISE cycles after every byte's stop bit; BROKEN
#: inverts the stop bit of that byte (from 0). A fifo stands behind the receiver, which cannot be asked to wait.
PAIR = """
module uart_pair #(parameter TX_DIV = 16, RX_DIV = 16, NOISE = 0, BROKEN = -1, GAP = 0) (
    input clk, input rst, input [7:0] s_data, input s_valid, output s_ready,
    output [7:0] m_data, output m_valid, input m_ready
);
    wire tx, ready, valid;
    wire [7:0] data;
    reg [31:0] since = 0, sent = 0;  // cycles since a byte began, bytes begun
    wire open = sent == 0 || since >= 10 * TX_DIV + GAP;
    assign s_ready = ready && open;
    always @(posedge clk) begin
        since <= s_valid && s_ready ? 0 : since + 1;
        if (s_valid && s_ready) sent <= sent + 1;
    end
    wire low = NOISE > 0 && sent > 0 && since >= 10 * TX_DIV + 4 && since < 10 * TX_DIV + 4 + NOISE;
    wire stop = since > 9 * TX_DIV && since <= 10 * TX_DIV;
    wire line = stop && sent == BROKEN + 1 ? 1'b0 : tx && !low;
    eq_uart_tx #(.DIV(TX_DIV)) send (
        .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid && open), .s_ready(ready), .tx(tx)
    );
    eq_uart_rx #(.DIV(RX_DIV)) receive (.clk(clk), .rst(rst), .rx(line), .m_data(data), .m_valid(valid));
    eq_fifo #(.WIDTH(8), .DEPTH(512)) fifo (
        .clk(clk), .rst(rst), .s_data(data), .s_valid(valid), .s_ready(),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uart") / "pair.v"
    path.write_text(PAIR)
    return path


def send(pair: Path, data: list[int], count: int, **parameters: int) -> list[int]:
    """Bytes that arrive."""
    sources, sinks = {"s": Source(8, data)}, {"m": Sink(8, count)}
    return run("uart_pair", parameters, sources, sinks, extra=[pair]).beats["m"]


EVERY_BYTE = [*range(256)]
SOME_BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *(random.Random(5).randrange(256) for _ in range(30))]


@pytest.mark.parametrize("divisor", [8, 9, 16])
def test_every_byte(pair: Path, divisor: int) -> None:
    assert send(pair, EVERY_BYTE, 256, TX_DIV=divisor, RX_DIV=divisor) == EVERY_BYTE


@pytest.mark.parametrize(("tx", "rx"), [(100, 98), (100, 102), (100, 97), (100, 103), (50, 49), (50, 51)])
def test_clocks_may_differ(pair: Path, tx: int, rx: int) -> None:
    """Back-to-back bytes: nothing adds up over them, because each start bit sets the receiver's clock anew."""
    assert send(pair, SOME_BYTES, len(SOME_BYTES), TX_DIV=tx, RX_DIV=rx) == SOME_BYTES


def test_clocks_that_differ_too_much_are_seen(pair: Path) -> None:
    """The check above can fail: 10 % is beyond what any receiver can read."""
    with pytest.raises((AssertionError, HarnessError)):
        assert send(pair, SOME_BYTES, len(SOME_BYTES), TX_DIV=100, RX_DIV=90) == SOME_BYTES


@pytest.mark.parametrize("noise", [1, 5])
def test_glitches_are_no_start_bits(pair: Path, noise: int) -> None:
    found = send(pair, SOME_BYTES, len(SOME_BYTES), TX_DIV=16, RX_DIV=16, NOISE=noise, GAP=40)
    assert found == SOME_BYTES


def test_a_pulse_of_half_a_bit_is_a_start_bit(pair: Path) -> None:
    """The check above can fail: what lasts longer than half a bit is taken for a byte."""
    with pytest.raises((AssertionError, HarnessError)):
        assert send(pair, SOME_BYTES, len(SOME_BYTES), TX_DIV=16, RX_DIV=16, NOISE=14, GAP=400) == SOME_BYTES


@pytest.mark.parametrize("broken", [0, 7])
def test_a_byte_without_its_stop_bit_is_dropped(pair: Path, broken: int) -> None:
    want = SOME_BYTES[:broken] + SOME_BYTES[broken + 1 :]
    assert send(pair, SOME_BYTES, len(want), TX_DIV=16, RX_DIV=16, BROKEN=broken, GAP=200) == want
