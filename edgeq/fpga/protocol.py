"""The host link's protocol: frames with CRC-32, codes as bytes, what a device says of itself (docs/fpga-protocol.md).

A frame is ``A5 5E``, type, sequence number, length (4 bytes), payload, CRC-32 over everything from the type to the
payload's end (4 bytes); all little-endian. Nothing here talks to a line: that is `edgeq.fpga.host`.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError, UnsupportedError
from edgeq.ir import Graph, Value
from edgeq.ir.file import to_bytes

VERSION = 1
SYNC = b"\xa5\x5e"
HEADER = struct.Struct("<BBI")  # type, sequence number, bytes of payload
FACTS = struct.Struct("<BBBxIII")  # payload of an identity: version, bits in, bits out, elements in, out, network
OVERHEAD = len(SYNC) + HEADER.size + 4  # bytes of a frame besides its payload
IDLE_S = 0.1  # a pause of this length ends a frame in the device

IDENTIFY, RUN, RESET = 0x01, 0x02, 0x03  # host to device
IDENTITY, RESULT, STATUS = 0x81, 0x82, 0x83  # device to host

DONE, BAD_CRC, BAD_LENGTH, BAD_TYPE, BUSY, OTHER_NETWORK, CUT = range(7)
#: what a status says, in words
STATUS_TEXT = {
    DONE: "done",
    BAD_CRC: "the request's checksum was wrong",
    BAD_LENGTH: "the request's length was wrong",
    BAD_TYPE: "the request's type is unknown",
    BUSY: "the device was busy with an earlier request",
    OTHER_NETWORK: "the device holds another network",
    CUT: "the request was cut off",
}

MAX_BITS = 32  # of a code on the line
MIN_DIVISOR = 8  # clock cycles per bit
MAX_BAUD_ERROR = 0.02  # of the device's line rate, by rounding the divisor


@dataclass(frozen=True)
class Frame:
    """One frame: `kind` is its type byte, `sequence` 0..255, `payload` its bytes."""

    kind: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The bytes on the line."""
        body = HEADER.pack(self.kind, self.sequence, len(self.payload)) + self.payload
        return SYNC + body + struct.pack("<I", zlib.crc32(body))


class FrameReader:
    """Finds whole frames in a stream of bytes that may hold anything else as well.

    A frame counts only when its CRC-32 is right; where it is not, the search goes on one byte behind the place where
    the frame seemed to start, so that no good frame behind or inside garbage is lost.

    lengths: the types that can occur and the length of each one's payload; any other header is garbage, so that no
             false length is ever waited for.
    """

    def __init__(self, lengths: Mapping[int, int]) -> None:
        self.lengths = dict(lengths)
        self.held = bytearray()
        self.skipped = 0  # bytes that belonged to no frame

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes in; the frames that they complete, in order."""
        self.held += data
        found: list[Frame] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def inside(self) -> list[Frame]:
        """The line is silent: whole frames that lie inside what seems to be the beginning of another one.

        The beginning is kept, as its end may still come.
        """
        reader = FrameReader(self.lengths)
        return reader.feed(bytes(self.held[1:]))

    def _next(self) -> Frame | None:
        while True:
            start = self.held.find(SYNC)
            if start < 0:  # a sync that has half arrived stays
                start = len(self.held) - (1 if self.held.endswith(SYNC[:1]) else 0)
            self._skip(start)
            if len(self.held) < OVERHEAD:
                return None
            kind, sequence, length = HEADER.unpack_from(self.held, len(SYNC))
            if self.lengths.get(kind) == length:
                if len(self.held) < OVERHEAD + length:
                    return None
                end = len(SYNC) + HEADER.size + length
                (crc,) = struct.unpack_from("<I", self.held, end)
                if crc == zlib.crc32(self.held[len(SYNC) : end]):
                    payload = bytes(self.held[end - length : end])
                    del self.held[: end + 4]
                    return Frame(kind, sequence, payload)
            self._skip(1)

    def _skip(self, count: int) -> None:
        del self.held[:count]
        self.skipped += count


@dataclass(frozen=True)
class Shape:
    """What a device takes and gives in one inference: bits of a code and number of codes, in and out."""

    in_bits: int
    in_count: int
    out_bits: int
    out_count: int

    @property
    def in_bytes(self) -> int:
        """Bytes of one input on the line."""
        return self.in_count * code_bytes(self.in_bits)

    @property
    def out_bytes(self) -> int:
        """Bytes of one output on the line."""
        return self.out_count * code_bytes(self.out_bits)

    def __str__(self) -> str:
        return f"{self.in_count} codes of {self.in_bits} bits in, {self.out_count} of {self.out_bits} bits out"


@dataclass(frozen=True)
class Identity:
    """A device's own words: protocol version, sizes, and the number of its network (`network_id`)."""

    version: int
    shape: Shape
    network: int

    @classmethod
    def decode(cls, payload: bytes) -> Identity | None:
        """Read the payload of an identity frame; None where it has another length."""
        if len(payload) != FACTS.size:
            return None
        version, in_bits, out_bits, in_count, out_count, network = FACTS.unpack(payload)
        return cls(version, Shape(in_bits, in_count, out_bits, out_count), network)


