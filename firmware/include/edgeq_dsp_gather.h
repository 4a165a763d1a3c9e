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

/* Bytes from..from + n - 1, n <= 4, of a row of `size` bytes as a word, zero where there are none. */
EQ_INLINE uint32_t eq_dsp_border_word(const uint8_t *row, int32_t from, int32_t size, int32_t n)
{
    uint32_t v = 0;
    for (int32_t i = 0; i < n; i++) {
        if (from + i >= 0 && from + i < size) {
            v |= (uint32_t)row[from + i] << (8 * i);
        }
    }
    return v;
}

/* Four bytes, of which some lie beyond an end of the row. */
EQ_INLINE eq_u32 *eq_dsp_mixed1(eq_u32 *to, const uint8_t *row, int32_t from, int32_t size, bool is_signed)
{
    const uint32_t v = eq_dsp_border_word(row, from, size, 4);
    to[0] = eq_even(v, is_signed);
    to[2] = eq_odd(v, is_signed);
    return to + 4;
}

/* A run of n bytes of one pixel that starts at byte `from` of a row of `size` bytes, of which it may leave either end:
 * words in front of the row, the one across its start, those inside, the one across its end, those behind, a rest. */
EQ_INLINE eq_u32 *eq_dsp_row1(eq_u32 *to, const uint8_t *row, int32_t from, int32_t size, int32_t n, bool is_signed)
{
    const int32_t end = from + n / 4 * 4;
    if (from < 0) {
        const int32_t before = eq_min(-from, end - from) / 4 * 4;
        to = eq_dsp_zeros1(to, before);
        from += before;
        if (from < 0 && from < end) {
            to = eq_dsp_mixed1(to, row, from, size, is_signed);
            from += 4;
        }
    }
    if (from < size && from < end) {
        const int32_t inside = eq_min(size, end) - from;
        to = eq_dsp_expand1(to, row + from, inside / 4 * 4, is_signed);
        from += inside / 4 * 4;
        if (from < size && from < end) {
            to = eq_dsp_mixed1(to, row, from, size, is_signed);
            from += 4;
        }
    }
    to = eq_dsp_zeros1(to, end - from);
    return eq_dsp_expand_rest(to, eq_dsp_border_word(row, end, size, n % 4), n % 4, is_signed);
}

/* A plane of rows: `size` bytes each, `height` of them; a window of `rows` runs of `run` bytes on it. */
typedef struct {
    const uint8_t *x;
    int32_t size, height;
    int32_t run, rows;
} eq_dsp_plane;

/* The window of one pixel from row `top` and byte `from` on, into every second word from `to` on. */
EQ_INLINE void eq_dsp_window1(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to, bool is_signed)
{
    for (int32_t i = top; i < top + p->rows; i++) {
        to = i >= 0 && i < p->height ? eq_dsp_row1(to, p->x + i * p->size, from, p->size, p->run, is_signed)
                                     : eq_dsp_zeros1(to, p->run);
    }
}

/* The windows of two pixels that lie inside, from bytes `a` and `b` of the plane on. */
EQ_INLINE void eq_dsp_window2(const eq_dsp_plane *p, int32_t a, int32_t b, eq_u32 *to, bool is_signed)
{
    const uint8_t *first = p->x + a, *second = p->x + b;
    const int32_t size = p->size, run = p->run;
    for (int32_t i = p->rows; i > 0; i--, first += size, second += size) {
        to = eq_dsp_expand2(to, first, second, run, is_signed);
    }
}

EQ_SHARED void eq_dsp_window1_s(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to)
{
    eq_dsp_window1(p, top, from, to, true);
}

EQ_SHARED void eq_dsp_window1_u(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to)
{
    eq_dsp_window1(p, top, from, to, false);
}

EQ_SHARED void eq_dsp_window2_s(const eq_dsp_plane *p, int32_t a, int32_t b, eq_u32 *to)
{
    eq_dsp_window2(p, a, b, to, true);
}

EQ_SHARED void eq_dsp_window2_u(const eq_dsp_plane *p, int32_t a, int32_t b, eq_u32 *to)
{
    eq_dsp_window2(p, a, b, to, false);
}

#endif
