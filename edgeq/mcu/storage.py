"""How codes lie in memory: values in RAM, bit streams of weights in flash, and their eq_type in C.

A code has a container of 8, 16 or 32 bits, but for values that `Packed` marks: those are fields of 2 or 4 bits, four or
two codes a byte, element i at bit i * bits, least significant bit first. edgeq/mcu/packing.py decides which they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.ir.graph import Value

#: bits of the containers that a code lies in, and of fields that share a byte
WIDTHS, FIELDS = (8, 16, 32), (2, 4)


@dataclass(frozen=True)
class Packed(FixedPoint):
    """Fixed point of up to 4 bits whose codes share bytes in RAM: the same numbers, stored closer together."""


def packed(fmt: FixedPoint) -> Packed:
    """The format of the same numbers whose codes share bytes."""
    return Packed(fmt.width, fmt.point, fmt.sign, fmt.axis)


def unshared(fmt: Format) -> Format:
    """The format of the same numbers with a byte for each code."""
    return FixedPoint(fmt.width, fmt.point, fmt.sign, fmt.axis) if isinstance(fmt, Packed) else fmt


@dataclass(frozen=True)
class Storage:
    """Where a code of one format lies outside of constants.

    bits: of one element; signed: whether its code is in two's complement; eq_type: the C expression of its type for
    kernels. Formats that read alike share one, so that layers share code.
    """

    bits: int
    signed: bool
    eq_type: str

    @property
    def packed(self) -> bool:
        """Whether several codes share a byte."""
        return self.bits < 8

    @property
    def field(self) -> str:
        """The C expression of a type of its size, for kernels that move codes and need not know what they mean."""
        return f"EQ_U{'P' if self.packed else ''}({self.bits})"

    @property
    def ctype(self) -> str:
        """C type of an element of an array of such codes: of a code, or of a byte of several."""
        return "uint8_t" if self.packed else f"{'' if self.signed else 'u'}int{self.bits}_t"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The same as a numpy type, little endian."""
        return np.dtype("u1" if self.packed else f"<{'i' if self.signed else 'u'}{self.bits // 8}")

    def size(self, count: int) -> int:
        """Bytes of so many codes."""
        return -(-count * self.bits // 8)

    def to_bytes(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Rows of codes (n, …) as rows of bytes (n, bytes); bits behind the last code are zero."""
        flat = codes.reshape(len(codes), -1)
        if not self.packed:
            return np.ascontiguousarray(flat).astype(self.dtype).view(np.uint8)
        each = 8 // self.bits
        fields = np.pad(flat.astype(np.int64) & ((1 << self.bits) - 1), ((0, 0), (0, -flat.shape[1] % each)))
        shifts = np.arange(each) * self.bits
        packed: npt.NDArray[np.uint8] = (fields.reshape(len(codes), -1, each) << shifts).sum(axis=2).astype(np.uint8)
        return packed

    def from_bytes(self, rows: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int64]:
        """Codes (n, count) of rows of bytes; inverse of `to_bytes`."""
        rows = np.ascontiguousarray(rows)
        if not self.packed:
            return rows.view(self.dtype).astype(np.int64)
        shifts = np.arange(8 // self.bits) * self.bits
        fields = (rows.astype(np.int64)[:, :, None] >> shifts) & ((1 << self.bits) - 1)
        codes: npt.NDArray[np.int64] = fields.reshape(len(rows), -1)[:, :count]
        top = 1 << (self.bits - 1)
        return (codes ^ top) - top if self.signed else codes


def storage(fmt: Format) -> Storage:
    """Place of one code of `fmt`: the least container, or if it is `Packed` the least field; minifloats have a byte."""
    if isinstance(fmt, Minifloat):
        return Storage(8, False, f"EQ_F({fmt.exponent}, {fmt.mantissa})")
    if isinstance(fmt, FixedPoint | Affine):
        shared = isinstance(fmt, Packed)
        bits = next(width for width in (FIELDS if shared else WIDTHS) if fmt.width <= width)
        return Storage(bits, fmt.signed, f"EQ_{'S' if fmt.signed else 'U'}{'P' if shared else ''}({bits})")
    raise UnsupportedError(f"format {fmt} has no storage in C; requantise to FixedPoint or Minifloat")


def eq_type_word(fmt: Format) -> int:
    """The number that `storage(fmt).eq_type` stands for in C, for kernels that look types up at run time."""
    place = storage(fmt)
    if isinstance(fmt, Minifloat):
        return fmt.bits | 1 << 8 | fmt.exponent << 9 | fmt.mantissa << 12
    return place.bits | place.signed << 6 | place.packed << 7


def value_bytes(value: Value) -> int:
    """Bytes of a whole value in the arena (or of its plain array in flash)."""
    return storage(value.format).size(value.size)


def to_memory(codes: npt.NDArray[Any], fmt: Format) -> npt.NDArray[Any]:
    """The codes of one value as a flat array of its C type."""
    place = storage(fmt)
    data: npt.NDArray[Any] = place.to_bytes(codes.reshape(1, -1))[0].view(place.dtype)
    return data


def packed_type(fmt: Format) -> str:
    """eq_type of constants of `fmt`: a bit stream below 8 bits, else the plain container."""
    plain = storage(fmt).eq_type
    if fmt.bits >= 8:
        return plain
    if isinstance(fmt, Minifloat):
        return f"EQ_FP({fmt.exponent}, {fmt.mantissa})"
    return f"{'EQ_SP' if fmt.signed else 'EQ_UP'}({fmt.bits})"


def pack(codes: npt.NDArray[Any], fmt: Format) -> tuple[str, npt.NDArray[Any]]:
    """C type and elements of constants in flash: element i at bit i * bits, least significant bit first.

    One byte follows the last that holds a code, because the reader takes two bytes at a time.
    """
    if fmt.bits >= 8:
        return storage(fmt).ctype, to_memory(codes.reshape(-1), fmt)
    masked = codes.reshape(-1).astype(np.int64) & ((1 << fmt.bits) - 1)
    bits = ((masked[:, None] >> np.arange(fmt.bits)) & 1).astype(np.uint8).reshape(-1)
    return "uint8_t", np.append(np.packbits(bits, bitorder="little"), np.uint8(0))


def unpack(data: npt.NDArray[Any], count: int, fmt: Format) -> npt.NDArray[np.int64]:
    """Codes of what `pack` made, flat."""
    if fmt.bits >= 8:
        return data.astype(np.int64)
    bits = np.unpackbits(data, bitorder="little")[: count * fmt.bits].reshape(count, fmt.bits).astype(np.int64)
    codes = (bits << np.arange(fmt.bits)).sum(axis=1)
    if isinstance(fmt, FixedPoint | Affine) and fmt.signed:
        top = 1 << (fmt.bits - 1)
        codes = (codes ^ top) - top
    found: npt.NDArray[np.int64] = codes.astype(np.int64)
    return found
