/* edgeq_fields.h: runs of codes that share bytes, two or four to a byte, brought into bytes of their own and back.
 *
 * Eight codes at a time, as two words of four: a word of shared codes is spread over the bytes by shifts and masks, so
 * that no code is looked at alone, but for those of a byte that a run begins or ends in the middle of.
 */
#ifndef EDGEQ_FIELDS_H
#define EDGEQ_FIELDS_H

#include "edgeq_dsp.h"

/* The four codes of 4 bits in the lowest half of v, each in a byte. */
EQ_INLINE uint32_t eq_fields_four4(uint32_t v)
{
    const uint32_t pairs = (v | v << 8) & 0x00FF00FFu;
    return (pairs | pairs << 4) & 0x0F0F0F0Fu;
}

/* The four codes of 2 bits in the lowest byte of v, each in a byte. */
EQ_INLINE uint32_t eq_fields_four2(uint32_t v)
{
    const uint32_t pairs = (v | v << 12) & 0x000F000Fu;
    return (pairs | pairs << 6) & 0x03030303u;
}

/* n codes of 4 bits, a multiple of eight, from the beginning of a byte on. half: of signed codes half their range in each
 * byte, else 0: what they are turned over by and less of, without a look at the sign. */
EQ_INLINE void eq_fields_spread4(uint8_t *to, const uint8_t *from, int32_t n, uint32_t half)
{
    const uint32_t flip = half | half << 4;
    for (uint8_t *const end = to + n; to != end; to += 8, from += 4) {
        const uint32_t v = eq_word(from) ^ flip;
        eq_put_word(to, eq_less8(eq_fields_four4(v & 0xFFFFu), half));
        eq_put_word(to + 4, eq_less8(eq_fields_four4(v >> 16), half));
    }
}

/* The same of 2 bits. */
EQ_INLINE void eq_fields_spread2(uint8_t *to, const uint8_t *from, int32_t n, uint32_t half)
{
    for (uint8_t *const end = to + n; to != end; to += 8, from += 2) {
        eq_put_word(to, eq_less8(eq_fields_four2(from[0]) ^ half, half));
        eq_put_word(to + 4, eq_less8(eq_fields_four2(from[1]) ^ half, half));
    }
}

/* n codes from number `at` of x on, of 2 or 4 bits, as bytes. */
EQ_SHARED void eq_fields_load(uint8_t *to, const void *x, int32_t at, int32_t n, eq_type t)
{
    const int32_t bits = eq_width(t), each = 8 / bits;
    const uint32_t half = eq_is_signed(t) ? 0x01010101u << (bits - 1) : 0u;
    for (; n > 0 && at % each != 0; n--, at++) {
        *to++ = (uint8_t)eq_load(x, at, t);
    }
    const int32_t whole = n - n % 8;
    const uint8_t *const from = (const uint8_t *)x + at / each;
    if (bits == 4) {
        eq_fields_spread4(to, from, whole, half);
    } else {
        eq_fields_spread2(to, from, whole, half);
    }
    for (int32_t i = whole; i < n; i++) {
        to[i] = (uint8_t)eq_load(x, at + i, t);
    }
}

/* Four codes of 4 bits, each in a byte, in the lowest half; of 2 bits in the lowest byte. */
EQ_INLINE uint32_t eq_fields_join4(uint32_t v)
{
    v &= 0x0F0F0F0Fu;
    v = (v | v >> 4) & 0x00FF00FFu;
    return (v | v >> 8) & 0xFFFFu;
}

EQ_INLINE uint32_t eq_fields_join2(uint32_t v)
{
    v &= 0x03030303u;
    v |= v >> 6;
    return (v | v >> 12) & 0xFFu;
}

/* n bytes become the codes from number `at` of y on; the other codes of the bytes they share stay. */
EQ_SHARED void eq_fields_store(void *y, int32_t at, const uint8_t *from, int32_t n, eq_type t)
{
    const int32_t bits = eq_width(t), each = 8 / bits;
    for (; n > 0 && at % each != 0; n--, at++) {
        eq_store_code(y, at, *from++, t);
    }
    const uint8_t *const end = from + (n - n % 8);
    uint8_t *to = (uint8_t *)y + at / each;
    at += n - n % 8;
    if (bits == 4) {
        for (; from != end; from += 8, to += 4) {
            eq_put_word(to, eq_fields_join4(eq_word(from)) | eq_fields_join4(eq_word(from + 4)) << 16);
        }
    } else {
        for (; from != end; from += 8, to += 2) {
            to[0] = (uint8_t)eq_fields_join2(eq_word(from));
            to[1] = (uint8_t)eq_fields_join2(eq_word(from + 4));
        }
    }
    for (n %= 8; n > 0; n--) {
        eq_store_code(y, at++, *from++, t);
    }
}

#endif
