"""How codes lie in memory: containers of values in RAM, bit streams of weights in flash, and their eq_type in C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.ir.graph import Value

#: bytes of an element -> C type, signed and unsigned
_SIGNED = {1: "int8_t", 2: "int16_t", 4: "int32_t", 8: "int64_t"}
_UNSIGNED = {1: "uint8_t", 2: "uint16_t", 4: "uint32_t"}


@dataclass(frozen=True)
class Storage:
    """Where a code of one format lies outside of bit streams.

    bytes: of one element; signed: of the container; ctype: its C type; dtype: its numpy type (little endian);
    eq_type: the C expression of its type for kernels. Formats that read alike share one, so that layers share code.
    """

    bytes: int
    signed: bool
    eq_type: str

    @property
    def ctype(self) -> str:
        return _SIGNED[self.bytes] if self.signed else _UNSIGNED[self.bytes]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bytes}")


def storage(fmt: Format) -> Storage:
    """Container of one code of `fmt`: the least of 8, 16 or 32 bits."""
    if isinstance(fmt, Minifloat):
        return Storage(1, False, f"EQ_F({fmt.exponent}, {fmt.mantissa})")
    if isinstance(fmt, FixedPoint | Affine):
        width = 1 if fmt.width <= 8 else 2 if fmt.width <= 16 else 4
        return Storage(width, fmt.signed, f"{'EQ_S' if fmt.signed else 'EQ_U'}({8 * width})")
    raise UnsupportedError(f"format {fmt} has no storage in C; requantise to FixedPoint or Minifloat")


def eq_type_word(fmt: Format) -> int:
    """The number that `storage(fmt).eq_type` stands for in C, for kernels that look types up at run time."""
    place = storage(fmt)
    if isinstance(fmt, Minifloat):
        return fmt.bits | 1 << 8 | fmt.exponent << 9 | fmt.mantissa << 12
    return 8 * place.bytes | place.signed << 6


def value_bytes(value: Value) -> int:
    """Bytes of a whole value in the arena (or of its plain array in flash)."""
    return value.size * storage(value.format).bytes


def to_memory(codes: npt.NDArray[Any], fmt: Format) -> npt.NDArray[Any]:
    """Codes as a container array, C order."""
    return np.ascontiguousarray(codes).astype(storage(fmt).dtype)


def from_memory(data: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Codes of a container array; inverse of `to_memory`."""
    return data.astype(np.int64)


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
