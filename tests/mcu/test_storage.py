"""Containers and bit streams: every code of every format comes back, and the C type says the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.formats import NAMED, FixedPoint, Format, Minifloat
from edgeq.mcu.storage import Packed, eq_type_word, pack, packed, packed_type, storage, to_memory, unpack
from edgeq.verify.random_formats import all_codes

FORMATS: list[Format] = [FixedPoint(bits, 0, sign) for bits in range(1, 17) for sign in (True, False)]
FORMATS += [packed(FixedPoint(bits, 0, sign)) for bits in range(1, 5) for sign in (True, False)]
FORMATS += [*NAMED.values(), Minifloat(1, 1), Minifloat(3, 0), Minifloat(4, 2, specials="fnuz")]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_code_comes_back(fmt: Format) -> None:
    codes = all_codes(fmt)
    place, memory = storage(fmt), to_memory(codes, fmt)
    rows = np.stack([codes, codes[::-1]])
    assert np.array_equal(place.from_bytes(place.to_bytes(rows), codes.size), rows)
    assert memory.nbytes == -(-codes.size * place.bits // 8)
    assert memory.dtype == place.dtype
    assert memory.tobytes() == place.to_bytes(rows)[0].tobytes()
    assert place.packed == isinstance(fmt, Packed)
    _, data = pack(codes, fmt)
    assert np.array_equal(unpack(data, codes.size, fmt), codes)


@pytest.mark.parametrize("bits", range(1, 8))
def test_a_stream_is_as_long_as_its_bits(bits: int) -> None:
    ctype, data = pack(np.zeros(37, dtype=np.int64), FixedPoint(bits, 0))
    assert (ctype, data.nbytes) == ("uint8_t", (37 * bits + 7) // 8 + 1)


def test_a_stream_is_least_significant_bit_first() -> None:
    _, data = pack(np.array([1, -1, 2]), FixedPoint(3, 0))
    # 001, 111, 010 from the right: 0b0_10_111_001 and a byte behind.
    assert data.tolist() == [0b10111001, 0, 0]


@pytest.mark.parametrize(
    ("fmt", "ctype", "plain", "packed"),
    [
        (FixedPoint(8, 0), "int8_t", "EQ_S(8)", "EQ_S(8)"),
        (FixedPoint(5, 3, False), "uint8_t", "EQ_U(8)", "EQ_UP(5)"),
        (FixedPoint(4, 3), "int8_t", "EQ_S(8)", "EQ_SP(4)"),
        (packed(FixedPoint(4, 3)), "uint8_t", "EQ_SP(4)", "EQ_SP(4)"),
        (packed(FixedPoint(3, 3, False)), "uint8_t", "EQ_UP(4)", "EQ_UP(3)"),
        (packed(FixedPoint(1, 0, False)), "uint8_t", "EQ_UP(2)", "EQ_UP(1)"),
        (FixedPoint(9, 0), "int16_t", "EQ_S(16)", "EQ_S(16)"),
        (FixedPoint(17, 0, False), "uint32_t", "EQ_U(32)", "EQ_U(32)"),
        (NAMED["e2m1"], "uint8_t", "EQ_F(2, 1)", "EQ_FP(2, 1)"),
        (NAMED["e4m3"], "uint8_t", "EQ_F(4, 3)", "EQ_F(4, 3)"),
    ],
)
def test_types(fmt: Format, ctype: str, plain: str, packed: str) -> None:
    assert (storage(fmt).ctype, storage(fmt).eq_type, packed_type(fmt)) == (ctype, plain, packed)


def test_words_are_those_of_the_header() -> None:
    assert eq_type_word(FixedPoint(5, 0)) == 8 | 1 << 6
    assert eq_type_word(packed(FixedPoint(3, 0))) == 4 | 1 << 6 | 1 << 7
    assert eq_type_word(NAMED["e2m1"]) == 4 | 1 << 8 | 2 << 9 | 1 << 12
    assert eq_type_word(FixedPoint(32, 0, False)) == 32
    assert eq_type_word(NAMED["e4m3"]) == 8 | 1 << 8 | 4 << 9 | 3 << 12
