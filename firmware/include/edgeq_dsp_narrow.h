/* edgeq_dsp_narrow.h: weights that stay packed in flash, brought into the stream that edgeq_dsp_block.h reads.
 *
 * A packed block of four output channels is
 *     4 words   start values
 *     codes     of all units, as edgeq_narrow.h says: a word of the stream stands for four codes, e and o of element a,
 *               then of element b
 *     1 word    shifts of the four channels
 * and the block that comes out of it has the weights as dual lanes: 256 o + e.
 */
#ifndef EDGEQ_DSP_NARROW_H
#define EDGEQ_DSP_NARROW_H

#include "edgeq_dsp.h"
#include "edgeq_narrow.h"

/* Four codes of a minifloat with two exponent bits: magnitudes grow by 1, from 2^(M+1) on by 2, from 3 * 2^M on by 4. */
EQ_INLINE uint32_t eq_narrow_bend(uint32_t v, eq_type t)
{
    const uint32_t hidden = 0x01010101u << eq_mantissa(t), sign = 4u * hidden;
    const uint32_t m = v & (sign - 0x01010101u);
    return eq_negate8(m + eq_uqsub8(m, 2u * hidden) + 2u * eq_uqsub8(m, 3u * hidden), v, sign);
}

#if EQ_DSP_ASM
/* The same for n bytes, a multiple of 16, which the compiler would not keep in registers. */
EQ_INLINE void eq_narrow_bend16(uint8_t *to, const uint8_t *from, int32_t n, eq_type t)
{
    const uint32_t hidden = 0x01010101u << eq_mantissa(t), sign = 4u * hidden;
    const uint8_t *const end = from + n;
    uint32_t v, m, a;
    __asm__ volatile("1:\n"
                     ".rept 4\n\t"
                     "ldr %2, [%1], #4\n\t"
                     "and %3, %2, %6\n\t"
                     "uqsub8 %4, %3, %7\n\t"
                     "add %4, %4, %3\n\t"
                     "uqsub8 %3, %3, %8\n\t"
                     "add %4, %4, %3, lsl #1\n\t"
                     "usub8 %3, %10, %4\n\t"
                     "usub8 %2, %2, %9\n\t"
                     "sel %4, %3, %4\n\t"
                     "str %4, [%0], #4\n\t"
                     ".endr\n\t"
                     "cmp %1, %5\n\t"
                     "bne 1b\n\t"
                     : "+&r"(to), "+&r"(from), "=&r"(v), "=&r"(m), "=&r"(a)
                     : "r"(end), "r"(sign - 0x01010101u), "r"(2u * hidden), "r"(3u * hidden), "r"(sign), "r"(0)
                     : "cc", "memory");
}
#else
EQ_INLINE void eq_narrow_bend16(uint8_t *to, const uint8_t *from, int32_t n, eq_type t)
{
    for (int32_t i = 0; i < n; i += 4) {
        eq_put_word(to + i, eq_narrow_bend(eq_word(from + i), t));
    }
}
#endif

/* n codes of a minifloat as integers on its grid. */
EQ_INLINE void eq_narrow_decode(uint8_t *to, const uint8_t *from, int32_t n, const eq_narrow_table *table, eq_type t)
{
    if (eq_exponent(t) == 2 && n >= 16) {
        const int32_t whole = n - n % 16;
        eq_narrow_bend16(to, from, whole, t);
        to += whole;
        from += whole;
        n -= whole;
    }
    for (; eq_exponent(t) == 2 && n >= 4; n -= 4, from += 4, to += 4) {
        eq_put_word(to, eq_narrow_bend(eq_word(from), t));
    }
    eq_narrow_look_up(to, from, n, (const uint8_t *)table->of);
}

/* The codes e, o, e, o at bits 0, step, 2 step and 3 step of v as dual lanes. */
EQ_INLINE uint32_t eq_narrow_lanes(const eq_narrow_table *table, uint32_t v, int32_t step, eq_type t)
{
    const uint32_t a = eq_narrow_one(table, v, t) + (eq_narrow_one(table, v >> step, t) << 8);
    const uint32_t b = eq_narrow_one(table, v >> (2 * step), t) + (eq_narrow_one(table, v >> (3 * step), t) << 8);
    return eq_pkhbt(a, b);
}

/* The weights of `units` units where several words of them share 32 bits. */
EQ_INLINE void eq_narrow_whole(eq_u32 *to, const eq_u32 *from, int32_t units, const eq_narrow_table *table, eq_type t)
{
    const int32_t bits = eq_width(t), each = 8 / bits;
    const uint32_t mask = 0x01010101u * ((1u << bits) - 1u);
    const eq_u32 *const end = to + 2 * units;
    while (to < end) {
        const uint32_t v = *from++;
        for (int32_t j = 0; j < each; j++) {
            const uint32_t part = v >> (j * bits);
            to[j] = eq_is_float(t) ? eq_narrow_lanes(table, part, 8, t) : eq_ssub16(part & mask, eq_narrow_half(t));
        }
        to += each;
    }
}

/* The same where codes lie one after the other. */
EQ_INLINE void eq_narrow_chain(eq_u32 *to, const uint8_t *from, int32_t units, const eq_narrow_table *table, eq_type t)
{
    const int32_t bits = eq_width(t);
    for (; units > 0; units--, from += bits, to += 2) {
        const uint32_t low = eq_word(from), high = eq_word(from + bits / 2) >> (4 * bits - 8 * (bits / 2));
        to[0] = eq_ssub16(eq_narrow_lanes(table, low, bits, t), eq_narrow_half(t));
        to[1] = eq_ssub16(eq_narrow_lanes(table, high, bits, t), eq_narrow_half(t));
    }
}

/* `blocks` blocks as a stream; returns where the next packed one begins. Behind the stream `to` has room for the words
 * that share their codes with the last one: seven at most. */
EQ_INLINE const eq_u32 *eq_narrow_expand(eq_u32 *to, const eq_u32 *from, int32_t blocks, int32_t units,
                                         const eq_narrow_table *table, eq_type t)
{
    for (; blocks > 0; blocks--) {
        for (int32_t i = 0; i < 4; i++) {
            to[i] = from[i];
        }
        if (8 % eq_width(t) == 0) {
            eq_narrow_whole(to + 4, from + 4, units, table, t);
        } else {
            eq_narrow_chain(to + 4, (const uint8_t *)(const void *)(from + 4), units, table, t);
        }
        from += 4 + eq_narrow_words(2 * units, t);
        to += 4 + 2 * units;
        *to++ = *from++;
    }
    return from;
}

#endif
