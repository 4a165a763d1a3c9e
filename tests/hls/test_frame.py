"""eq_crc32, eq_frame_rx, eq_frame_tx, eq_frame_buffer against Python: right frames, mutated frames, every refusal."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest
from hls.harness import Sink, Source, needs_simulator, run

from edgeq.fpga import protocol
from edgeq.fpga.protocol import Frame, FrameReader, Identity, Shape

pytestmark = needs_simulator

PAUSE = 0x100  # a beat that is a pause on the line instead of a byte
NETWORK = 0xC0DE5EA5  # holds the sync bytes on purpose
BYTES = 13

#: the harness knows streams only: bytes are spaced here, requests and payload come out of fifos
WRAPPERS = """
module frame_rx_bench #(parameter BYTES = 13, parameter [31:0] ID = 0, parameter BUSY = 0) (
    input clk, input rst, input [8:0] s_data, input s_valid, output s_ready,
    output [12:0] m_data, output m_valid, input m_ready, output [15:0] w_data, output w_valid, input w_ready
);
    localparam IDLE_CYCLES = 40, SPACE = 12;
    reg [6:0] wait_for = 0;
    assign s_ready = wait_for == 0;
    wire take = s_valid && s_ready;
    always @(posedge clk)
        if (rst) wait_for <= 0;
        else if (take) wait_for <= s_data[8] ? IDLE_CYCLES + 4 : SPACE - 1;
        else if (wait_for != 0) wait_for <= wait_for - 1;
    wire [12:0] request;
    wire [15:0] payload;
    wire request_valid, payload_valid;
    assign payload[15:12] = 0;
    eq_frame_rx #(.BYTES(BYTES), .ID(ID), .IDLE_CYCLES(IDLE_CYCLES), .INDEX_BITS(4)) dut (
        .clk(clk), .rst(rst), .s_data(s_data[7:0]), .s_valid(take && !s_data[8]), .busy(BUSY != 0),
        .w_data(payload[7:0]), .w_index(payload[11:8]), .w_valid(payload_valid),
        .m_kind(request[1:0]), .m_sequence(request[9:2]), .m_status(request[12:10]), .m_valid(request_valid)
    );
    eq_fifo #(.WIDTH(13), .DEPTH(512)) requests (
        .clk(clk), .rst(rst), .s_data(request), .s_valid(request_valid), .s_ready(),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
    eq_fifo #(.WIDTH(16), .DEPTH(8192)) payloads (
        .clk(clk), .rst(rst), .s_data(payload), .s_valid(payload_valid), .s_ready(),
        .m_data(w_data), .m_valid(w_valid), .m_ready(w_ready)
    );
endmodule
module frame_tx_bench #(parameter IN_BITS = 8, IN_BEATS = 64, OUT_BITS = 8, OUT_BEATS = 10, parameter [31:0] ID = 0) (
    input clk, input rst, input [12:0] c_data, input c_valid, output c_ready,
    input [OUT_BITS-1:0] s_data, input s_valid, output s_ready, output [7:0] m_data, output m_valid, input m_ready
);
    wire busy, ready, valid;
    wire [7:0] data;
    reg started = 0;
    assign c_ready = !busy && !started;
    always @(posedge clk) started <= c_valid && c_ready;
    eq_frame_tx #(.IN_BITS(IN_BITS), .IN_BEATS(IN_BEATS), .OUT_BITS(OUT_BITS), .OUT_BEATS(OUT_BEATS), .ID(ID)) dut (
        .clk(clk), .rst(rst), .start(c_valid && c_ready), .kind(c_data[1:0]), .sequence_number(c_data[9:2]),
        .status(c_data[12:10]), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
        .t_data(data), .t_valid(valid), .t_ready(ready), .busy(busy)
    );
    eq_fifo #(.WIDTH(8), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(data), .s_valid(valid), .s_ready(ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
module crc_bench (
    input clk, input rst, input [8:0] s_data, input s_valid, output s_ready, output [8:0] m_data, output m_valid,
    input m_ready
);
    // a beat with bit 8 takes out one byte of the CRC, and whether the register is good before it
    wire busy;
    wire take = s_valid && s_ready;
    reg out = 0;
    reg [8:0] held;
    reg [1:0] phase = 0;
    assign s_ready = phase == 0 && !rst;
    assign m_valid = phase == 2;
    assign m_data = held;
    wire [7:0] value;
    wire good;
    always @(posedge clk)
        if (rst) phase <= 0;
        else if (take) begin phase <= 1; out <= s_data[8]; end
        else if (phase == 1 && !busy) begin phase <= out ? 2 : 0; held <= {good, value}; end
        else if (phase == 2 && m_ready) phase <= 0;
    eq_crc32 dut (
        .clk(clk), .clear(rst), .s_data(s_data[7:0]), .s_valid(take && !s_data[8]), .next(phase == 1 && !busy && out),
        .busy(busy), .value(value), .good(good)
    );
