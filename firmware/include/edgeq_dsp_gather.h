/* edgeq_dsp_gather.h: windows of 8-bit codes expanded to 16-bit lanes, in the order in which blocks read them.
 *
 * A run of n neighbouring bytes becomes units (see edgeq_dsp_block.h): bytes 0, 2 then 1, 3 of every four, which is
 * what SXTB16 makes of a word; of a rest, one unit (0, nothing) or (0, 1), or two units (0, 2), (1, nothing).
 */
#ifndef EDGEQ_DSP_GATHER_H
#define EDGEQ_DSP_GATHER_H

#include "edgeq_dsp.h"

/* Units that a run of n bytes takes. */
EQ_INLINE int32_t eq_dsp_units(int32_t n) { return n / 4 * 2 + (n % 4 + 1) / 2; }

/* The last n < 4 bytes of a run, given as a word whose other bytes are zero: one lane pair every two words. */
EQ_INLINE eq_u32 *eq_dsp_expand_rest(eq_u32 *to, uint32_t v, int32_t n, bool is_signed)
{
    if (n == 3) {
        to[0] = eq_even(v, is_signed);
        to[2] = eq_odd(v, is_signed);
        return to + 4;
    }
    if (n > 0) {
        /* Byte 1 moves to where byte 2 is. */
        to[0] = eq_even((v & 0xFFu) | (v & 0xFF00u) << 8, is_signed);
        return to + 2;
    }
    return to;
}

/* n < 4 bytes as a word. */
EQ_INLINE uint32_t eq_dsp_rest(const uint8_t *x, int32_t n)
{
    uint32_t v = n > 0 ? x[0] : 0u;
    v |= n > 1 ? (uint32_t)x[1] << 8 : 0u;
    return v | (n > 2 ? (uint32_t)x[2] << 16 : 0u);
}

/* A run of n bytes of one pixel, into every second word from `to` on; returns what follows. */
EQ_INLINE eq_u32 *eq_dsp_expand1(eq_u32 *to, const uint8_t *x, int32_t n, bool is_signed)
{
    for (; n >= 4; n -= 4, x += 4, to += 4) {
        const uint32_t v = eq_word(x);
        to[0] = eq_even(v, is_signed);
        to[2] = eq_odd(v, is_signed);
    }
    return eq_dsp_expand_rest(to, eq_dsp_rest(x, n), n, is_signed);
}

#if EQ_DSP_ASM
/* Four bytes of each pixel: seven instructions for eight lanes. */
#define EQ_DSP_EXPAND_(OP)         \
    "ldr r5, [%1], #4\n\t"         \
    "ldr r6, [%2], #4\n\t"         \
    OP " r3, r5\n\t"               \
    OP " r4, r6\n\t"               \
    OP " r5, r5, ror #8\n\t"       \
    OP " r6, r6, ror #8\n\t"       \
    "stm %0!, {r3, r4, r5, r6}\n\t"
/* n / 8 times eight bytes, then four if they are left. */
#define EQ_DSP_EXPAND_FOURS_(OP)                                                                      \
    if (n >= 8) {                                                                                     \
        int32_t eights = n >> 3;                                                                      \
        __asm__ volatile("1:\n\t" EQ_DSP_EXPAND_(OP) EQ_DSP_EXPAND_(OP) "subs %3, %3, #1\n\tbne 1b\n\t" \
                         : "+r"(to), "+r"(a), "+r"(b), "+r"(eights)                                   \
                         :                                                                            \
                         : "r3", "r4", "r5", "r6", "cc", "memory");                                   \
    }                                                                                                 \
    if ((n & 4) != 0) {                                                                               \
        __asm__ volatile(EQ_DSP_EXPAND_(OP)                                                           \
                         : "+r"(to), "+r"(a), "+r"(b)                                                 \
                         :                                                                            \
                         : "r3", "r4", "r5", "r6", "memory");                                         \
    }
#else
#define EQ_DSP_EXPAND_FOURS_(OP)                        \
    for (int32_t i = n >> 2; i > 0; i--, a += 4, b += 4, to += 4) { \
        const uint32_t u = eq_word(a), v = eq_word(b);  \
        to[0] = eq_even(u, is_signed);                  \
        to[1] = eq_even(v, is_signed);                  \
        to[2] = eq_odd(u, is_signed);                   \
        to[3] = eq_odd(v, is_signed);                   \
    }
#endif

/* Runs of n bytes of both pixels. */
EQ_INLINE eq_u32 *eq_dsp_expand2(eq_u32 *to, const uint8_t *a, const uint8_t *b, int32_t n, bool is_signed)
{
    if (is_signed) {
        EQ_DSP_EXPAND_FOURS_("sxtb16")
    } else {
        EQ_DSP_EXPAND_FOURS_("uxtb16")
    }
    n &= 3;
    if (n > 0) {
        (void)eq_dsp_expand_rest(to + 1, eq_dsp_rest(b, n), n, is_signed);
        to = eq_dsp_expand_rest(to, eq_dsp_rest(a, n), n, is_signed);
    }
    return to;
}

/* A run of n zeros of one pixel. */
EQ_INLINE eq_u32 *eq_dsp_zeros1(eq_u32 *to, int32_t n)
{
    for (int32_t units = eq_dsp_units(n); units > 0; units--, to += 2) {
        to[0] = 0;
    }
    return to;
}

/* Bytes from..from + 3 of a row of `size` bytes, zero where there are none; only the first n of them. */
EQ_INLINE uint32_t eq_dsp_border_word(const uint8_t *row, int32_t from, int32_t size, int32_t n)
{
    uint32_t v = 0;
    if (n == 4 && from >= 0 && from + 4 <= size) {
        return eq_word(row + from);
    }
    for (int32_t i = 0; i < n; i++) {
        if (from + i >= 0 && from + i < size) {
            v |= (uint32_t)row[from + i] << (8 * i);
        }
    }
    return v;
}

/* A run of n bytes of one pixel that starts at byte `from` of a row of `size` bytes and leaves it at one end or both. */
EQ_INLINE eq_u32 *eq_dsp_border1(eq_u32 *to, const uint8_t *row, int32_t from, int32_t size, int32_t n, bool is_signed)
{
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        const uint32_t v = eq_dsp_border_word(row, from, size, 4);
        to[0] = eq_even(v, is_signed);
        to[2] = eq_odd(v, is_signed);
    }
    return eq_dsp_expand_rest(to, eq_dsp_border_word(row, from, size, n), n, is_signed);
}

#endif
