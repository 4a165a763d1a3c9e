"""Frames and codes without a device: what is encoded reads back, garbage hides nothing, sizes and rates are checked."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.fpga import protocol
from edgeq.fpga.protocol import Frame, FrameReader, Identity, Shape
from edgeq.ir import Graph, GraphBuilder, Value
from edgeq.ir.file import from_bytes, to_bytes

LENGTHS = {protocol.IDENTITY: 16, protocol.RESULT: 10, protocol.STATUS: 1}
GOOD = Frame(protocol.RESULT, 7, b"0123456789")


def small(first: int = 1, name: str = "net") -> Graph:
    b = GraphBuilder(name)
    x = b.input("x", (4,), FixedPoint(8, 0))
    return b.build([b.node("add", "y", (x, b.constant("c", [first, 2, 3, 4], FixedPoint(8, 0))), FixedPoint(12, 0))])


def test_a_frame_byte_by_byte() -> None:
    """The layout as docs/fpga-protocol.md has it."""
    body = bytes([0x82, 7, 10, 0, 0, 0]) + b"0123456789"
    assert GOOD.encode() == b"\xa5\x5e" + body + zlib.crc32(body).to_bytes(4, "little")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 255), max_size=20), st.integers(1, 40), st.binary(max_size=30))
def test_frames_in_pieces_and_garbage(sequences: list[int], piece: int, garbage: bytes) -> None:
    """Frames between any bytes are found, however the stream is cut; a false start costs no good frame."""
    frames = [Frame(protocol.RESULT, sequence, bytes([sequence] * 10)) for sequence in sequences]
    stream = b"".join(garbage + b"\xa5\x5e\x82" + frame.encode() for frame in frames)
    reader = FrameReader(LENGTHS)
    found = [f for start in range(0, len(stream), piece) for f in reader.feed(stream[start : start + piece])]
    assert found == frames
    assert reader.skipped == (len(garbage) + 3) * len(frames)


def test_no_changed_frame_is_taken() -> None:
    """Every single and many double bit flips, losses and doublings of one frame: nothing comes out."""
    data = GOOD.encode()
    rng = random.Random(0)
    flips = [(bit, bit) for bit in range(8 * len(data))]
    flips += [(rng.randrange(8 * len(data)), rng.randrange(8 * len(data))) for _ in range(2000)]
    for a, b in flips:
        changed = bytearray(data)
        for bit in {a, b}:
            changed[bit // 8] ^= 1 << bit % 8
        assert FrameReader(LENGTHS).feed(bytes(changed)) == [], (a, b)
    for at in range(len(data)):
        assert FrameReader(LENGTHS).feed(data[:at] + data[at + 1 :]) == []
    assert FrameReader(LENGTHS).feed(data) == [GOOD], "the check above can fail"


def test_a_frame_inside_a_cut_one() -> None:
    """A reset device starts anew in the middle: the second frame is found once the line is silent."""
    reader = FrameReader(LENGTHS)
    assert reader.feed(GOOD.encode()[:9] + Frame(protocol.STATUS, 3, b"\x01").encode()[:-6]) == []
    status = Frame(protocol.STATUS, 3, b"\x01")
    reader = FrameReader({protocol.RESULT: 10, protocol.STATUS: 1})
    assert reader.feed(GOOD.encode()[:8] + status.encode()[:9]) == []
    assert reader.inside() == []
    reader = FrameReader({protocol.RESULT: 200, protocol.STATUS: 1})
    assert reader.feed(Frame(protocol.RESULT, 7, bytes(200)).encode()[:20] + status.encode()) == []
    assert reader.inside() == [status]


def test_a_false_length_is_not_waited_for() -> None:
    reader = FrameReader(LENGTHS)
    false = b"\xa5\x5e\x82\x00\xff\xff\xff\x7f"
    assert reader.feed(false + GOOD.encode()) == [GOOD]


@pytest.mark.parametrize(
    "fmt", [FixedPoint(8, 3), FixedPoint(8, 0, False), FixedPoint(3, 0), FixedPoint(12, 2), FixedPoint(32, 0)]
)
def test_codes_read_back(fmt: FixedPoint) -> None:
    low, high = fmt.code_range
    codes = np.random.default_rng(1).integers(low, high + 1, (2, 3, 5))
    codes.flat[:2] = low, high
    data = protocol.pack_codes(codes, fmt.bits)
    assert len(data) == 30 * protocol.code_bytes(fmt.bits)
    assert np.array_equal(protocol.unpack_codes(data, Value("y", (2, 3, 5), fmt)), codes)


def test_codes_that_are_none() -> None:
    value = Value("y", (2,), FixedPoint(12, 0))
    assert protocol.unpack_codes(b"\xff\x0f\x01\x08", value).tolist() == [-1, -2047]
    with pytest.raises(InputError, match="12 bits"):
        protocol.unpack_codes(b"\xff\x1f\x01\x08", value)
    with pytest.raises(InputError, match="2 codes"):
        protocol.unpack_codes(b"\xff\x0f", value)


def test_networks_have_numbers() -> None:
    """The number follows the network and not its name, and survives the file."""
    number = protocol.network_id(small())
    assert protocol.network_id(small(name="other")) == number
    assert protocol.network_id(from_bytes(to_bytes(small()))) == number
    assert protocol.network_id(small(first=5)) != number
    assert 0 <= number < 1 << 32
    assert protocol.rtl_parameters(small()) == {
        "IN_BITS": 8, "IN_BEATS": 4, "OUT_BITS": 12, "OUT_BEATS": 4, "ID": number,
    }  # fmt: skip
    assert protocol.network_shape(small()) == Shape(8, 4, 12, 4)
    assert (protocol.network_shape(small()).in_bytes, protocol.network_shape(small()).out_bytes) == (4, 8)


def test_networks_that_the_link_cannot_carry() -> None:
    with pytest.raises(UnsupportedError, match="1 inputs and 2 outputs"):
        protocol.network_shape(replace(small(), outputs=("y", "x")))


def test_identity() -> None:
    payload = protocol.FACTS.pack(1, 8, 12, 4, 5, 0xDEADBEEF)
    assert Identity.decode(payload) == Identity(1, Shape(8, 4, 12, 5), 0xDEADBEEF)
    assert Identity.decode(payload[:-1]) is None


@pytest.mark.parametrize(("clock", "baud", "divisor"), [(12_000_000, 115200, 104), (80_000_000, 1_000_000, 80)])
def test_line_rates(clock: int, baud: int, divisor: int) -> None:
    assert protocol.check_baud(clock, baud) == divisor


@pytest.mark.parametrize(
    ("clock", "baud", "fact"), [(12_000_000, 3_000_000, "at most 1500000"), (12_000_000, 1_300_000, "off")]
)
def test_line_rates_out_of_reach(clock: int, baud: int, fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        protocol.check_baud(clock, baud)