endmodule
module buffer_bench #(parameter BITS = 8, BEATS = 8, WIDTH = 1) (
    input clk, input rst, input [7:0] s_data, input s_valid, output s_ready,
    output [BITS-1:0] m_data, output m_valid, input m_ready
);
    // every whole input that has come in is streamed out before the next one is taken
    localparam BYTES = BEATS * WIDTH;
    reg [11:0] count = 0;
    reg started = 0;
    wire busy;
    wire last = s_valid && s_ready && count == BYTES - 1;
    assign s_ready = !busy && !started;
    always @(posedge clk) begin
        started <= last;
        if (rst || last) count <= 0;
        else if (s_valid && s_ready) count <= count + 1;
    end
    eq_frame_buffer #(.BITS(BITS), .BEATS(BEATS), .WIDTH(WIDTH), .INDEX_BITS(12)) dut (
        .clk(clk), .rst(rst), .w_data(s_data), .w_index(count), .w_valid(s_valid && s_ready), .start(started),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready), .busy(busy)
    );
endmodule
"""


@pytest.fixture(scope="module")
def wrappers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frame") / "wrappers.v"
    path.write_text(WRAPPERS)
    return path


def test_crc(wrappers: Path) -> None:
    """The CRC of every prefix is zlib's, and a message that ends with its own CRC is good, any other is not."""
    rng = random.Random(1)
    message = [rng.randrange(256) for _ in range(60)]
    crc = list(zlib.crc32(bytes(message)).to_bytes(4, "little"))
    result = run("crc_bench", {}, {"s": Source(9, [*message, *[PAUSE] * 4])}, {"m": Sink(9, 4)}, extra=[wrappers])
    assert result.beats["m"] == crc
    good = run("crc_bench", {}, {"s": Source(9, [*message, *crc, PAUSE])}, {"m": Sink(9, 1)}, extra=[wrappers])
    assert good.beats["m"][0] >> 8 == 1
    crc[2] ^= 4
    bad = run("crc_bench", {}, {"s": Source(9, [*message, *crc, PAUSE])}, {"m": Sink(9, 1)}, extra=[wrappers])
    assert bad.beats["m"][0] >> 8 == 0


def reference(beats: list[int], busy: bool = False) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """What a device must make of bytes and pauses: requests (kind, sequence, status), and payload (index, byte)."""
    requests: list[tuple[int, int, int]] = []
    payload: list[tuple[int, int]] = []
    part: list[int] = []
    for beat in [*beats, None]:
        if beat is not None and beat != PAUSE:
            part.append(beat)
            continue
        at = 0
        while (found := bytes(part).find(protocol.SYNC, at)) >= 0:
            used = frame_at(part[found + 2 :], busy, requests, payload, beat == PAUSE)
            if used is None:
                break
            at = found + 2 + used
        part = []
    return requests, payload


def frame_at(
    data: list[int],
    busy: bool,
    requests: list[tuple[int, int, int]],
    payload: list[tuple[int, int]],
    pause: bool,
) -> int | None:
    """One frame behind its sync bytes: its length, or None where the rest up to the pause is ignored."""
    length = {protocol.RUN: BYTES + 4}.get(data[0], 0) if data else 0
    header = 10 if data[:1] == [protocol.RUN] or (data and data[0] % 4 == 2) else 6
    if len(data) < header:
        return None
    status = protocol.DONE
    if data[0] not in (protocol.IDENTIFY, protocol.RUN, protocol.RESET):
        status = protocol.BAD_TYPE
        length = BYTES + 4 if data[0] % 4 == 2 else 0
    elif int.from_bytes(data[2:6], "little") != length:
        status = protocol.BAD_LENGTH
    elif header == 10 and int.from_bytes(data[6:10], "little") != NETWORK:
        status = protocol.OTHER_NETWORK
    elif busy and data[0] != protocol.RESET:
        status = protocol.BUSY
    if status != protocol.DONE:
        requests.append((data[0] % 4, data[1], status))
        return None
    body = data[10 : 10 + BYTES] if header == 10 else []
    payload += enumerate(body)
    end = 6 + length
    if len(data) < end + 4:
        if pause:
            requests.append((data[0] % 4, data[1], protocol.CUT))
        return None
    right = zlib.crc32(bytes(data[:end])) == int.from_bytes(data[end : end + 4], "little")
    requests.append((data[0] % 4, data[1], protocol.DONE if right else protocol.BAD_CRC))
    return end + 4 if right else None


