/* edgeq_narrow.h: codes below 8 bits that stay packed in flash, brought out four at a time.
 *
 * Codes come in words of four. Where 8 / bits is a whole number n, so many words share 32 bits: code i of word j lies in
 * byte i, at bit j * bits, so that one mask brings a word out. Other widths lie one after the other, least significant
 * bit first, the codes of two words in `bits` bytes; four bytes may be read beyond the last code.
 * Signed fixed-point codes lie there plus half their range, because one subtraction for all four takes that off again;
 * minifloats lie there as they are and are looked up as integers on their grid.
 */
#ifndef EDGEQ_NARROW_H
#define EDGEQ_NARROW_H

#include "edgeq_kernel.h"

/* Grid integers of all codes of a minifloat of up to 8 bits, which fit a byte. */
typedef struct {
    int8_t of[256];
} eq_narrow_table;

EQ_INLINE void eq_narrow_fill(eq_narrow_table *table, eq_type t)
{
    const uint32_t half = 1u << (eq_width(t) - 1);
    for (uint32_t code = 0; code < half; code++) {
        const int32_t v = eq_decode(code, t);
        table->of[code] = (int8_t)v;
        table->of[code + half] = (int8_t)-v;
    }
}

/* A code in the lowest bits of v: of a minifloat its grid integer. */
EQ_INLINE uint32_t eq_narrow_one(const eq_narrow_table *table, uint32_t v, eq_type t)
{
    const uint32_t code = v & ((1u << eq_width(t)) - 1u);
    return eq_is_float(t) ? (uint32_t)(int32_t)table->of[code] : code;
}

/* Half the range of signed fixed-point codes, in each byte. */
EQ_INLINE uint32_t eq_narrow_half(eq_type t)
{
    return eq_is_signed(t) && !eq_is_float(t) ? 0x01010101u << (eq_width(t) - 1) : 0u;
}

/* Words of 32 bits that hold so many words of codes. */
EQ_INLINE int32_t eq_narrow_words(int32_t words, eq_type t) { return (words * eq_width(t) + 7) / 8; }

/* Bits 0 to 31 from bit `from` on of bytes, of which four or five are read. */
EQ_INLINE uint32_t eq_narrow_bits(const uint8_t *p, int32_t from)
{
    p += from / 8;
    const uint32_t low = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return low >> (from % 8);
}

/* The codes at bits 0, step, 2 step and 3 step of v as four bytes. */
EQ_INLINE uint32_t eq_narrow_four(const eq_narrow_table *table, uint32_t v, int32_t step, eq_type t)
{
    const uint32_t a = eq_narrow_one(table, v, t) & 0xFFu, b = eq_narrow_one(table, v >> step, t) & 0xFFu;
    const uint32_t c = eq_narrow_one(table, v >> (2 * step), t) & 0xFFu, d = eq_narrow_one(table, v >> (3 * step), t);
    return a | b << 8 | c << 16 | d << 24;
}

/* Four bytes less half their range: below 8 bits no byte reaches 128 before, so the top bits keep borrows apart. */
EQ_INLINE uint32_t eq_narrow_centred(uint32_t v, eq_type t)
{
    if (eq_width(t) == 8 && eq_narrow_half(t) != 0) {
        return v ^ 0x80808080u;
    }
    return eq_narrow_half(t) == 0 ? v : ((v | 0x80808080u) - eq_narrow_half(t)) ^ 0x80808080u;
}

/* `words` words of codes as four signed bytes each, then `tail` words as they are; so many blocks. Behind them `to` has
 * room for the words that share their codes with the last one: seven at most. */
EQ_INLINE void eq_narrow_bytes(eq_u32 *to, const eq_u32 *from, int32_t blocks, int32_t words, int32_t tail,
                               const eq_narrow_table *table, eq_type t)
{
    const int32_t bits = eq_width(t), each = 8 / bits;
    const uint32_t mask = 0x01010101u * ((1u << bits) - 1u);
    for (; blocks > 0; blocks--) {
        for (int32_t i = 0; i < words; i += 8 % bits == 0 ? each : 1) {
            if (8 % bits != 0) {
                const uint32_t v = eq_narrow_bits((const uint8_t *)(const void *)from, 4 * bits * i);
                to[i] = eq_narrow_centred(eq_narrow_four(table, v, bits, t), t);
                continue;
            }
            const uint32_t v = from[i / each];
            for (int32_t j = 0; j < each; j++) {
                const uint32_t part = v >> (j * bits);
                to[i + j] = eq_is_float(t) ? eq_narrow_four(table, part, 8, t) : eq_narrow_centred(part & mask, t);
            }
        }
        from += eq_narrow_words(words, t);
        to += words;
        for (int32_t i = 0; i < tail; i++) {
            *to++ = *from++;
        }
    }
}

/* n codes, each in a byte, by a table of 256 bytes. y may lie over x. */
EQ_INLINE void eq_narrow_look_up(uint8_t *y, const uint8_t *x, int32_t n, const uint8_t *table)
{
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        const uint8_t a = table[x[0]], b = table[x[1]], c = table[x[2]], d = table[x[3]];
        y[0] = a;
        y[1] = b;
        y[2] = c;
        y[3] = d;
    }
    for (; n > 0; n--) {
        *y++ = table[*x++];
    }
}

#endif