def network_id(graph: Graph) -> int:
    """32 bits that name a network by its meaning: all of the saved graph but its name (files get renamed)."""
    return int.from_bytes(hashlib.sha256(to_bytes(replace(graph, name="network"))).digest()[:4], "little")


def network_shape(graph: Graph) -> Shape:
    """What the host link of a device with this network carries; UnsupportedError where it cannot."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"network {graph.name!r} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; the host link "
            "carries one of each: join them in the network (Concat), or use the core without the link"
        )
    value_in, value_out = graph.values[graph.inputs[0]], graph.values[graph.outputs[0]]
    for value in (value_in, value_out):
        if value.format.bits > MAX_BITS:
            raise UnsupportedError(f"{value.name}: codes of {value.format.bits} bits; the link takes {MAX_BITS}")
    return Shape(value_in.format.bits, value_in.size, value_out.format.bits, value_out.size)


def code_bytes(bits: int) -> int:
    """Bytes of a code on the line: 1, 2 or 4."""
    return 1 if bits <= 8 else 2 if bits <= 16 else 4


def pack_codes(codes: npt.NDArray[Any], bits: int) -> bytes:
    """Codes in order, row-major, as little-endian bytes; a code of `bits` bits is in the lowest bits of its bytes."""
    unsigned = codes.astype(np.int64).reshape(-1) & ((1 << bits) - 1)
    return unsigned.astype(f"<u{code_bytes(bits)}").tobytes()


def unpack_codes(data: bytes, value: Value) -> npt.NDArray[np.int64]:
    """Codes of one value from their bytes, in its shape; InputError where bits are set above a code's own."""
    bits = value.format.bits
    raw = np.frombuffer(data, f"<u{code_bytes(bits)}").astype(np.int64)
    if raw.size != math.prod(value.shape) or (raw >> bits).any():
        raise InputError(f"{value.name}: {len(data)} bytes are not {math.prod(value.shape)} codes of {bits} bits")
    if value.format.code_range[0] < 0:
        raw -= (raw >> (bits - 1)) << bits
    return raw.reshape(value.shape)


def check_baud(clock_hz: int, baud: int) -> int:
    """Clock cycles per bit of a device's UART; InputError where the line rate is not within reach of the clock."""
    divisor = (clock_hz + baud // 2) // baud
    if divisor < MIN_DIVISOR:
        raise InputError(f"{baud} baud at {clock_hz} Hz: {divisor} cycles per bit; at most {clock_hz // MIN_DIVISOR}")
    error = abs(clock_hz / divisor / baud - 1)
    if error > MAX_BAUD_ERROR:
        raise InputError(f"{baud} baud at {clock_hz} Hz: the nearest rate is {error:.1%} off; choose another one")
    return divisor


def rtl_parameters(graph: Graph) -> Mapping[str, int]:
    """Parameters of `eq_uart_host` for a network, except clock and line rate."""
    shape = network_shape(graph)
    return {
        "IN_BITS": shape.in_bits,
        "IN_BEATS": shape.in_count,
        "OUT_BITS": shape.out_bits,
        "OUT_BEATS": shape.out_count,
        "ID": network_id(graph),
    }