def receive(wrappers: Path, beats: list[int], busy: bool = False) -> list[tuple[int, int, int]]:
    """Run the receiver over bytes and pauses, compare everything with the reference, return the requests."""
    beats = [*beats, PAUSE, *Frame(protocol.RESET, 0).encode()]  # whatever came before, this one is heard
    want, payload = reference(beats, busy)
    assert want[-1] == (3, 0, protocol.DONE)
    sinks = {"m": Sink(13, len(want)), "w": Sink(16, len(payload))}
    parameters = {"BYTES": BYTES, "ID": NETWORK, "BUSY": int(busy)}
    sources = {"s": Source(9, beats)}
    result = run("frame_rx_bench", parameters, sources, sinks, extra=[wrappers])
    requests = [(beat & 3, beat >> 2 & 255, beat >> 10) for beat in result.beats["m"]]
    assert requests == want
    assert [(beat >> 8, beat & 255) for beat in result.beats["w"]] == payload
    return requests[:-1]


def run_frame(sequence: int, rng: random.Random, network: int = NETWORK, count: int = BYTES) -> list[int]:
    """A run frame with random codes, now and then with sync bytes among them."""
    codes = bytes(rng.choice([rng.randrange(256), 0xA5, 0x5E]) for _ in range(count))
    return list(Frame(protocol.RUN, sequence, network.to_bytes(4, "little") + codes).encode())


def test_right_frames(wrappers: Path) -> None:
    rng = random.Random(2)
    beats = [*run_frame(1, rng), *run_frame(2, rng), *Frame(protocol.IDENTIFY, 3).encode()]
    beats += [*Frame(protocol.RESET, 4).encode(), 7, 0xA5, *run_frame(255, rng), 0xA5, 0xA5, *run_frame(0, rng)]
    assert receive(wrappers, beats) == [(2, 1, 0), (2, 2, 0), (1, 3, 0), (3, 4, 0), (2, 255, 0), (2, 0, 0)]


def test_every_refusal(wrappers: Path) -> None:
    """One broken frame of each kind, a pause, and the frame as it should be."""
    rng = random.Random(3)
    good = run_frame(9, rng)
    flipped = [*good]
    flipped[15] ^= 1
    short = run_frame(3, rng, count=BYTES - 1)
    other = run_frame(5, rng, network=NETWORK ^ 0x01000000)
    unknown = list(Frame(0x42, 6).encode())
    beats: list[int] = []
    for broken in (flipped, good[:12], good[:-1], short, run_frame(4, rng, count=BYTES + 300), other, unknown):
        beats += [*broken, PAUSE, *good, PAUSE]
    statuses = [request[2] for request in receive(wrappers, beats)]
    names = [protocol.BAD_CRC, protocol.CUT, protocol.CUT, protocol.BAD_LENGTH, protocol.BAD_LENGTH]
    names += [protocol.OTHER_NETWORK, protocol.BAD_TYPE]
    assert statuses == [status for name in names for status in (name, protocol.DONE)]


def test_what_follows_a_broken_frame_waits_for_a_pause(wrappers: Path) -> None:
    """A frame inside the payload of a broken one is never taken for a request."""
    inner = list(Frame(protocol.RESET, 77).encode())
    broken = [*run_frame(1, random.Random(4))[:4], 99, 0, 0, 0, *inner, *inner]
    assert receive(wrappers, [*broken, PAUSE, *inner]) == [(2, 1, protocol.BAD_LENGTH), (3, 77, protocol.DONE)]


def test_busy_refuses_all_but_reset(wrappers: Path) -> None:
    beats = [*run_frame(1, random.Random(5)), PAUSE, *Frame(protocol.IDENTIFY, 2).encode(), PAUSE]
    beats += Frame(protocol.RESET, 3).encode()
    assert receive(wrappers, beats, busy=True) == [(2, 1, protocol.BUSY), (1, 2, protocol.BUSY), (3, 3, protocol.DONE)]


def mutate(frame: list[int], rng: random.Random) -> list[int]:
    """A frame with one fault: flipped bit, lost, doubled or inserted byte, a cut, a pause in the middle."""
    at = rng.randrange(len(frame))
    return rng.choice(
        [
            frame,
            [*frame[:at], frame[at] ^ 1 << rng.randrange(8), *frame[at + 1 :]],
            [*frame[:at], *frame[at + 1 :]],
            [*frame[: at + 1], *frame[at:]],
            [*frame[:at], rng.randrange(256), *frame[at:]],
            frame[:at],
            [*frame[:at], PAUSE, *frame[at:]],
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_mutated_frames(wrappers: Path, seed: int) -> None:
    """Sixty frames with faults, garbage and pauses between some: requests and payload as the reference says."""
    rng = random.Random(seed)
    beats: list[int] = []
    for sequence in range(60):
        frame = run_frame(sequence, rng)
        if rng.random() < 0.3:
            frame = list(Frame(rng.choice([protocol.IDENTIFY, protocol.RESET, 0x40, 0x82]), sequence).encode())
        beats += mutate(frame, rng)
        beats += [rng.choice([rng.randrange(256), 0xA5, 0x5E]) for _ in range(rng.choice([0, 0, 0, 3]))]
        beats += [PAUSE] if rng.random() < 0.7 else []
    statuses = {request[2] for request in receive(wrappers, beats)}
    assert {protocol.DONE, protocol.BAD_CRC, protocol.BAD_LENGTH, protocol.CUT} <= statuses


@pytest.mark.parametrize(
    ("bits", "count", "stalls"),
    [(8, 10, (0, 0)), (8, 300, (30, 60)), (12, 5, (50, 0)), (20, 7, (0, 50)), (1, 1, (0, 0)), (8, 20, (98, 0))],
)
def test_replies(wrappers: Path, bits: int, count: int, stalls: tuple[int, int]) -> None:
    """Identity, results and statuses as the Python side reads them; core and line make pauses (98: a slow core)."""
    shape = Shape(5, 70000, bits, count)
    codes = [random.Random(count + index).getrandbits(bits) for index in range(2 * count)]
    size = protocol.code_bytes(bits)
    rows = [b"".join(code.to_bytes(size, "little") for code in codes[start : start + count]) for start in (0, count)]
    want = [
        Frame(protocol.RESULT, 7, rows[0]),
        Frame(protocol.STATUS, 200, bytes([protocol.CUT])),
        Frame(protocol.RESULT, 8, rows[1]),
        Frame(protocol.IDENTITY, 255, protocol.FACTS.pack(protocol.VERSION, 5, bits, 70000, count, NETWORK)),
    ]
    commands = [frame.kind % 4 | frame.sequence << 2 for frame in want]
    commands[1] |= protocol.CUT << 10
    parameters = {"IN_BITS": 5, "IN_BEATS": 70000, "OUT_BITS": bits, "OUT_BEATS": count, "ID": NETWORK}
    sources = {"c": Source(13, commands), "s": Source(bits, codes)}
    sinks = {"m": Sink(8, sum(len(frame.encode()) for frame in want))}
    result = run("frame_tx_bench", parameters, sources, sinks, stalls=stalls, extra=[wrappers])
    data = bytes(result.beats["m"])
    lengths = {protocol.IDENTITY: protocol.FACTS.size, protocol.RESULT: shape.out_bytes, protocol.STATUS: 1}
    assert data == b"".join(frame.encode() for frame in want)
    assert FrameReader(lengths).feed(data) == want
    assert Identity.decode(want[3].payload) == Identity(protocol.VERSION, shape, NETWORK)


@pytest.mark.parametrize(("bits", "width"), [(8, 1), (3, 1), (12, 2), (16, 2), (17, 4), (32, 4)])
@pytest.mark.parametrize("beats", [1, 8, 11])
@pytest.mark.parametrize("stalls", [(0, 0), (30, 60)])
def test_buffer(wrappers: Path, bits: int, width: int, beats: int, stalls: tuple[int, int]) -> None:
    codes = [random.Random(bits + index).getrandbits(bits) for index in range(3 * beats)]
    data = [byte for code in codes for byte in code.to_bytes(width, "little")]
    parameters = {"BITS": bits, "BEATS": beats, "WIDTH": width}
    sources, sinks = {"s": Source(8, data)}, {"m": Sink(bits, len(codes))}
    result = run("buffer_bench", parameters, sources, sinks, stalls=stalls, extra=[wrappers])
    assert result.beats["m"] == codes
    if stalls == (0, 0):
        cycles = result.cycles["m"]
        assert cycles[beats - 1] - cycles[0] == beats - 1, "one code a cycle"
